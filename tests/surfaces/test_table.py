"""CSV read back by the csv module, and the plain text matrix line by line."""

from __future__ import annotations

import csv
import io

import pytest

from prober.surfaces import table
from tests.surfaces import documents


def test_the_csv_reads_back_as_the_cells() -> None:
    document = documents.incident()
    rows = list(csv.DictReader(io.StringIO(table.csv_text(document), newline="")))
    assert len(rows) == 65
    for row, cell in zip(rows, document["cells"], strict=True):
        assert row == {column: "" if cell[column] is None else str(cell[column]) for column in table.COLUMNS}


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_spreadsheet_runs_no_name(evil: str) -> None:
    text = table.csv_text({"cells": [documents.cell(evil, "lb", culprit='a "b", c')]})
    row = next(csv.DictReader(io.StringIO(text, newline="")))
    assert row["source"].startswith("'")
    assert row["culprit"] == 'a "b", c'


def test_the_text_matrix_in_full() -> None:
    cells = [
        documents.cell("firewall", "ingress", "return-path-misroute", culprit=documents.route("node1")),
        documents.cell("firewall", "lb"),
        documents.cell("lb", "ingress"),
    ]
    document = {"at": documents.AT, "sources": ["firewall", "lb"], "targets": ["ingress", "lb"], "cells": cells}
    assert table.text(document).splitlines() == [
        "1 of 3 paths fail: firewall → ingress is a return-path misroute",
        "",
        "         1 2",
        "firewall ↰ •",
        "lb       •",
        "",
        "1 ingress  2 lb",
        "↰ return-path misroute 1  • healthy 2",
        "",
        documents.route("node1") + " (proven): return-path misroute on firewall → ingress",
    ]


def test_a_name_can_not_break_out_of_its_line() -> None:
    text = table.text({"at": documents.AT, "sources": ["a\nb\x1b"], "targets": [], "cells": []})
    assert "a\ufffdb\ufffd" in text
