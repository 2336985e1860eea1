"""The rectangles that zones cut out of a matrix of numbers, each summed into one.

The zones of rows and columns stand together: a name comes up in one run of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from prober.segment import Batch


class Blocks:
    """`rows` and `columns` are each row's and each column's zone."""

    def __init__(self, rows: list[str], columns: list[str]) -> None:
        self._rows, self._columns, self._height = _starts(rows), _starts(columns), len(rows)

    def __iter__(self) -> Iterator[tuple[tuple[int, int], tuple[str, str]]]:
        """Where each rectangle stands in what `total` and `least` give, and its zones."""
        for r, row in enumerate(self._rows.values()):
            for c, column in enumerate(self._columns.values()):
                yield (r, c), (row, column)

    def total(self, values: Batch) -> Batch:
        """The sum of each rectangle, or how many are true in it, as int64."""
        return self._reduced(np.add, values, np.int64)

    def least(self, values: Batch) -> Batch:
        """The least number of each rectangle."""
        return self._reduced(np.minimum, values)

    def _reduced(self, ufunc: np.ufunc, values: Batch, kind: type | None = None) -> Batch:
        """Rows first, which lie in one piece and are reduced several at a time."""
        bounds = [*self._rows, self._height]
        by_row = [ufunc.reduce(values[first:end], axis=0, dtype=kind) for first, end in pairwise(bounds)]
        return ufunc.reduceat(np.stack(by_row), list(self._columns), axis=1)


def _starts(zones: list[str]) -> dict[int, str]:
    """Where each run of one zone begins."""
    return {at: zone for at, zone in enumerate(zones) if at == 0 or zones[at - 1] != zone}
