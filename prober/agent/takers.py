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


class Takers:
    """The SYNs that wait for an answer, by four-tuple."""

    def __init__(self) -> None:
        self._waiting: dict[halfopen.Flow, Any] = {}

    def hear(self, sightings: Batch, own: frozenset[str]) -> None:
        """The host's sightings; `own` are its addresses."""
        for row in sightings[np.isin(sightings["kind"], (Kind.SYN, Kind.SYN_ACK, Kind.RST))]:
            if row["where"] != Where.NIC:
                continue
            if row["kind"] == Kind.SYN_ACK:
                self._waiting.pop(_flow(row, backwards=True), None)
            elif row["way"] == IN and (flow := _flow(row))[2] in own:
                if row["kind"] == Kind.SYN:
                    self._waiting[flow] = row.copy()
                    if len(self._waiting) > MOST:
                        del self._waiting[next(iter(self._waiting))]
                else:
                    self._waiting.pop(flow, None)

    def look(self, now_ns: int) -> Batch:
        """The SYNs that TCP has taken since they were last looked for, as sightings; no look where none waits."""
        old = [flow for flow, row in self._waiting.items() if now_ns - int(row["time_ns"]) > GIVE_UP_NS]
        for flow in old:
            del self._waiting[flow]
        if not self._waiting:
            return np.zeros(0, SIGHTING)
        taken = [self._waiting.pop(flow) for flow in halfopen.read() & self._waiting.keys()]
        rows = np.array(taken, SIGHTING) if taken else np.zeros(0, SIGHTING)
        rows["where"], rows["way"], rows["time_ns"] = Where.STACK, IN, now_ns
        return rows


def _flow(row: Any, backwards: bool = False) -> halfopen.Flow:
    source = str(segment.address(row["src_hi"], row["src_lo"])), int(row["sport"])
    target = str(segment.address(row["dst_hi"], row["dst_lo"])), int(row["dport"])
    return (*target, *source) if backwards else (*source, *target)
