"""Every id that was put is found at its row, and no other is."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prober.idtable import IdTable


def filled(ids):
    table = IdTable(max(1, len(ids)))
    table.put(np.array(ids, np.uint32), np.arange(len(ids)))
    return table


@given(st.lists(st.integers(0, 2**32 - 1), unique=True, max_size=300), st.lists(st.integers(0, 2**32 - 1), max_size=50))
def test_what_was_put_is_found_and_nothing_else(ids, others):
    table = filled(ids)
    assert table.find(np.array(ids, np.uint32)).tolist() == list(range(len(ids)))
    wanted = [ids.index(one) if one in ids else -1 for one in others]
    assert table.find(np.array(others, np.uint32)).tolist() == wanted


def test_ids_that_all_want_the_same_place_find_one_each():
    inverse = pow(0x9E3779B1, -1, 2**32)
    ids = [number * inverse % 2**32 for number in range(200)]  # their hashes are 0 to 199: one place for all
    table = filled(ids[:150])
    assert table.find(np.array(ids, np.uint32)).tolist() == [*range(150), *[-1] * 50]


def test_more_may_be_put_later_and_the_same_id_may_be_asked_for_twice():
    table = IdTable(10)
    for row in range(10):
        table.put(np.array([row * 7], np.uint32), np.array([row]))
    assert table.find(np.array([14, 14, 63, 1], np.uint32)).tolist() == [2, 2, 9, -1]


def test_a_million_ids_of_one_agent():
    ids = np.random.default_rng(5).permutation(1 << 20).astype(np.uint32) | np.uint32(7 << 20)
    table = filled(ids[: 1 << 19])
    found = table.find(ids)
    assert (found[: 1 << 19] == np.arange(1 << 19)).all()
    assert (found[1 << 19 :] == -1).all()
