"""What was acknowledged is stored, once."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prober.errors import Refused
from prober.store import reports, schema
from prober.store.engine import Store, open_store
from prober.store.reports import Gap, after, append, last, prune, prune_gaps, recent_reports, take, take_many, told_gaps


def names(store: Store) -> list[tuple[str, int, int]]:
    return [(row.agent, row.epoch, row.sequence) for row in recent_reports(store, 0)]


def test_a_report_is_new_once(store: Store) -> None:
    assert take(store, "lb", 7, 1, 100, b"first")
    assert not take(store, "lb", 7, 1, 200, b"again")
    assert [tuple(row) for row in recent_reports(store, 0)] == [("lb", 7, 1, 100, b"first")]


def test_another_epoch_or_agent_is_another_report(store: Store) -> None:
    assert take_many(store, [("lb", 1, 1, 1, b""), ("lb", 2, 1, 1, b""), ("vm", 1, 1, 1, b"")]) == [True] * 3


def test_the_same_report_twice_in_one_batch_is_new_once(store: Store) -> None:
    assert take_many(store, [("lb", 1, 1, 1, b"a"), ("lb", 1, 1, 2, b"b"), ("lb", 1, 2, 3, b"c")]) == [
        True,
        False,
        True,
    ]
    assert [row.body for row in recent_reports(store, 0)] == [b"a", b"c"]


def test_a_batch_larger_than_a_statement_is_kept_whole(store: Store) -> None:
    rows = [("lb", 1, number, number, b"x") for number in range(1, 2 * reports.AT_ONCE + 7)]
    assert all(take_many(store, rows))
    assert not any(take_many(store, rows))
    assert len(names(store)) == len(rows)


def test_an_empty_batch_is_nothing(store: Store) -> None:
    assert take_many(store, []) == []


def test_places_grow_with_every_commit_whatever_clocks_show(store: Store) -> None:
    first = append(store, [("lb", 1, 1, 300, b"x"), ("vm", 1, 1, 100, b"x"), ("lb", 1, 1, 400, b"again")])
    assert (first.places, first.before) == ([300, 301, 0], 0)
    now = append(store, [("lb", 1, 2, 0, b"x"), ("vm", 1, 1, 0, b"again")])
    assert now.before == 301
    assert abs(now.places[0] - time.time_ns()) < 5e9, "0 is now"
    assert now.places[1] == 0
    late = append(store, [("lb", 1, 3, 200, b"x")])
    assert late.places == [now.places[0] + 1]
    assert [row.sequence for row in after(store, 300, 2)] == [1, 2]
    assert [row.sequence for row in after(store, now.places[0], 9)] == [3]
    assert last(store) == late.places[0]


@pytest.mark.parametrize(("epoch", "sequence"), [(-1, 1), (2**63, 1), (1, 0), (1, 2**63), (1, 10**400)])
def test_a_number_that_fits_no_column_is_refused_and_nothing_is_kept(store: Store, epoch: int, sequence: int) -> None:
    with pytest.raises(Refused, match="epoch is 0 to"):
        take_many(store, [("lb", 1, 1, 1, b""), ("lb", epoch, sequence, 1, b"")])
    assert names(store) == []


def test_a_pruned_report_is_not_taken_again(store: Store) -> None:
    take_many(store, [("lb", 1, number, number, b"x") for number in (1, 2, 3)])
    assert prune(store, before_ns=3) == 2
    assert names(store) == [("lb", 1, 3)]
    assert take_many(store, [("lb", 1, number, 9, b"x") for number in (1, 2, 3, 4)]) == [False, False, False, True]


def test_a_report_that_comes_after_newer_ones_were_pruned_is_still_new(store: Store) -> None:
    take_many(store, [("lb", 1, 1, 1, b"x"), ("lb", 1, 9, 1, b"x")])
    assert prune(store, before_ns=5) == 2
    assert take_many(store, [("lb", 1, number, 9, b"late") for number in (1, 5, 9)]) == [False, True, False]


def test_behind_a_gap_only_the_body_goes(store: Store) -> None:
    take_many(store, [("lb", 1, 4, 1, b"large")])
    assert prune(store, before_ns=5) == 1
    assert prune(store, before_ns=5) == 0
    assert [tuple(row) for row in recent_reports(store, 0)] == [("lb", 1, 4, 1, b"")]


def test_a_filled_gap_lets_everything_go(store: Store) -> None:
    take_many(store, [("lb", 1, 2, 1, b"x")])
    prune(store, before_ns=5)
    take_many(store, [("lb", 1, 1, 2, b"x")])
    prune(store, before_ns=5)
    assert names(store) == []
    assert take_many(store, [("lb", 1, 1, 9, b""), ("lb", 1, 2, 9, b""), ("lb", 1, 3, 9, b"")]) == [False, False, True]


def gap(first: int, last: int, epoch: int = 1, to_ns: int = 100) -> Gap:
    return Gap("lb", epoch, last, first, to_ns - 50, to_ns, 9, 2, "the outbox was full")


def test_a_gap_that_is_told_again_is_kept_once_and_as_wide_as_it_was_ever_told(store: Store) -> None:
    for first in (5, 3, 4):
        take_many(store, [("lb", 1, 9, 1, b"x")], [gap(first, 9)])
    assert [(one.first, one.last) for one in told_gaps(store, 0)] == [(3, 9)]
    assert told_gaps(store, 101) == [] == told_gaps(store, 0, "vm")


def test_over_a_gap_everything_goes(store: Store) -> None:
    take_many(store, [("lb", 1, number, number, b"x") for number in (1, 2, 6, 7)])
    assert prune(store, before_ns=9) == 4
    assert names(store) == [("lb", 1, 6), ("lb", 1, 7)], "they wait for what may still come"
    take_many(store, [("lb", 1, 5, 9, b"told")], [gap(3, 5)])
    prune(store, before_ns=10)
    assert names(store) == []
    assert take_many(store, [("lb", 1, number, 9, b"x") for number in range(1, 9)]) == [False] * 7 + [True]


def test_a_gap_is_forgotten_when_it_is_old_and_nothing_waits_at_it(store: Store) -> None:
    take_many(store, [("lb", 1, 3, 1, b"x")], [gap(1, 3), gap(5, 6, epoch=2)])
    assert prune_gaps(store, before_ns=1000) == 0
    prune(store, before_ns=5)
    assert prune_gaps(store, before_ns=100) == 0
    assert prune_gaps(store, before_ns=101) == 1
    assert [one.epoch for one in told_gaps(store, 0)] == [2]


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Store:
    url = f"sqlite:///{tmp_path_factory.mktemp('lasting')}/prober.sqlite"
    schema.upgrade(url)
    return open_store(url)


_epochs = iter(range(10**6))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.integers(1, 12), st.just("prune")), max_size=40))
def test_whatever_comes_in_whatever_order_is_new_exactly_once(lasting: Store, steps: list[int | str]) -> None:
    epoch, seen = next(_epochs), set()
    for at, step in enumerate(steps):
        if isinstance(step, int):
            assert take(lasting, "lb", epoch, step, at, b"x") == (step not in seen)
            seen.add(step)
        else:
            prune(lasting, before_ns=random.Random(at).randint(0, at))


def test_many_writers_of_the_same_reports_are_told_once_that_each_is_new(store: Store) -> None:
    def write(_: int) -> list[bool]:
        return [take(store, "lb", 1, number, number, b"x") for number in range(1, 21)]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(write, range(4)))
    assert [sum(column) for column in zip(*answers, strict=True)] == [1] * 20


def _writes_until_killed(url: str, epoch: int, told: Any) -> None:
    store = open_store(url)
    for sequence in range(1, 10**6):
        take_many(store, [("lb", epoch, sequence, 1, os.urandom(500)), ("vm", epoch, sequence, 1, b"")])
        told.send_bytes(sequence.to_bytes(4, "big"))


def test_a_writer_killed_at_a_random_moment_loses_nothing_that_it_acknowledged(sqlite_url: str) -> None:
    schema.upgrade(sqlite_url)
    context, acknowledged = multiprocessing.get_context("fork"), set()
    for epoch in range(15):
        heard, told = context.Pipe(duplex=False)
        writer = context.Process(target=_writes_until_killed, args=(sqlite_url, epoch, told))
        writer.start()
        told.close()
        for _ in range(random.Random(epoch).randint(1, 25)):
            acknowledged.add((epoch, int.from_bytes(heard.recv_bytes(), "big")))
        assert writer.pid
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        try:
            while True:  # acknowledged before the kill, not read yet
                acknowledged.add((epoch, int.from_bytes(heard.recv_bytes(), "big")))
        except EOFError:
            heard.close()
    stored = names(open_store(sqlite_url))
    assert len(stored) == len(set(stored))
    for agent in ("lb", "vm"):
        assert acknowledged <= {(epoch, sequence) for name, epoch, sequence in stored if name == agent}
