"""Expected against said: what is counted, and that nothing is left out."""

from __future__ import annotations

from typing import Any

import pytest

from prober.confusion import NONE, markdown, reckon, sides
from prober.verdict import DIRECTIONS, Label


def cell(
    label: str, wanted: str, cause: str | None = None, causes: str = "", confidence: str = "proven",
    covered: bool = True,
) -> Any:  # fmt: skip
    return {"label": label, "expected_labels": wanted.split(), "cause": cause, "expected_causes": causes.split(),
            "confidence": confidence, "covered": covered}  # fmt: skip


def trial(*cells: Any, seconds: float | None = None, misses: tuple[str, ...] = (), name: str = "one") -> Any:
    return {"scenario": name, "ok": not misses, "cells": list(cells), "seconds_to_verdict": seconds,
            "misses": list(misses)}  # fmt: skip


def test_what_was_said_counts_in_its_own_row_where_it_is_one_of_those_expected():
    reckoned = reckon([trial(cell("unknown", "target unknown"), cell("healthy", "target unknown"))])
    assert reckoned["label_table"] == {"unknown": {"unknown": 1}, "target": {"healthy": 1}}
    assert (reckoned["labels_right"], reckoned["cells"]) == (1, 2)


def test_a_cause_that_was_not_asked_for_is_not_counted_and_one_not_said_has_a_column():
    cells = [cell("ingress-drop", "ingress-drop", "F1"), cell("ingress-drop", "ingress-drop", None, "F2 F3")]
    reckoned = reckon([trial(*cells)])
    assert reckoned["cause_table"] == {"F2": {NONE: 1}}
    assert (reckoned["causes"], reckoned["causes_right"]) == (1, 0)


@pytest.mark.parametrize(
    ("said", "wanted", "expected"),
    [
        ("return-path-loss", "return-path-misroute", "right"), ("unknown", "return-path-loss", "unknown"),
        ("ingress-drop", "return-path-loss", "wrong"), ("healthy", "ingress-drop", "wrong"),
        ("ingress-drop", "unknown", None), ("target", "unknown target", "right"), ("ingress-drop", "healthy", None),
        ("unknown", "unknown target", "unknown"),
    ],
)  # fmt: skip
def test_a_direction_is_right_unknown_or_wrong(said: str, wanted: str, expected: str | None) -> None:
    counts = reckon([trial(cell(said, wanted))])["directions"]
    assert counts == {"right": 0, "unknown": 0, "wrong": 0} | ({expected: 1} if expected else {})


def test_cells_whose_target_nobody_covers_are_counted_apart_by_the_direction_that_was_expected():
    cells = [
        cell("ingress-drop", "ingress-drop unknown", covered=False), cell("unknown", "target unknown", covered=False),
        cell("local", "return-path-loss unknown", covered=False), cell("healthy", "healthy", covered=False),
        cell("unknown", "unknown", covered=False), cell("target", "target"),
    ]  # fmt: skip
    reckoned = reckon([trial(*cells)])
    assert reckoned["unwatched"] == {
        "forward": {"right": 1, "unknown": 0, "wrong": 0}, "target": {"right": 0, "unknown": 1, "wrong": 0},
        "return": {"right": 0, "unknown": 0, "wrong": 1},
    }  # fmt: skip
    assert reckoned["directions"] == {"right": 2, "unknown": 1, "wrong": 1}, "all count, covered or not"
    assert "| return | 0 | 0 | 1 |" in markdown(reckoned)


def test_a_healthy_cell_that_is_called_otherwise_is_accused():
    reckoned = reckon([trial(cell("healthy", "healthy"), cell("detour", "healthy"), cell("unknown", "healthy"))])
    assert (reckoned["healthy_cells"], reckoned["healthy_accused"]) == (3, 2)


def test_the_time_to_verdict_is_that_of_the_trials_that_had_one():
    reckoned = reckon([trial(seconds=float(s)) for s in range(1, 11)] + [trial(seconds=None)])
    assert reckoned["seconds"] == {"median": 5.5, "p90": 9.0, "max": 10.0}
    assert reckon([trial()])["seconds"] == {"median": None, "p90": None, "max": None}


def test_misses_and_trials_are_told_by_name():
    reckoned = reckon([trial(misses=("a → b: x",), name="two"), trial()])
    assert reckoned["misses"] == [{"scenario": "two", "misses": ["a → b: x"]}]
    assert (reckoned["trials"], reckoned["trials_ok"], reckoned["incidents"]) == (2, 1, 2)


def test_confidence_is_counted_with_how_often_it_was_right():
    cells = [cell("target", "target", confidence="likely"), cell("local", "target", confidence="likely")]
    assert reckon([trial(*cells)])["confidence"]["likely"] == {"cells": 2, "right": 1}


def test_rows_and_columns_stand_in_the_order_of_the_words():
    assert sides({"b": {"z": 1, "a": 2}, "a": {"b": 1}}, ["b", "a"]) == (["b", "a"], ["b", "a", "z"])


def test_the_markdown_holds_every_count():
    text = "\n".join(markdown(reckon([trial(cell("local", "target", "L1", "T1"), seconds=2.0)])))
    assert "| target | 1 |" in text and "| T1 | 1 |" in text
    assert "1 trials of 1 incidents, 1 cells: 0 labels as expected, 0 of 1 causes" in text
    assert "wrong 1" in text and "median 2.0" in text


def test_every_label_has_a_direction():
    assert set(DIRECTIONS) == set(Label)
    assert Label.RETURN_PATH_LOSS.direction == Label.RETURN_PATH_MISROUTE.direction == "return"
