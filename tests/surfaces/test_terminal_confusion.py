"""The catalogue's outcome as printed."""

from __future__ import annotations

from prober.confusion import reckon
from prober.surfaces.terminal_confusion import draw
from tests.surfaces.printing import printed

CELL = {
    "label": "target",
    "expected_labels": ["target"],
    "cause": "T1",
    "expected_causes": ["T1"],
    "covered": True,
    "confidence": "proven",
}
WRONG = CELL | {"label": "ingress-drop", "cause": None, "confidence": "likely"}
TRIAL = {"scenario": "closed", "ok": False, "cells": [CELL, WRONG], "seconds_to_verdict": 1.5, "misses": ["a → b: no"]}


def test_the_tables_and_the_counts_are_printed() -> None:
    lines = printed(draw(reckon([TRIAL])), width=100).splitlines()
    assert any(line.split() == ["→", "◆"] for line in lines)
    assert any(line.split() == ["◆", "target", "1", "1"] for line in lines)
    assert any(line.split() == ["T1", "1", "1"] for line in lines)
    assert any(line.split() == ["likely", "1", "0"] for line in lines)
    assert "labels as expected: 1 of 2" in lines
    assert "direction: 1 right, 0 unknown, 1 wrong" in lines
    assert "seconds from the break to the verdict: median 1.5, p90 1.5, most 1.5" in lines
    assert "✗ closed: a → b: no" in lines


def test_where_the_table_is_too_wide_it_is_a_list_that_leaves_nothing_out() -> None:
    causes = [f"F{n}" for n in range(1, 11)] + [f"R{n}" for n in range(2, 8)]
    cells = [CELL | {"cause": cause, "expected_causes": [cause]} for cause in causes]
    wrong = CELL | {"cause": "F1", "expected_causes": ["F3"]}
    document = reckon([TRIAL | {"cells": [*cells, wrong]}])
    wide, narrow = (printed(draw(document), width=width) for width in (100, 40))
    assert "causes: expected in rows" in wide and "causes: expected in rows" not in narrow
    told = " ".join(narrow.split())
    assert "F3 1, F1 1" in told and all(f"{cause} 1" in told for cause in causes)
    assert max(map(len, narrow.splitlines())) <= 40


def test_nothing_of_a_name_reaches_the_terminal_that_is_not_printable() -> None:
    assert "\x1b" not in printed(draw(reckon([TRIAL | {"misses": ["\x1b[2J"]}])))


def test_without_signs_it_is_spelt() -> None:
    assert printed(draw(reckon([TRIAL])), encoding="ascii").isascii()


def test_a_table_without_a_row_is_not_drawn() -> None:
    assert "causes:" not in printed(draw(reckon([TRIAL | {"cells": [CELL | {"expected_causes": []}]}])))
