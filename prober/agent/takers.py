"""Which SYNs this host's own TCP took: the place between "it reached the NIC" and "an answer left".

A SYN that came in for one of the host's own addresses and was not answered is looked up among the half-open sockets
until it is answered, closed, or too old. What is found there becomes a sighting at the `STACK`. An agent that may not
capture has no SYN to look up: it reports what is new in the `Table`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from prober import segment
from prober.host import halfopen
from prober.probe import Kind
from prober.report import HalfOpen
from prober.segment import IN, Batch
from prober.sighting import SIGHTING, Where

_SYN, _SYN_ACK, _RST, _CHALLENGE, _NIC = (
    int(one) for one in (Kind.SYN, Kind.SYN_ACK, Kind.RST, Kind.CHALLENGE, Where.NIC)
)
"""As numbers: numpy asks an enum's member for a dozen attributes before it takes it for one."""
GIVE_UP_NS = 3_000_000_000
MOST = 4096
"""SYNs that wait at most; beyond that the oldest is let go."""


class Table:
    """The half-open sockets themselves, for an agent that captures nothing: what is new since the last look."""

    def __init__(self) -> None:
        self._known: set[halfopen.Flow] = set()

    def look(self, now_ns: int, allowed: Callable[[str, int], bool]) -> list[HalfOpen]:
        """Those that came up on addresses and ports that may be probed, `MOST` at most."""
        there = {flow for flow in halfopen.read() if allowed(*flow[2:])}
        new, self._known = there - self._known, there
        return [HalfOpen(*flow, now_ns) for flow in sorted(new)[:MOST]]


Numbers = tuple[int, ...]
"""A four-tuple as the columns have it: source hi, lo, port, destination hi, lo, port."""

_SOURCE, _TARGET = ("src_hi", "src_lo", "sport"), ("dst_hi", "dst_lo", "dport")


class Takers:
    """The SYNs that wait for an answer, by four-tuple."""

    def __init__(self) -> None:
        self._waiting: dict[Numbers, Any] = {}

    def hear(self, sightings: Batch, own: frozenset[str]) -> None:
        """The host's sightings; `own` are its addresses."""
        if not len(sightings):
            return
        kind, at_nic = sightings["kind"], sightings["where"] == _NIC
        told = (kind == _SYN_ACK) | (kind == _CHALLENGE)  # a bare ACK: the socket is an older SYN's
        answers = at_nic & told & _among(sightings, "src", own)
        arrivals = at_nic & ((kind == _SYN) | (kind == _RST)) & (sightings["way"] == IN)
        wanted = np.flatnonzero(answers | (arrivals & _among(sightings, "dst", own)))
        if not len(wanted):
            return
        rows = sightings.take(wanted)
        sources, targets = (rows[list(names)].tolist() for names in (_SOURCE, _TARGET))
        for at, (kind, source, target) in enumerate(zip(rows["kind"].tolist(), sources, targets, strict=True)):
            if kind != _SYN:
                self._waiting.pop((*source, *target) if kind == _RST else (*target, *source), None)
                continue
            self._waiting[*source, *target] = rows[at].copy()
            if len(self._waiting) > MOST:
                del self._waiting[next(iter(self._waiting))]

    def look(self, now_ns: int) -> Batch:
        """The SYNs that TCP has taken since they were last looked for, as sightings; no look where none waits."""
        old = [flow for flow, row in self._waiting.items() if now_ns - int(row["time_ns"]) > GIVE_UP_NS]
        for flow in old:
            del self._waiting[flow]
        if not self._waiting:
            return np.zeros(0, SIGHTING)
        named = {_named(flow): flow for flow in self._waiting}
        taken = [self._waiting.pop(named[flow]) for flow in halfopen.read() & named.keys()]
        rows = np.array(taken, SIGHTING) if taken else np.zeros(0, SIGHTING)
        rows["where"], rows["way"], rows["time_ns"] = Where.STACK, IN, now_ns
        return rows


def _among(sightings: Batch, end: str, own: frozenset[str]) -> Batch:
    """A mask: that end's address is one of these."""
    mask = np.zeros(len(sightings), bool)
    for hi, lo in map(segment.pair, own):
        mask |= (sightings[f"{end}_hi"] == hi) & (sightings[f"{end}_lo"] == lo)
    return mask


def _named(flow: Numbers) -> halfopen.Flow:
    source, target = (str(segment.address(*flow[at : at + 2])) for at in (0, 3))
    return source, flow[2], target, flow[5]
