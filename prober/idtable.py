"""Ids -> rows, many at a time: a hash table whose every step is a numpy operation over all that are still looking.

Open addressing with linear probing (Knuth, TAOCP 3, 6.4), at most a quarter full. Nothing is taken out: whoever
wants to forget makes another one.
"""

from __future__ import annotations

import numpy as np

from prober.segment import Batch

_GOLDEN = np.uint32(0x9E3779B1)
"""Multiplicative hashing, by the golden ratio of 2**32."""


class IdTable:
    """Room for `most` ids of 32 bits; rows are numbers from 0 on."""

    def __init__(self, most: int) -> None:
        bits = max(4, (4 * most - 1).bit_length())
        self._shift, self._mask = np.uint32(32 - bits), (1 << bits) - 1
        self._ids, self._rows = np.zeros(1 << bits, np.uint32), np.full(1 << bits, -1, np.int32)

    def put(self, ids: Batch, rows: Batch) -> None:
        """Ids that are different from each other and not there yet, each with a row of its own."""
        at, left = self._home(ids), np.arange(len(ids))
        while len(left):
            place = at[left]
            free = left[self._rows[place] < 0]
            self._rows[at[free]] = rows[free]  # of several for one place the last stays
            won = free[self._rows[at[free]] == rows[free]]
            self._ids[at[won]] = ids[won]
            lost = np.ones(len(ids), bool)
            lost[won] = False
            left = left[lost[left]]
            at[left] = (at[left] + 1) & self._mask

    def find(self, ids: Batch) -> Batch:
        """The row of each id, -1 where it is not there."""
        found, at, left = np.full(len(ids), -1, np.int64), self._home(ids), np.arange(len(ids))
        while len(left):
            rows = self._rows[at]
            same = (rows >= 0) & (self._ids[at] == ids[left])
            found[left[same]] = rows[same]
            on = (rows >= 0) & ~same
            left, at = left[on], (at[on] + 1) & self._mask
        return found

    def _home(self, ids: Batch) -> Batch:
        home: Batch = ((np.asarray(ids, np.uint32) * _GOLDEN) >> self._shift).astype(np.int64)
        return home
