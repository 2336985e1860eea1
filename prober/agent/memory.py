"""The last sightings of this agent, for questions about the last minute: a ring of rows, the oldest overwritten.

Frames are not kept: what is asked again later is who passed where and when.
"""

from __future__ import annotations

import numpy as np

from prober import segment
from prober.segment import Batch
from prober.sighting import SIGHTING

MOST = 32_768
"""Rows held: some 18 minutes of ten probes a second, eleven seconds of a thousand; 4 MiB when full."""


class Memory:
    """Holds the last `most` rows that were kept."""

    def __init__(self, most: int = MOST) -> None:
        self._rows = np.zeros(most, SIGHTING)
        self._kept = 0

    def __len__(self) -> int:
        """How many rows it holds."""
        return min(self._kept, len(self._rows))

    def keep(self, sightings: Batch) -> None:
        """The newest rows."""
        newest = sightings[-len(self._rows) :]
        at = (self._kept + len(sightings) - len(newest) + np.arange(len(newest))) % len(self._rows)
        segment.put(self._rows, at, newest)
        self._kept += len(sightings)

    def of(self, probes: list[int], since_ns: int) -> Batch:
        """What is held of these probes, seen at ``since_ns`` or later, the oldest first."""
        held = self._rows[: len(self)]
        wanted = np.isin(held["probe"], np.array(probes, np.uint32)) & (held["time_ns"] >= since_ns)
        found = held.take(np.flatnonzero(wanted))
        return found.take(np.argsort(found["time_ns"], kind="stable"))
