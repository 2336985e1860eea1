"""Counts are stored with the moment up to which reports are in them, and never ahead of what still waits."""

from __future__ import annotations

import pytest

from prober.controller.counts import COUNTED, FORGOTTEN_NS, Counts
from prober.ondisk import read_targets
from tests.controller.centres import TARGETS

NAME, LATE = "firewall-to-ingress", 2**62


@pytest.fixture
def counts() -> Counts:
    return Counts(read_targets(TARGETS).objectives)


def judged(counts: Counts, probe: int, at: float = 600.0, past: bool = False) -> None:
    counts.count(counts.judged(past, probe), NAME, at, 1)


def test_the_moment_goes_no_further_than_the_first_report_that_is_not_judged(counts: Counts) -> None:
    counts.told(False, [1], 100)
    counts.told(False, [2], 200)
    counts.told(False, [3], 300)
    judged(counts, 1)
    judged(counts, 3)
    assert counts.settle(1_000, LATE) == [(NAME, 600, 1, 1)]
    assert counts.until_ns == 199
    judged(counts, 2)
    assert counts.settle(1_000, LATE) == [(NAME, 600, 3, 3)]
    assert counts.until_ns == 1_000


def test_nor_than_the_first_that_is_not_written(counts: Counts) -> None:
    counts.told(False, [1], 100)
    judged(counts, 1)
    assert counts.settle(1_000, 50) == []
    assert counts.until_ns == 49
    assert counts.settle(1_000, LATE) == [(NAME, 600, 1, 1)]


def test_what_the_store_holds_is_not_counted_again(counts: Counts) -> None:
    counts.until_ns = 150
    counts.told(False, [1], 150)
    counts.told(False, [2], 151)
    assert [counts.judged(False, probe) for probe in (1, 2)] == [COUNTED, 151]
    assert counts.judged(False, 7) == COUNTED, "nobody told it"


def test_a_probe_of_the_past_is_another_one(counts: Counts) -> None:
    counts.told(True, [1], 100)
    counts.told(False, [1], 200)
    assert (counts.judged(True, 1), counts.judged(False, 1)) == (100, 200)


def test_a_probe_that_is_never_judged_holds_nothing_back_for_long(counts: Counts) -> None:
    counts.told(False, [1], 100)
    counts.settle(100 + FORGOTTEN_NS - 1, LATE)
    assert counts.until_ns == 99
    counts.settle(100 + FORGOTTEN_NS, LATE)
    assert counts.until_ns == 100 + FORGOTTEN_NS


def test_a_clock_that_is_set_back_does_not_take_the_moment_back(counts: Counts) -> None:
    counts.settle(1_000, LATE)
    counts.settle(500, LATE)
    assert counts.until_ns == 1_000


def test_another_document_keeps_the_counts_of_what_is_still_declared(counts: Counts) -> None:
    objectives = read_targets(TARGETS).objectives
    counts.told(False, [1, 2], 100)
    judged(counts, 1)
    counts.settle(99, LATE)
    counts.adopt([one for one in objectives if one.name == NAME])
    judged(counts, 2)
    assert counts.settle(1_000, LATE) == [(NAME, 600, 2, 2)]
    counts.adopt([one for one in objectives if one.name != NAME])
    assert counts.settled.rows() == []


def test_who_takes_over_counts_what_the_store_does_not_hold(counts: Counts) -> None:
    for probe, place in ((1, 100), (2, 200), (3, 300), (4, 400)):
        counts.told(False, [probe], place)
    judged(counts, 1)
    judged(counts, 3)
    everything = counts.take_over([(NAME, 600, 5, 7), ("gone", 600, 1, 1)], 250)
    assert everything.rows() == [(NAME, 600, 6, 8)]
    assert counts.judged(False, 2) == COUNTED, "the one before has it"
    judged(counts, 4)
    assert counts.settle(1_000, LATE) == [(NAME, 600, 7, 9)]


def test_who_follows_remembers_no_more_than_the_holder_has_not_counted(counts: Counts) -> None:
    counts.told(False, [1, 2], 100)
    judged(counts, 1)
    counts.passed(100, 100)
    judged(counts, 2)
    counts.passed(50, 100 + FORGOTTEN_NS)
    assert counts.take_over([], 0).rows() == [(NAME, 600, 1, 1)]


def test_what_comes_late_is_stored_in_its_hour(counts: Counts) -> None:
    counts.take_over([(NAME, 3600, 5, 7), (NAME, 3660, 1, 1)], 0)
    counts.settled.roll(10_000)
    counts.told(False, [1], 100)
    judged(counts, 1, at=3725.0)
    assert counts.settle(1_000, LATE) == [(NAME, 3600, 7, 9)]
