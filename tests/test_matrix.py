"""Verdicts folded into cells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.flows import Finding
from prober.matrix import LONGEST_WINDOW, MOST, WINDOW, Cell, Matrix
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

GOOD = Verdict(Label.HEALTHY, Confidence.PROVEN, "a → b answers.")
LOST = Verdict(Label.RETURN_PATH_LOSS, Confidence.PROVEN, "lost.", None, Culprit("hop", "x", "y"))


def cell(pattern: str, every: float = 1.0) -> Cell:
    """A cell of one probe a second: ``+`` passed, ``-`` failed."""
    made = Cell("a", "b", every)
    for number, mark in enumerate(pattern):
        made.take(number, float(number), GOOD if mark == "+" else LOST, 0.5 if mark == "+" else None)
    return made


@pytest.mark.parametrize(
    ("pattern", "label"),
    [
        ("+", "healthy"), ("+++++-", "return-path-loss"), ("+++---", "return-path-loss"), ("+++---++", "healthy"),
        ("+-+-+-", "intermittent"), ("+-++++-+", "intermittent"), ("-+-++++++++++++", "healthy"),
        ("----", "return-path-loss"),
    ],
)  # fmt: skip
def test_a_cell_by_its_last_probes(pattern, label):
    assert cell(pattern).verdict(len(pattern) + 1.0).label == label


@given(st.permutations(list(range(8))))
def test_probes_count_by_when_they_were_sent_not_by_when_they_were_judged(order):
    made = Cell("a", "b", 1.0)
    for number in order:
        made.take(number, float(number), GOOD if number < 5 else LOST, None)
    assert made.verdict(9.0).label == Label.RETURN_PATH_LOSS


def test_what_comes_and_goes_is_likely_at_most_and_keeps_its_culprit():
    verdict = cell("+-+-+-").verdict(7.0)
    assert (verdict.confidence, str(verdict.culprit)) == (Confidence.LIKELY, "x: y")
    assert "3 of the last 6 probes failed" in verdict.sentence


def test_a_cell_that_nobody_probed_lately_is_unknown_never_healthy():
    assert cell("+++").verdict(2.0 + 6.1).label == Label.UNKNOWN
    assert cell("+++", every=10.0).verdict(2.0 + 29.0).label == Label.HEALTHY
    assert Cell("a", "b", 1.0).verdict(0.0).label == Label.UNKNOWN


def test_a_revision_is_counted_no_second_time():
    made = cell("+" * 8)
    assert made.take(3, 3.0, LOST, None) is False
    assert (made.sent, made.answered) == (8, 8)
    assert [one.verdict.label for one in made.recent][3] == Label.RETURN_PATH_LOSS


def test_a_revision_is_known_for_one_though_many_probes_followed_at_once():
    made = Cell("a", "b", 0.1)
    for number in range(64):
        made.take(number, number / 10, GOOD, None)
    assert made.take(2, 0.2, LOST, None) is False, "its ICMP came three seconds later"
    assert made.sent == 64 and len(made.window()) == WINDOW


def test_a_cells_memory_is_bounded():
    made = Cell("a", "b", 0.001)
    for number in range(MOST + 500):
        made.take(number, number / 1000, GOOD, 1.0)
    assert len(made.recent) == MOST
    late = cell("+" * 60)
    late.take(99, -500.0, LOST, None)
    assert late.verdict(61.0).label == Label.HEALTHY
    assert len(late.recent) == LONGEST_WINDOW


def test_what_an_experiment_found_holds_until_so_many_in_a_row_pass_or_fail_as_chance_does_not():
    told = Verdict(Label.INTERMITTENT, Confidence.LIKELY, "at random.", Cause.B1)
    for pattern, label in (("+" * 19, "intermittent"), ("+" * 20, "healthy"), ("-" * 9, "intermittent"),
                           ("-" * 10, "return-path-loss"), ("+" * 12 + "-" + "+" * 12, "intermittent")):  # fmt: skip
        made = cell(pattern)
        made.finding = Finding(told, (), -1.0, 0.3)
        assert made.verdict(float(len(pattern))).label == label, pattern
        assert made.settled() == (label == "healthy")
        assert (made.finding is None) == (label != "intermittent")


def test_the_round_trip_time_is_the_windows_median():
    made = Cell("a", "b", 1.0)
    for number, value in enumerate([9.0, 1.0, None, 2.0]):
        made.take(number, float(number), GOOD, value)
    assert made.rtt_ms() == 2.0 and Cell("a", "b", 1.0).rtt_ms() is None


def test_a_matrix_knows_its_declared_pairs_only():
    matrix = Matrix([("a", "b", 1.0), ("a", "c", 1.0)])
    assert matrix.take("a", "b", 1, 1.0, GOOD, 0.3) and not matrix.take("a", "x", 2, 1.0, GOOD, 0.3)
    assert matrix.labels(1.5) == {("a", "b"): Label.HEALTHY, ("a", "c"): Label.UNKNOWN}
    assert [one.target for one in matrix.select(targets=["c"])] == ["c"]
    document = matrix.document(1.5, "2026-11-23T00:00:00Z")
    assert (document["sources"], document["targets"], document["at"]) == (["a"], ["b", "c"], "2026-11-23T00:00:00Z")
    assert document["cells"][0]["label"] == "healthy" and document["cells"][0]["age_seconds"] == 0.5
