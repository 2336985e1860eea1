"""A large matrix says what a small one says of the same answers, and holds a cell only where anything happened."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober import columns
from prober.columns import Columns
from prober.matrix import LABELS, NOT_DECLARED, Matrix
from prober.surfaces import status
from prober.verdict import Confidence, Label, Verdict

SOURCES, TARGETS = ["a", "b", "c"], ["x", "y", "z"]
ZONES = {"a": "left", "b": "left", "c": "right", "x": "front", "y": "back", "z": "back"}
PAIRS = [(s, t) for s in SOURCES for t in TARGETS if (s, t) != ("b", "y")]
AT = "2026-11-25T03:00:00.000Z"
FAILED = Verdict(Label.INGRESS_DROP, Confidence.PROVEN, "dropped on the way in")

events = st.lists(
    st.tuples(st.sampled_from(PAIRS), st.booleans(), st.floats(0.0, 30.0), st.floats(0.1, 9.0)), max_size=60
)


def made() -> Columns:
    every = np.full((3, 3), 1.0, np.float32)
    every[1, 1] = np.inf
    return Columns(SOURCES, TARGETS, every)


def answered(matrix: Columns, key: tuple[str, str], sent: float, rtt_ms: float) -> None:
    """A plain answer; of a held cell it is judged as any other."""
    row, column = matrix.place(key)
    if matrix.plain[row, column]:
        matrix.fold(row, np.array([column]), np.array([sent]), np.array([rtt_ms]))
    else:
        matrix.take(*key, int(sent * 1e6), sent, healthy(key, rtt_ms), rtt_ms)


def healthy(key: tuple[str, str], rtt_ms: float) -> Verdict:
    return Verdict(Label.HEALTHY, Confidence.INFERRED, f"{key[0]} → {key[1]} answers in {rtt_ms:.2f} ms.")


def both(told) -> tuple[Matrix, Columns]:
    small, large = Matrix((s, t, 1.0) for s, t in PAIRS), made()
    for number, (key, well, second, rtt_ms) in enumerate(sorted(told, key=lambda one: one[2])):
        sent = second + number * 1e-3
        if well:
            small.take(*key, int(sent * 1e6), sent, healthy(key, rtt_ms), rtt_ms)
            answered(large, key, sent, rtt_ms)
        else:
            small.take(*key, int(sent * 1e6), sent, FAILED, None)
            large.take(*key, int(sent * 1e6), sent, FAILED, None)
    return small, large


@given(events, st.floats(31.0, 70.0))
def test_it_says_what_a_small_one_says(told, now):
    small, large = both(told)
    plain = {key for key in PAIRS if large.plain[large.place(key)]}
    for key, cell in small.cells.items():
        mine = large.cells[key]
        assert (mine.sent, mine.answered, mine.age(now)) == (cell.sent, cell.answered, cell.age(now))
        if key in plain or cell.stale(now):
            assert mine.verdict(now).label == cell.verdict(now).label
            assert mine.verdict(now).sentence.partition(" in ")[0] == cell.verdict(now).sentence.partition(" in ")[0]
    assert list(large.cells) == PAIRS and len(large.cells) == len(PAIRS)
    codes = large.codes(now).codes
    assert {(s, t): LABELS[codes[i, j]] for i, s in enumerate(SOURCES) for j, t in enumerate(TARGETS)
            if codes[i, j] != NOT_DECLARED} == large.labels(now)  # fmt: skip


@given(events, st.floats(31.0, 70.0))
def test_zones_and_states_are_those_of_its_cells(told, now):
    _, large = both(told)
    small = Matrix((s, t, 1.0) for s, t in PAIRS)
    small.carry(large)
    zones = {one[:2]: one for one in large.by_zones(ZONES, now)}
    assert zones == {one[:2]: one for one in small.by_zones(ZONES, now)}
    for names in ((), ()), (("a", "c"), ()), (("b",), ("x", "y")):
        mine, theirs = (status.answer("o", m.standing(now, *names), now, AT, True) for m in (large, small))
        assert mine == theirs


def test_the_round_trip_time_is_the_median_of_the_last_answers():
    matrix = made()
    for number in range(12):
        answered(matrix, ("a", "x"), float(number), float(number) if number % 3 else 0.0)
    assert matrix.cells["a", "x"].rtt_ms() == pytest.approx(np.median([4, 5, 7, 8, 10, 11]))
    assert matrix.cells["a", "y"].rtt_ms() is None


def test_answers_of_one_cell_in_one_report_all_count():
    matrix = made()
    matrix.fold(0, np.array([0, 1, 0, 0]), np.array([3.0, 4.0, 2.0, 1.0]), np.array([1.0, 2.0, 3.0, 5.0]))
    cell = matrix.cells["a", "x"]
    assert (cell.sent, cell.answered, cell.age(4.0), cell.rtt_ms()) == (3, 3, 1.0, 3.0)
    assert matrix.cells["a", "y"].sent == 1 and matrix.held == {}


def test_a_cell_that_failed_is_held_and_becomes_numbers_when_it_has_been_well_for_a_while():
    matrix, key = made(), ("a", "x")
    answered(matrix, key, 1.0, 0.5)
    matrix.take(*key, 7, 2.0, FAILED, None)
    assert matrix.labels(2.5)[key] == Label.INGRESS_DROP and matrix.cells[key].sent == 2
    for second in range(3, 40):
        answered(matrix, key, float(second), 0.25)
        assert matrix.rest(second + 0.5) == [], "its last probe may still gain evidence"
    assert matrix.rest(39.0 + columns.WELL - 0.1) == []
    before = matrix.cells[key].document(48.0)
    assert matrix.rest(39.0 + columns.WELL) == [key] and matrix.held == {}
    after = matrix.cells[key].document(48.0)
    unsure = {"confidence", "sentence"}
    assert {k: v for k, v in after.items() if k not in unsure} == {k: v for k, v in before.items() if k not in unsure}
    assert (after["sent"], after["answered"]) == (39, 38)


def test_a_pair_that_nobody_declares_is_no_cell():
    matrix = made()
    assert ("b", "y") not in matrix.cells and ("q", "x") not in matrix.cells and matrix.hold(("b", "y")) is None
    assert not matrix.take("b", "y", 1, 1.0, FAILED, None)
    with pytest.raises(KeyError):
        matrix.cells["b", "y"]


def test_what_says_something_of_a_cell_is_found_without_looking_at_all():
    matrix = made()
    for key in PAIRS:
        answered(matrix, key, 1.0, 0.5)
    matrix.take("c", "z", 9, 2.0, FAILED, None)
    near = {(one.source, one.target) for one in matrix.near(("a",), ("x",))}
    assert near == {("a", "x"), ("a", "y"), ("a", "z"), ("b", "x"), ("c", "x"), ("c", "z")}
    assert {one.source for one in matrix.around("a", "x", float("-inf"))} == {"a", "b", "c"}
    answered(matrix, ("b", "z"), 3.0, 0.5)
    later = [one[:3] for one in matrix.around("a", "x", 1.5)]
    assert later == [("c", "z", 2.0), ("b", "z", 3.0)], "passes from before say nothing; what is held is told"
    assert matrix.asked("b", "x") == {("b", "x"), ("b", "z"), ("a", "x"), ("c", "x")}
    assert [one.target for one in matrix.select(["b"])] == ["x", "z"]


def test_another_document_keeps_what_is_known(monkeypatch):
    old = made()
    answered(old, ("a", "x"), 5.0, 0.5)
    old.take("c", "z", 9, 6.0, FAILED, None)
    new = Columns(["c", "a", "d"], ["z", "x"], np.full((3, 2), 2.0, np.float32))
    new.carry(old)
    assert (new.cells["a", "x"].age(6.0), new.cells["a", "x"].sent) == (1.0, 1)
    assert new.labels(7.0)["c", "z"] == Label.INGRESS_DROP and new.cells["d", "x"].age(7.0) is None
    small = Matrix([("a", "x", 1.0), ("c", "z", 1.0)])
    small.carry(old)
    back = made()
    back.carry(small)
    assert back.labels(7.0)["c", "z"] == Label.INGRESS_DROP and back.cells["a", "x"].age(6.0) == 1.0


def test_of_many_cells_those_are_listed_that_are_not_healthy(monkeypatch):
    monkeypatch.setattr(columns, "LISTED", 4)
    matrix = made()
    for key in PAIRS[:6]:
        answered(matrix, key, 10.0, 0.5)
    matrix.take("a", "x", 9, 10.5, FAILED, None)
    document = matrix.shown(11.0, AT)
    assert [(one["source"], one["target"], one["label"]) for one in document["cells"]] == [
        ("a", "x", "ingress-drop"), ("c", "y", "unknown"), ("c", "z", "unknown"),
    ]  # fmt: skip
    assert (document["left_out"], document["sources"], document["targets"]) == ({"healthy": 5}, SOURCES, TARGETS)
    monkeypatch.setattr(columns, "WORST", 1)
    assert [one["label"] for one in matrix.shown(11.0, AT)["cells"]] == ["ingress-drop"]
    assert matrix.shown(11.0, AT)["left_out"] == {"healthy": 5, "unknown": 2}
    assert len(matrix.shown(11.0, AT, ["a"])["cells"]) == 3 and "left_out" not in matrix.shown(11.0, AT, ["a"])
