"""What goes first, and what stands in its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from prober.agent import gaps
from prober.agent.gaps import Summary, holes, let_go
from prober.report import decode_report
from tests.agent.boxes import SECOND, report


def summed(sequence: int, failed: int = 0, epoch: int = 1, probes: int = 3) -> Summary:
    return gaps.summary(report(sequence, epoch, probes, failed), "boot", sequence)


def spans(some: list[Summary]) -> list[tuple[int, int, int]]:
    return [(one.epoch, one.first, one.sequence) for one in some]


def test_successes_go_before_failures_and_side_by_side_they_are_one_gap() -> None:
    kept, gone = let_go([summed(1), summed(2), summed(3, failed=1), summed(4), summed(6)], False, "full")
    assert spans(kept) == [(1, 3, 3)]
    assert spans(gone) == [(1, 1, 2), (1, 4, 4), (1, 6, 6)]
    first = gone[0]
    assert (first.probes, first.failed, first.since_ns, first.until_ns, first.why) == (6, 0, 0, 2 * SECOND, "full")


def test_where_failures_go_too_their_number_stays() -> None:
    kept, gone = let_go([summed(1), summed(2, failed=2), summed(1, epoch=9)], True, "full")
    assert kept == []
    assert [(one.epoch, one.first, one.sequence, one.probes, one.failed) for one in gone] == [
        (1, 1, 2, 6, 2), (9, 1, 1, 3, 0),
    ]  # fmt: skip


def test_a_gap_grows_by_what_goes_beside_it() -> None:
    _, first = let_go([summed(1), summed(2)], False, "full")
    _, both = let_go([*first, summed(3)], False, "memory was full")
    assert spans(both) == [(1, 1, 3)]
    assert both[0].why == "full; memory was full"


def test_a_gap_is_told_by_a_report_that_says_nothing_else() -> None:
    _, (gap,) = let_go([summed(4), summed(5, failed=1)], True, "full")
    told = decode_report(gaps.told("firewall", gap))
    assert (told.epoch, told.sequence, told.tap, told.outcomes, told.clock_ns) == (1, 5, False, b"", 5 * SECOND)
    (record,) = told.gaps
    assert (record.first, record.last, record.probes, record.failed, record.why) == (4, 5, 6, 1, "full")
    assert (record.since_ns, record.until_ns) == (3 * SECOND, 5 * SECOND)


@pytest.mark.parametrize(
    ("before", "after", "reports", "known", "lost"),
    [
        (3, 7, 1, set(), [(4, 6)]),
        (3, 4, 1, set(), []),
        (3, None, 2, set(), [(4, 5)]),
        (3, None, 0, set(), []),
        (None, 7, 2, set(), [(5, 6)]),
        (None, 2, 5, set(), [(1, 1)]),
        (None, None, 3, set(), []),
        (3, 9, 1, {6}, [(4, 5), (7, 8)]),
        (3, None, 2, {4}, [(5, 5)]),
    ],
    ids=["between", "nothing between", "at the end", "an acknowledgement", "at the beginning", "the very first",
         "alone", "some are elsewhere", "the next is in the next file"],
)  # fmt: skip
def test_what_a_spoilt_piece_held_is_told_by_its_neighbours(
    before: int | None, after: int | None, reports: int, known: set[int], lost: list[tuple[int, int]]
) -> None:
    beside = [summed(one) if one is not None else None for one in (before, after)]
    found = holes(beside[0], beside[1], reports, known)
    assert [(one.first, one.sequence) for one in found] == lost
    assert all(one.since_ns <= one.until_ns and one.why == gaps.SPOILT for one in found)


@given(
    some.lists(some.tuples(some.integers(1, 30), some.integers(0, 1)), unique_by=lambda one: one[0]), some.booleans()
)
def test_every_report_is_kept_or_in_one_gap_and_no_other_is(reports: list[tuple[int, int]], all_: bool) -> None:
    kept, gone = let_go([summed(number, failed) for number, failed in reports], all_, "full")
    told = [one.sequence for one in kept] + [n for one in gone for n in range(one.first, one.sequence + 1)]
    assert sorted(told) == sorted(number for number, _ in reports)
    assert {one.sequence for one in kept} == (set() if all_ else {number for number, failed in reports if failed})
