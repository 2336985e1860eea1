"""Facts, one by one."""

from __future__ import annotations

import msgspec
import pytest

from prober import facts
from prober.facts import Error
from prober.probe import Kind
from prober.report import Route
from prober.verdict import Cause, Confidence, Culprit, Label
from tests.stories import AND_BACK, FIREWALL, INCIDENT, LB, NAMES, NORMAL, POD, RIGHT, THERE, WRONG, story

WHO = Culprit("hop", "x", "y")


@pytest.mark.parametrize(
    ("text", "culprit", "label", "said"),
    [
        (AND_BACK, WHO, Label.TARGET, "proven"), (AND_BACK, None, Label.TARGET, "likely"),
        (AND_BACK, None, Label.HEALTHY, "proven"), ("firewall >> SYN", WHO, Label.TARGET, "likely"),
        ("node1 << SYN", WHO, Label.TARGET, "likely"), ("", WHO, Label.LOCAL, "likely"),
    ],
)  # fmt: skip
def test_proven_is_said_with_packets_at_both_ends_and_a_culprit_only(text, culprit, label, said):
    assert facts.say(story(text), label, Confidence.PROVEN, "x.", None, culprit).confidence == said


def test_a_place_not_seen_is_no_packet_at_that_end():
    assert not facts.both_ends(story("firewall >> SYN")) and facts.never_arrived(story("firewall >> SYN"))


@pytest.mark.parametrize(
    ("route", "cause"),
    [
        (Route(type="blackhole", prefix="10.0.0.0/8", error="EINVAL"), Cause.R6), (Route(type="prohibit"), Cause.R6),
        (Route(type="", error="ENETUNREACH"), Cause.R2), (Route(type="", error="ENODEV"), None), (RIGHT, None),
        (Route(type="", error="EINVAL"), None),
    ],
)  # fmt: skip
def test_a_route_refuses_only_where_the_kernel_says_so(route, cause):
    assert facts.refuses(route) == cause


@pytest.mark.parametrize(
    ("prefix", "wider"),
    [("10.19.0.0/16", True), ("10.19.0.0/24", False), ("10.19.0.4/32", False), ("0.0.0.0/0", False), ("", False),
    ("fd00::/8", False)],
)  # fmt: skip
def test_a_route_is_wider_than_the_probers_own_network(prefix, wider):
    assert facts.wider_than_home(story(THERE), Route(prefix=prefix)) is wider


def test_behind_a_nat_the_probers_network_says_nothing_of_the_route():
    o = story(f"node1 << SYN from {LB}")
    assert facts.asked_from(o) == LB and not facts.wider_than_home(o, Route(prefix="10.0.0.0/8"))


def test_a_multipath_route_names_every_hop_it_knows():
    assert facts.owners(story(""), Route(via="10.224.0.1,10.224.0.23,10.224.0.5")) == ("node19", "node2")


def test_the_furthest_stray_is_the_one_with_the_lowest_ttl_whatever_the_clocks_say():
    o = story(THERE + "node19 << SYN-ACK ttl 61 after 1\nnode2 << SYN-ACK ttl 62 after 9")
    assert [one.agent for one in facts.strays(o, Kind.SYN_ACK)] == ["node2", "node19"]


def test_an_agent_that_was_not_watching_when_all_was_well_is_neither_regular_nor_irregular():
    o = story("", usual=NORMAL.__class__(62, watched=("node1",)))
    assert not facts.regular(o, "node19") and not facts.irregular(o, "node19")


def test_the_answers_last_place_is_the_nic():
    left = facts.answer_left(story(THERE))
    assert left is not None and left.interface == "eth0"
    assert facts.answer_left(story("node19 >> SYN-ACK")) is None


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
    assert (facts.dead_end(o, o.witnesses(Kind.SYN_ACK)[0]) is not None) is ends


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("3/0 of SYN-ACK from 10.0.0.1", Error.NO_ROUTE), ("3/1 of SYN-ACK from 10.0.0.1 after 9", Error.REFUSES),
        ("3/1 of SYN-ACK from 10.0.0.1 after 3070", Error.NO_HOST), ("3/3 of SYN-ACK from 10.0.0.1", Error.REJECTED),
        ("3/4 of SYN-ACK from 10.0.0.1", Error.OTHER), ("11/0 of SYN-ACK from 10.0.0.1", Error.LOOP),
        ("11/1 of SYN-ACK from 10.0.0.1", Error.OTHER), ("12/0 of SYN-ACK from 10.0.0.1", Error.OTHER),
        ("1/0 of SYN-ACK from fd00::1", Error.NO_ROUTE), ("1/3 of SYN-ACK from fd00::1 after 3070", Error.NO_HOST),
        ("3/0 of SYN-ACK from fd00::1", Error.LOOP), ("2/0 of SYN-ACK from fd00::1", Error.OTHER),
        ("1/1 of SYN-ACK from fd00::1", Error.REJECTED), ("1/4 of SYN-ACK from fd00::1", Error.REJECTED),
    ],
)  # fmt: skip
def test_icmp_numbers_by_family(said, means):
    o = story(f"{THERE}node1 << ICMP {said}")
    assert facts.meaning(o, o.seen[-1]) == means


# -- the ways in and out -----------------------------------------------------------------------------------------


AWAY = "node1 eth0 02:00:00:00:00:01"
OTHER = "02:00:00:00:00:08"


@pytest.mark.parametrize(
    ("came", "left", "entries", "turned", "parted"),
    [
        ("02:00:00:00:00:01", "02:00:00:00:00:01", (AWAY,), False, False),
        ("02:00:00:00:00:01", OTHER, (AWAY,), True, True),
        (OTHER, OTHER, (AWAY,), True, False),
        (OTHER, "02:00:00:00:00:01", (AWAY,), False, True),
        (OTHER, "02:00:00:00:00:01", (f"node1 eth0 {OTHER}",), False, False),
    ],
)
def test_whether_the_answer_took_a_new_way_and_whether_another_than_the_syn(came, left, entries, turned, parted):
    text = THERE.replace("node1 << SYN\n", f"node1 << SYN via {came}\n")
    text = text.replace("node1 >> SYN-ACK\n", f"node1 >> SYN-ACK via {left}\n")
    o = story(text, usual=msgspec.structs.replace(NORMAL, entries=entries), routes=(RIGHT,))
    assert (facts.turned(o), facts.parted(o), facts.came_from(o)) == (turned, parted, came)
    assert not facts.turned(story(text, usual=None)) and not facts.parted(story(text, usual=None)), "nobody knows"


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
    assert (facts.onward(o, o.witnesses(Kind.SYN_ACK)[0]) is not None) is on
    attached = story(INCIDENT, routes=(WRONG, route), names={**NAMES, "10.19.0.2": "node19"})
    assert (facts.onward(attached, attached.witnesses(Kind.SYN_ACK)[0]) is not None) is (
        on or route.prefix == "10.19.0.0/24"
    )


def test_where_a_syn_was_unwrapped_is_where_it_came_in():
    o = story("node1 << SYN within 10.224.0.5>10.224.0.4\nnode1 << SYN on vxlan0", usual=None)
    assert facts.entry(o) == "vxlan0"
    assert [one.outer_src for one in facts.wrapped_syns(o)] == ["10.224.0.5"]
    assert facts.usual_ends(o, "node1") is None


@pytest.mark.parametrize(
    ("after", "meaning"), [(0.2, Error.REFUSES), (1000.5, Error.REFUSES), (1300, Error.NO_HOST), (3050, Error.NO_HOST)]
)
def test_an_error_that_quotes_the_reset_of_a_probe_given_up_came_at_once(after: float, meaning: Error):
    """A router's limit may let the error about the RST through and not the one about the SYN, a second before."""
    sent = "firewall >> SYN after 0.1\nfirewall >> own RST after 1000"
    o = story(f"{sent}\nfirewall << ICMP 3/1 of SYN from {LB} after {after}")
    assert facts.meaning(o, o.saw(Kind.ICMP_SYN)[0]) == meaning
