"""The SYNs that this host's own TCP took, told by its half-open sockets."""

from __future__ import annotations

import time

import numpy as np
import pytest

from prober import segment
from prober.agent import takers
from prober.agent.takers import GIVE_UP_NS, Table, Takers
from prober.host import halfopen
from prober.probe import Kind
from prober.report import HalfOpen
from prober.segment import IN, OUT
from prober.sighting import SIGHTING, Where

OWN = frozenset({"10.4.0.1"})


def sighting(kind: Kind, way: int = IN, port: int = 61440, where: Where = Where.NIC, time_ns: int = 0) -> np.ndarray:
    """A prober's segment towards 10.4.0.1:8080, or (a SYN-ACK) back."""
    row = np.zeros(1, SIGHTING)
    ends = [("10.19.0.4", port), ("10.4.0.1", 8080)]
    (src, sport), (dst, dport) = ends if kind != Kind.SYN_ACK else ends[::-1]
    row["src_hi"], row["src_lo"] = segment.pair(src)
    row["dst_hi"], row["dst_lo"] = segment.pair(dst)
    row["sport"], row["dport"], row["kind"], row["way"], row["where"] = sport, dport, kind, way, where
    row["time_ns"] = time_ns or time.time_ns()
    return row


FLOW = ("10.19.0.4", 61440, "10.4.0.1", 8080)


@pytest.fixture
def half_open(monkeypatch: pytest.MonkeyPatch) -> list[set[tuple[str, int, str, int]]]:
    """What the kernel's table shows at each look; a look that is not foreseen fails."""
    looks: list[set[tuple[str, int, str, int]]] = []
    monkeypatch.setattr("prober.host.halfopen.read", lambda: looks.pop(0))
    return looks


def test_a_syn_among_the_half_open_sockets_is_told_once_as_taken(half_open: list[set[object]]) -> None:
    half_open.append({FLOW})
    one = Takers()
    one.hear(sighting(Kind.SYN), OWN)
    taken = one.look(time.time_ns())
    assert (taken["where"].tolist(), taken["way"].tolist()) == ([Where.STACK], [IN])
    assert len(one.look(time.time_ns())) == 0


def test_a_syn_that_is_not_there_yet_is_looked_for_again(half_open: list[set[object]]) -> None:
    half_open += [set(), {FLOW}]
    one = Takers()
    one.hear(sighting(Kind.SYN), OWN)
    assert [len(one.look(time.time_ns())) for _ in range(2)] == [0, 1]


@pytest.mark.parametrize(
    "then", [sighting(Kind.SYN_ACK, OUT), sighting(Kind.RST)], ids=["it was answered", "it was closed"]
)
def test_what_is_over_is_not_looked_for(half_open: list[set[object]], then: np.ndarray) -> None:
    one = Takers()
    one.hear(np.concatenate([sighting(Kind.SYN), then]), OWN)
    assert len(one.look(time.time_ns())) == 0


def test_what_is_not_this_hosts_own_or_too_old_is_not_looked_for(half_open: list[set[object]]) -> None:
    one = Takers()
    one.hear(sighting(Kind.SYN), frozenset({"10.4.0.2"}))
    one.hear(sighting(Kind.SYN, OUT), OWN)
    one.hear(sighting(Kind.SYN, where=Where.POD), OWN)
    one.hear(sighting(Kind.SYN, time_ns=time.time_ns() - GIVE_UP_NS - 1), OWN)
    assert len(one.look(time.time_ns())) == 0


def test_a_flood_of_syns_is_bounded(half_open: list[set[object]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takers, "MOST", 10)
    half_open.append({("10.19.0.4", port, "10.4.0.1", 8080) for port in range(1000, 1100)})
    one = Takers()
    for port in range(1000, 1100):
        one.hear(sighting(Kind.SYN, port=port), OWN)
    assert sorted(one.look(time.time_ns())["sport"].tolist()) == list(range(1090, 1100))


def test_an_agent_without_a_tap_reports_what_is_new_among_its_half_open_sockets(monkeypatch):
    there: set[halfopen.Flow] = {("10.0.0.1", 61440, "10.0.0.2", 7007), ("10.0.0.1", 1, "10.0.0.2", 22)}
    monkeypatch.setattr(halfopen, "read", lambda: there)
    table = Table()
    assert table.look(5, lambda _, port: port == 7007) == [HalfOpen("10.0.0.1", 61440, "10.0.0.2", 7007, 5)]
    assert table.look(6, lambda _, port: port == 7007) == [], "it was there before"
    there = set()
    assert table.look(7, lambda _, port: port == 7007) == []
    there = {("10.0.0.1", 61440, "10.0.0.2", 7007)}
    assert [one.seen_ns for one in table.look(8, lambda _, port: port == 7007)] == [8]
