"""Exact odds: could this pattern of losses be chance? No normal law is assumed, so a bound holds for few probes, too.

All are conditional on how many were lost, so they need no guess at a rate: under pure chance every way of dealing the
losses among the attempts is as likely as any other (Fisher's exact test is the same idea).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, comb, log
from typing import Any

import numpy as np
import numpy.typing as npt

Tally = tuple[int, int]
"""Attempts, and how many of them were lost."""


Row = npt.NDArray[Any]


def is_mixed(tally: Tally) -> bool:
    """True where some attempts of a group were lost and some were not."""
    return 0 < tally[1] < tally[0]


def of_purity(groups: Sequence[Tally]) -> float:
    """How likely chance alone leaves no more groups mixed than these: 24 groups of 3 with 18 lost, 6 whole: 3e-12.

    A dead leg loses all of a flow's attempts or none. Whatever the loss rate, chance makes a pattern whose odds are
    below a in no more than a of all cases.
    """
    total, lost, mixed = sum(n for n, _ in groups), sum(k for _, k in groups), sum(map(is_mixed, groups))
    if lost in (0, total):
        return 1.0
    rate = lost / total  # any rate gives the same odds, and with this one no number becomes too large or too small
    ways = np.zeros((mixed + 1, lost + 1))  # by mixed groups so far (no more than that many), by losses so far
    everything = np.zeros((1, lost + 1))
    ways[0, 0] = everything[0, 0] = 1.0
    for size, _ in groups:
        weights = np.array([comb(size, k) * rate**k * (1.0 - rate) ** (size - k) for k in range(size + 1)])
        pure = np.where(np.isin(np.arange(size + 1), (0, size)), weights, 0.0)
        one_more = _plus(ways[:-1], weights - pure)
        ways = _plus(ways, pure)
        ways[1:] += one_more
        everything = _plus(everything, weights)
    return float(ways[:, lost].sum() / everything[0, lost])


def _plus(ways: Row, weights: Row) -> Row:
    """One more group: its losses added to those so far, in each row."""
    return np.array([np.convolve(row, weights)[: len(row)] for row in ways]).reshape(ways.shape)


def spells(passed: Sequence[bool]) -> int:
    """How many unbroken spells of passing or failing there are, one after the other."""
    return sum(index == 0 or one != passed[index - 1] for index, one in enumerate(passed))


def of_spells(passed: Sequence[bool]) -> float:
    """How likely chance alone makes so few spells of so many attempts (Wald and Wolfowitz' runs, exactly, one tail)."""
    good = sum(passed)
    bad = len(passed) - good
    if not good or not bad:
        return 1.0
    ways = 0
    for count in range(2, spells(passed) + 1):
        half, odd = divmod(count, 2)
        if odd:
            ways += comb(good - 1, half) * comb(bad - 1, half - 1) + comb(good - 1, half - 1) * comb(bad - 1, half)
        else:
            ways += 2 * comb(good - 1, half - 1) * comb(bad - 1, half - 1)
    return ways / comb(len(passed), good)


def of_neighbours(total: int, chosen: int) -> float:
    """How likely `chosen` of `total` in a row are next to each other, picked by chance."""
    return (total - chosen + 1) / comb(total, chosen)


def of_so_many(total: int, lost: int, rate: float) -> float:
    """How likely at least `lost` of `total` are lost where each is with probability `rate`: a binomial's upper tail."""
    return sum(comb(total, k) * rate**k * (1.0 - rate) ** (total - k) for k in range(lost, total + 1))


def in_a_row(rate: float, risk: float = 1e-3) -> int:
    """How many in a row must pass before a fault that loses `rate` of them has gone, but for this `risk`."""
    if not 0.0 < rate < 1.0:
        return 1
    return max(1, ceil(log(risk) / log(1.0 - rate)))
