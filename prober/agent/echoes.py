"""Copies of an answer that this host has given, or should have: the way back, swept from its own end.

The controller names a probe, by its id, and TTLs. Nothing is sent but for a SYN that this agent has itself seen come
in within the last minute, back to where that SYN came from, and only so many: whoever speaks for the controller can
make an agent say nothing to anybody who has not asked it.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from prober import probe, segment
from prober.probe import Kind
from prober.report import MOST_COPIED, Echo
from prober.segment import IN, Batch
from prober.sighting import Where

MEMORY_NS = 60_000_000_000
MOST = 8192
"""SYNs that are remembered at most; the oldest go."""
MOST_COPIES = 16
"""Copies of one answer at most."""


class Echoes:
    """The SYNs that came in lately."""

    def __init__(self) -> None:
        self._seen: deque[Batch] = deque()
        self._count = 0

    def hear(self, sightings: Batch) -> None:
        """What this agent's tap has recognised."""
        asked = (sightings["kind"] == int(Kind.SYN)) & (sightings["way"] == IN) & (sightings["where"] == int(Where.NIC))
        rows = sightings[asked & sightings["sealed"]]
        if len(rows):
            self._seen.append(rows)
            self._count += len(rows)
        while self._count > MOST and len(self._seen) > 1:
            self._count -= len(self._seen.popleft())

    def segments(self, wanted: list[Echo], now_ns: int) -> tuple[Batch, list[str]]:
        """The copies to send, and why others are not."""
        rows, refused, room = [], [], MOST_COPIED
        for one in wanted:
            found = self._find(one.probe, now_ns)
            if not one.ttls or len(one.ttls) > min(MOST_COPIES, room) or not all(1 <= ttl <= 64 for ttl in one.ttls):
                refused.append(f"refused to copy an answer {len(one.ttls)} times: a sweep has 1 to {MOST_COPIES} TTLs")
            elif found is None:
                refused.append(f"refused to copy an answer: no SYN of probe {one.probe:#010x} came here lately")
            else:
                room -= len(one.ttls)
                rows.append(probe.echo(found, one.ttls))
        return np.concatenate(rows) if rows else segment.empty(), refused

    def _find(self, number: int, now_ns: int) -> Batch | None:
        for rows in reversed(self._seen):
            mine: Batch = rows[(rows["probe"] == number) & (rows["time_ns"] > now_ns - MEMORY_NS)]
            if len(mine):
                return mine[:1]
        return None
