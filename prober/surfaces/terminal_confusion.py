"""The catalogue's outcome on a terminal: expected in rows, said in columns, and the counts that it is judged by."""

from __future__ import annotations

from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from prober.confusion import LABELS, sides
from prober.surfaces.glyphs import shown
from prober.verdict import CAUSES

Document = dict[str, Any]
GOOD, BAD, FAINT = "#009e73", "bold #d55e00", "dim"


def draw(reckoned: Document) -> RenderableType:
    """What `prober.confusion.reckon` gives, as tables and lines."""
    return Group(
        Text(), _table("label", reckoned["label_table"], LABELS), Text(),
        _table("cause", reckoned["cause_table"], CAUSES), Text(), _confidence(reckoned), Text(), *_lines(reckoned),
    )  # fmt: skip


def _table(word: str, counts: dict[str, dict[str, int]], order: list[str]) -> Table:
    """Turned columns would not be read: a column's name stands above it, however wide."""
    rows, columns = sides(counts, order)
    table = Table(box=None, pad_edge=False, header_style="bold", title=f"{word}: expected ↓, said →", title_style=FAINT)
    table.title_justify = "left"
    table.add_column("", style="bold", no_wrap=True)
    for column in columns:
        table.add_column(column, justify="right")
    for row in rows:
        cells = [(column, counts[row].get(column, 0)) for column in columns]
        table.add_row(row, *(_count(count, row == column) for column, count in cells))
    return table


def _count(count: int, right: bool) -> Text:
    return Text(str(count) if count else "·", FAINT if not count else GOOD if right else BAD)


def _confidence(reckoned: Document) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("confidence", "cells", "label as expected"):
        table.add_column(heading, justify="left" if heading == "confidence" else "right")
    for name, row in reckoned["confidence"].items():
        table.add_row(name, str(row["cells"]), Text(str(row["right"]), GOOD if row["right"] == row["cells"] else BAD))
    return table


def _lines(reckoned: Document) -> list[Text]:
    ways, seconds = reckoned["directions"], reckoned["seconds"]
    lines = [
        _line("trials as expected", reckoned["trials_ok"], reckoned["trials"]),
        _line("labels as expected", reckoned["labels_right"], reckoned["cells"]),
        _line("causes as expected", reckoned["causes_right"], reckoned["causes"]),
        Text(f"direction: {ways['right']} right, {ways['unknown']} unknown, ").append(
            f"{ways['wrong']} wrong", BAD if ways["wrong"] else GOOD
        ),
        Text(f"healthy cells: {reckoned['healthy_cells']}, ").append(
            f"{reckoned['healthy_accused']} called otherwise", BAD if reckoned["healthy_accused"] else GOOD
        ),
        Text(
            f"seconds from the break to the verdict: median {seconds['median']}, p90 {seconds['p90']}, "
            f"most {seconds['max']}"
        ),
    ]
    misses = [f"✗ {one['scenario']}: {miss}" for one in reckoned["misses"] for miss in one["misses"]]
    return lines + [Text(shown(miss), BAD) for miss in misses]


def _line(words: str, count: int, of: int) -> Text:
    return Text(f"{words}: ").append(f"{count} of {of}", GOOD if count == of else BAD)
