"""A responder that may not capture: its half-open sockets, its routes and its counters say less, and never wrongly."""

from __future__ import annotations

import pytest

from prober.classify import classify
from prober.handshake import State
from prober.observation import Observation
from prober.report import Route
from prober.verdict import Cause, Confidence, Label
from tests.stories import FIREWALL, NODE1, NODE19, NORMAL, RIGHT, said, story

SENT = "firewall >> SYN"
TOOK = "firewall >> SYN\nnode1/stack << SYN"
HERE = Route("node1", FIREWALL, NODE1, "", "0.0.0.0/0", "10.224.0.1", "eth0")
WRONG = Route("node1", FIREWALL, NODE1, "", "10.19.0.0/16", NODE19, "eth0")


def untapped(text: str, *routes: Route, state: State = State.TIMED_OUT, **counters: int) -> Observation:
    return story(text, state, dst=NODE1, untapped=("node1",), routes=routes, counters=counters, usual=NORMAL)


def test_a_syn_that_its_tcp_took_died_on_the_way_back():
    verdict = classify(untapped(TOOK, HERE))
    assert (verdict.label, verdict.confidence) == (Label.RETURN_PATH_LOSS, Confidence.INFERRED)
    assert "nobody captures on node1" in verdict.sentence


def test_its_routing_table_names_the_wrong_way():
    assert said(untapped(TOOK, WRONG)) == "return-path-misroute R1b inferred"
    assert said(untapped(TOOK + "\nnode19 << SYN-ACK ttl 62", WRONG)) == "return-path-misroute R1b likely"


def test_a_syn_that_its_tcp_never_took_died_on_the_way_in():
    verdict = classify(untapped(SENT, HERE))
    assert (verdict.label, verdict.confidence) == (Label.INGRESS_DROP, Confidence.INFERRED)
    assert "own firewall" in verdict.sentence


def test_a_full_queue_and_a_missing_route_are_named():
    assert said(untapped(SENT, HERE, TcpExtListenOverflows=1, TcpExtListenDrops=1)) == "target T3 inferred"
    hole = Route("node1", FIREWALL, NODE1, "", "10.19.0.0/24", type="blackhole", error="EINVAL")
    assert said(untapped(SENT, hole)) == "return-path-loss R6 inferred"


@pytest.mark.parametrize(
    ("routes", "counters"),
    [
        ((), {}),
        ((HERE,), {"TcpExtListenDrops": 1}),
        ((HERE,), {"TcpExtIPReversePathFilter": 1}),
        ((HERE,), {"IpOutNoRoutes": 1}),
        ((WRONG,), {}),
        ((Route("node1", FIREWALL, NODE1, "", f"{FIREWALL}/32", dev="lo", type="local"),), {}),
    ],
    ids=[
        "no route told",
        "an error ended a socket",
        "rp_filter",
        "no route meanwhile",
        "a wrong way back",
        "its own address",
    ],
)
def test_where_either_direction_fits_none_is_named(routes: tuple[Route, ...], counters: dict[str, int]):
    assert said(untapped(SENT, *routes, **counters)) == "unknown ambiguous"


def test_a_closed_port_is_told_by_its_listening_sockets_and_the_ttl():
    def answer(ttl: int, there: bool) -> str:
        told = Route("node1", NODE1, type="", table="", port=8080, listening=there)
        return said(untapped(f"{SENT}\nfirewall << RST ttl {ttl}", told, state=State.REFUSED))

    assert answer(62, False) == "target T1 likely"
    assert answer(64, False) == "ingress-drop F2 inferred", "it came from nearer than the target's answers used to"
    assert answer(62, True) == "target T1 inferred"


def test_with_a_tap_these_rules_say_nothing():
    tapped = story("firewall >> SYN\nnode1 << SYN\nnode1/stack << SYN\nnode1 >> SYN-ACK", dst=NODE1, routes=(RIGHT,))
    assert classify(tapped).confidence == Confidence.LIKELY
    assert classify(tapped).cause == Cause.R5
