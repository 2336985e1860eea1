"""Counts by the minute."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from prober.store.engine import Store
from prober.store.minutes import (
    Minute,
    add_minutes,
    add_objective_minutes,
    objective_minutes,
    pair_minutes,
    prune_minutes,
    put_objective_minutes,
    roll_objective_minutes,
)


def test_counts_add_up_within_a_minute(store: Store) -> None:
    add_minutes(store, [Minute("lb", "ingress", 60, 10, 9, 1, 4500), Minute("lb", "ingress", 120, 1, 1, 0, 400)])
    add_minutes(store, [Minute("lb", "ingress", 60, 5, 5, 0, 2000), Minute("vm", "ingress", 60, 1, 0, 1, 0)])
    assert pair_minutes(store, "lb", "ingress", 0) == [
        Minute("lb", "ingress", 60, 15, 14, 1, 6500),
        Minute("lb", "ingress", 120, 1, 1, 0, 400),
    ]
    assert [row.minute for row in pair_minutes(store, "lb", "ingress", 61)] == [120]


def test_the_same_minute_twice_in_one_batch_counts_twice(store: Store) -> None:
    add_objective_minutes(store, [("web", 60, 1, 2), ("web", 60, 3, 4)])
    assert objective_minutes(store) == [("web", 60, 4, 6)]


def test_put_takes_the_place_of_what_was_there(store: Store) -> None:
    put_objective_minutes(store, [("web", 60, 1, 2), ("db", 60, 1, 1)])
    put_objective_minutes(store, [("web", 60, 5, 7), ("web", 120, 1, 1)])
    assert objective_minutes(store) == [("db", 60, 1, 1), ("web", 60, 5, 7), ("web", 120, 1, 1)]
    assert objective_minutes(store, since=61) == [("web", 120, 1, 1)]


def test_nothing_to_write_is_nothing(store: Store) -> None:
    add_minutes(store, [])
    put_objective_minutes(store, iter([]))
    assert objective_minutes(store) == []


def test_adding_from_many_threads_loses_no_count(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: add_objective_minutes(store, [("web", 60, 1, 2)]), range(40)))
    assert objective_minutes(store) == [("web", 60, 40, 80)]


def test_old_minutes_go(store: Store) -> None:
    add_minutes(store, [Minute("lb", "ingress", minute, 1, 1, 0, 1) for minute in (60, 120)])
    add_objective_minutes(store, [("web", 60, 1, 1), ("web", 120, 1, 1)])
    assert prune_minutes(store, before=120) == 2
    assert objective_minutes(store) == [("web", 120, 1, 1)]
    assert [row.minute for row in pair_minutes(store, "lb", "ingress", 0)] == [120]


def test_old_minutes_of_objectives_become_hours_and_nothing_is_lost(store: Store) -> None:
    rows = [("a", minute, 1, 2) for minute in (0, 60, 3540, 3600, 3660, 7200, 7260)] + [("b", 120, 5, 5)]
    put_objective_minutes(store, rows)
    for _ in range(2):
        roll_objective_minutes(store, 7300)
        assert [tuple(row) for row in objective_minutes(store)] == [
            ("a", 0, 3, 6), ("a", 3600, 2, 4), ("a", 7200, 1, 2), ("a", 7260, 1, 2), ("b", 0, 5, 5),
        ]  # fmt: skip
    put_objective_minutes(store, [("a", 60, 7, 7)])
    assert roll_objective_minutes(store, 7300) == 1
    assert tuple(objective_minutes(store)[0]) == ("a", 0, 10, 13)
