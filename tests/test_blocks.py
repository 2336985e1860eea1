"""Each rectangle of zones as one number, against plain loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prober.blocks import Blocks


def test_a_rectangle_is_summed_counted_and_its_least_is_found() -> None:
    blocks = Blocks(["a", "a", "b"], ["x", "y", "y"])
    values = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]], np.uint32)
    assert [zones for _, zones in blocks] == [("a", "x"), ("a", "y"), ("b", "x"), ("b", "y")]
    assert blocks.total(values).tolist() == [[5, 16], [7, 17]]
    assert blocks.total(values > 4).tolist() == [[0, 2], [1, 2]]
    assert blocks.least(values).tolist() == [[1, 2], [7, 8]]


def test_a_sum_is_wider_than_what_is_summed() -> None:
    assert Blocks(["a"], ["x", "x"]).total(np.full((1, 2), 2**32 - 1, np.uint32)).tolist() == [[2**33 - 2]]


RUNS = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(
    lambda each: [f"z{i}" for i, n in enumerate(each) for _ in range(n)]
)


@given(RUNS, RUNS, st.integers(0, 2**31))
def test_every_number_is_in_one_rectangle(rows: list[str], columns: list[str], seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 100, (len(rows), len(columns)))
    blocks = Blocks(rows, columns)
    total, least = blocks.total(values), blocks.least(values)
    for at, (row, column) in blocks:
        own = values[[one == row for one in rows]][:, [one == column for one in columns]]
        assert (total[at], least[at]) == (own.sum(), own.min())
