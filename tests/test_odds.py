"""Exact odds, against counting every case."""

from __future__ import annotations

from itertools import combinations, pairwise
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober import odds


def by_counting(groups):
    """Every way of dealing the losses, one by one."""
    sizes, lost = [n for n, _ in groups], sum(k for _, k in groups)
    seats = [index for index, size in enumerate(sizes) for _ in range(size)]
    wanted = sum(map(odds.is_mixed, groups))
    hits = 0
    for dealt in combinations(range(len(seats)), lost):
        counts = [0] * len(sizes)
        for seat in dealt:
            counts[seats[seat]] += 1
        hits += sum(map(odds.is_mixed, zip(sizes, counts, strict=True))) <= wanted
    return hits / comb(len(seats), lost)


group = st.integers(1, 3).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


@given(st.lists(group, min_size=1, max_size=5))
def test_purity_is_what_counting_every_case_gives(groups):
    assert odds.of_purity(groups) == pytest.approx(by_counting(groups))


def test_a_dead_leg_of_24_flows_asked_three_times_is_no_chance():
    assert odds.of_purity([(3, 3)] * 6 + [(3, 0)] * 18) == pytest.approx(comb(24, 6) / comb(72, 18))
    assert odds.of_purity([(3, 1)] * 18 + [(3, 0)] * 6) == pytest.approx(1.0)


@given(st.lists(st.booleans(), min_size=2, max_size=10))
def test_spells_are_what_counting_every_order_gives(passed):
    good, size = sum(passed), len(passed)
    mine = odds.spells(passed)
    assert mine == 1 + sum(a != b for a, b in pairwise(passed))
    orders = [[index in chosen for index in range(size)] for chosen in combinations(range(size), good)]
    assert odds.of_spells(passed) == pytest.approx(sum(odds.spells(one) <= mine for one in orders) / len(orders))


def test_neighbours_by_chance():
    assert odds.of_neighbours(4, 2) == 0.5  # 12, 23, 34 of the six pairs
    assert odds.of_neighbours(24, 12) < 1e-5


def test_passes_in_a_row_that_end_a_suspicion():
    assert [odds.in_a_row(rate) for rate in (0.0, 0.25, 0.3, 0.5, 0.9, 1.0)] == [1, 25, 20, 10, 3, 1]


def test_so_many_losses_are_a_binomials_tail():
    assert odds.of_so_many(4, 3, 0.01) == pytest.approx(4 * 0.01**3 * 0.99 + 0.01**4)
    assert odds.of_so_many(9, 0, 0.3) == pytest.approx(1.0)
    assert odds.of_so_many(0, 1, 0.3) == 0
