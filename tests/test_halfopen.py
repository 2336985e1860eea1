"""Half-open sockets of agents without a tap, matched to probes by their four-tuple."""

from __future__ import annotations

from prober.halfopen import KEPT, MOST, Tables
from prober.handshake import State
from prober.observation import Asked
from prober.probe import Kind
from prober.report import HalfOpen
from prober.sighting import Where

ASKED = Asked("10.19.0.4", "10.224.0.4", 61440, 7007, State.TIMED_OUT)
ROW = HalfOpen("10.19.0.4", 61440, "10.224.0.4", 7007, 5_250_000_000)
KNOWN = frozenset({"10.19.0.4", "10.224.0.4"})


def tables(*rows: HalfOpen) -> Tables:
    made = Tables()
    made.take("node1", list(rows), 100_000_000_000, 105.3)
    return made


def test_the_probes_own_socket_is_a_sighting_at_the_stack():
    seen = tables(ROW).of("node1", ASKED, 105.0)
    assert seen is not None
    assert (seen.agent, seen.kind, seen.where, seen.sealed) == ("node1", Kind.SYN, Where.STACK, False)
    assert (seen.src, seen.dst, seen.sport, seen.dport) == ("10.19.0.4", "10.224.0.4", 61440, 7007)
    assert seen.after_ms == 250.0


def test_another_four_tuple_another_agent_or_an_old_socket_is_none():
    other = HalfOpen("10.19.0.4", 61441, "10.224.0.4", 7007, ROW.seen_ns)
    assert tables(other).of("node1", ASKED, 105.0) is None
    assert tables(ROW).of("node2", ASKED, 105.0) is None
    assert tables(ROW).of("node1", ASKED, 137.0) is None, "its port has gone round since"


def test_a_stranger_on_the_port_may_be_the_probe_behind_a_nat():
    stranger = HalfOpen("192.0.2.1", 1024, "10.224.0.4", 7007, ROW.seen_ns)
    assert tables(stranger).strangers("node1", ASKED, 105.0, KNOWN)
    assert not tables(ROW).strangers("node1", ASKED, 105.0, KNOWN)
    elsewhere = HalfOpen("192.0.2.1", 1024, "10.224.0.4", 443, ROW.seen_ns)
    assert not tables(elsewhere).strangers("node1", ASKED, 105.0, KNOWN)


def test_what_nobody_asked_for_is_let_go():
    made = tables(ROW)
    made.take("node1", [], 0, 105.3 + KEPT + 1)
    assert made.found["node1"] == {}
    made.take("node1", [HalfOpen("10.0.0.1", n % 65536, "10.224.0.4", 7007, n) for n in range(MOST + 10)], 0, 200.0)
    assert len(made.found["node1"]) == MOST
