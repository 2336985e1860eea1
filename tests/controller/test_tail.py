"""The log is taken once and in order, whoever wrote what."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from prober.controller.tail import Tail
from prober.report import Report, encode
from prober.store import reports
from prober.store.engine import Store, open_store
from prober.store.schema import upgrade
from tests.controller.reports import Reporter


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    upgrade(url := f"sqlite:///{tmp_path / 'prober.sqlite'}")
    one = open_store(url)
    yield one
    one.close()


class Follower:
    """A controller's tail, at 1000 s of its own clock when the database's shows 5000 s."""

    def __init__(self, store: Store) -> None:
        self.now, self.taken = 1000.0, list[tuple[int, float, bool]]()
        self.tail = Tail(store, self.take, lambda: self.now)
        self.tail.begin(0, -4000.0)

    def take(self, report: Report, at: float, place: int, mine: bool) -> None:
        self.taken.append((report.sequence, round(at, 3), mine))
        if report.sequence == 13:
            raise ValueError("spoilt")

    def write(self, report: Report, seconds: float = 5000.0) -> tuple[Report, int]:
        row = ("firewall", report.epoch, report.sequence, int(seconds * 1e9), encode(report))
        return report, self.tail.write([row], [])[0]


def test_what_it_wrote_is_taken_from_memory_where_nobody_wrote_between(store: Store) -> None:
    mine, by = Follower(store), Reporter("firewall")
    for _ in range(3):
        mine.tail.own(*mine.write(by.answered()))
    assert mine.taken == [(1, 1000.0, True), (2, 1000.0, True), (3, 1000.0, True)]
    asyncio.run(mine.tail.catch_up())
    assert len(mine.taken) == 3


def test_what_another_wrote_between_is_taken_first(store: Store) -> None:
    mine, other, by = Follower(store), Follower(store), Reporter("firewall")
    written = [other.write(by.answered(), 5000.0), mine.write(by.answered(), 5000.02), other.write(by.answered())]
    mine.tail.own(*written[1])
    assert mine.taken == [], "not before what came before it"
    mine.now = 1000.05
    asyncio.run(mine.tail.catch_up())
    assert mine.taken == [(1, 1000.0, False), (2, 1000.05, True), (3, 1000.02, False)]
    mine.tail.own(*written[1])
    assert len(mine.taken) == 3, "once"


def test_one_that_cannot_be_joined_or_read_stops_no_other(store: Store) -> None:
    other, by = Follower(store), Reporter("firewall")
    reports.append(store, [("firewall", 9, 1, 0, b"\xc1 not msgpack")])
    for _ in range(14):
        other.write(by.answered())
    mine = Follower(store)
    asyncio.run(mine.tail.catch_up())
    assert [sequence for sequence, *_ in mine.taken] == list(range(1, 15))
    assert mine.tail.faults == 2


def test_a_clock_that_was_set_makes_no_agent_silent(store: Store) -> None:
    mine, other, by = Follower(store), Follower(store), Reporter("firewall")
    other.write(by.answered(), 1.0)
    asyncio.run(mine.tail.catch_up())
    assert mine.taken == [(1, 999.0, False)]
