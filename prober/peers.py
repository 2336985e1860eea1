"""Whom a target answered around the time of a probe that it did not answer: what meets every source is no rule for one.

A target that only began to answer afterwards may have been healed meanwhile, so it must have answered before as well.
Times are the controller's monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from prober.segment import Batch

BEFORE = 2.5
"""Seconds before a probe in which another source's answered one shows that the target answered until then."""
MOST = 256
"""Answered probes of a target that are remembered."""


class Peers:
    """The answered probes of each target: when they were sent, and by whom.

    A column a target, the newest in the place of the oldest: a large fleet has a hundred thousand a second, and those
    of one report stand side by side.
    """

    def __init__(self) -> None:
        self._columns, self._sources = dict[str, int](), dict[str, int]()
        self._sent, self._source = np.full((MOST, 0), -np.inf), np.zeros((MOST, 0), np.int32)
        self._count = np.zeros(0, np.int64)

    def answered(self, target: str, source: str, sent: float) -> None:
        """A probe of this target was answered."""
        column = self._columns.get(target)
        if column is None:
            [column] = self._columns_of((target,))
        slot = int(self._count[column]) % MOST
        self._sent[slot, column], self._source[slot, column] = sent, self._number(source)
        self._count[column] += 1

    def all_answered(self, targets: Sequence[str], source: str, sent: Batch) -> None:
        """One probe of each of these targets was answered; of one that is there twice the later stands."""
        columns = np.array(self._columns_of(targets), np.int64)
        slots = self._count[columns] % MOST
        self._sent[slots, columns], self._source[slots, columns] = sent, self._number(source)
        self._count[columns] += 1

    def _number(self, source: str) -> int:
        return self._sources.setdefault(source, len(self._sources))

    def _columns_of(self, targets: Sequence[str]) -> list[int]:
        columns = [self._columns.setdefault(one, len(self._columns)) for one in targets]
        if len(self._columns) > len(self._count):
            more = max(len(self._columns), 2 * len(self._count)) - len(self._count)
            self._sent = np.hstack([self._sent, np.full((MOST, more), -np.inf)])
            self._source = np.hstack([self._source, np.zeros((MOST, more), np.int32)])
            self._count = np.hstack([self._count, np.zeros(more, np.int64)])
        return columns

    def of(self, target: str, source: str, sent: float) -> tuple[str, ...]:
        """The other sources answered since a probe was sent, where some were answered shortly before it, too."""
        if (column := self._columns.get(target)) is None:
            return ()
        then, by = self._sent[:, column], self._source[:, column]
        others = by != self._sources.get(source, -1)
        if not (others & (sent - BEFORE <= then) & (then < sent)).any():
            return ()
        since = set(by[others & (then >= sent)].tolist())
        return tuple(sorted(name for name, number in self._sources.items() if number in since))
