"""Who carried it, on its way and off it."""

from __future__ import annotations

import pytest

from prober import carriers
from prober.probe import Kind
from prober.report import Route
from tests.stories import FIREWALL, INCIDENT, LB, NAMES, NORMAL, POD, THERE, WRONG, story


def test_the_furthest_stray_is_the_one_with_the_lowest_ttl_whatever_the_clocks_say():
    o = story(THERE + "node19 << SYN-ACK ttl 61 after 1\nnode2 << SYN-ACK ttl 62 after 9")
    assert [one.agent for one in carriers.strays(o, Kind.SYN_ACK)] == ["node2", "node19"]


def test_an_agent_that_was_not_watching_when_all_was_well_is_neither_regular_nor_irregular():
    o = story("", usual=NORMAL.__class__(62, watched=("node1",)))
    assert not carriers.regular(o, "node19") and not carriers.irregular(o, "node19")


@pytest.mark.parametrize(
    ("route", "ends"),
    [
        (Route("node19", FIREWALL, POD, "eth0", "10.19.0.0/16", "", "pods0"), True),
        (Route("node19", FIREWALL, POD, "eth0", "10.19.0.0/16", "10.224.0.1", "eth0"), False),
        (Route("node19", FIREWALL, POD, "eth0", "10.19.0.0/24", "", "eth1"), False),
        (Route("node19", FIREWALL, POD, "eth0", "0.0.0.0/0", "10.224.0.1", "eth0"), False),
        (Route("node19", LB, POD, "eth0", "10.19.0.0/16", "", "pods0"), False),
        (Route("node19", FIREWALL, POD, "eth0", "10.19.0.0/24", type="blackhole"), True),
    ],
)
def test_where_a_witness_says_the_packet_ends(route, ends):
    o = story(INCIDENT, routes=(WRONG, route))
    assert (carriers.dead_end(o, o.witnesses(Kind.SYN_ACK)[0]) is not None) is ends


@pytest.mark.parametrize(
    ("route", "on"),
    [
        (Route("node19", FIREWALL, POD, "eth0", "10.19.0.0/16", "10.99.0.1", "eth1"), True),
        (Route("node19", FIREWALL, POD, "eth0", "10.19.0.0/16", "10.224.0.1", "eth0"), False),
        (Route("node19", FIREWALL, POD, "eth0", "10.19.0.0/24", "", "eth1"), False),
        (Route("node19", FIREWALL, POD, "eth0", type="", error="EHOSTUNREACH"), False),
        (Route("node19", LB, POD, "eth0", "10.19.0.0/16", "10.99.0.1", "eth1"), False),
    ],
)
def test_who_would_send_it_on_by_another_interface_is_a_router(route, on):
    o = story(INCIDENT, routes=(WRONG, route))
    assert (carriers.onward(o, o.witnesses(Kind.SYN_ACK)[0]) is not None) is on
    attached = story(INCIDENT, routes=(WRONG, route), names={**NAMES, "10.19.0.2": "node19"})
    assert (carriers.onward(attached, attached.witnesses(Kind.SYN_ACK)[0]) is not None) is (
        on or route.prefix == "10.19.0.0/24"
    )
