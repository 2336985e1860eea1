"""The last rows are held, and no more than there is room for."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prober.agent.memory import Memory
from prober.sighting import SIGHTING


def rows(numbers, at_ns=None):
    batch = np.zeros(len(numbers), SIGHTING)
    batch["probe"] = numbers
    batch["time_ns"] = numbers if at_ns is None else at_ns
    return batch


@given(st.lists(st.integers(0, 25), max_size=20))
def test_whatever_is_kept_in_whatever_portions_the_last_ten_are_held(sizes):
    memory, number, every = Memory(10), 0, []
    for size in sizes:
        portion = list(range(number, number + size))
        memory.keep(rows(portion))
        every += portion
        number += size
    assert len(memory) == min(10, len(every))
    assert memory.of(list(range(number)), 0)["probe"].tolist() == every[-10:]


def test_only_what_is_asked_for_and_late_enough_is_told_in_order_of_time():
    memory = Memory(10)
    memory.keep(rows([7, 8, 7, 7], at_ns=[30, 40, 10, 50]))
    assert memory.of([7], 20)["time_ns"].tolist() == [30, 50]
    assert len(memory.of([9], 0)) == len(memory.of([], 0)) == 0
