"""The catalogue's outcome on a terminal: expected in rows, said in columns, and the counts that it is judged by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.columns import Columns
from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from prober.confusion import LABELS, sides
from prober.surfaces.glyphs import look, shown
from prober.surfaces.pen import Drawing, Pen
from prober.verdict import CAUSES

Document = dict[str, Any]
MOST = 10_000
"""Cells of the console on which a table's width is measured."""
GOOD, BAD, FAINT = "#009e73", "bold #d55e00", "dim"


def draw(reckoned: Document) -> RenderableType:
    """What `prober.confusion.reckon` gives, as tables and lines."""
    return Drawing(_draw, reckoned)


def _draw(reckoned: Document, pen: Pen) -> Iterator[RenderableType]:
    for word, order in (("label", LABELS), ("cause", CAUSES)):
        if counts := reckoned[f"{word}_table"]:
            yield from _confusion(f"{word}s", counts, order, pen)
            yield ""
    yield _confidence(reckoned)
    yield ""
    for line in _lines(reckoned):
        yield Text(pen.say(line.plain)) if pen.ascii else line


def _confusion(words: str, counts: dict[str, dict[str, int]], order: list[str], pen: Pen) -> Iterator[RenderableType]:
    """A table where the console is wide enough for it; else a list of what was expected, and what was said of it."""
    table = _table(counts, order, pen)
    if Measurement.get(console := Console(width=MOST), console.options, table).minimum <= pen.width:
        yield Text(f"{words}: expected in rows, said in columns", FAINT)
        yield table
        return
    yield Text(f"{words}: expected, as often as it was said, and what was said instead", FAINT)
    yield _list(counts, order, pen)


def _list(counts: dict[str, dict[str, int]], order: list[str], pen: Pen) -> Columns:
    rows, columns = sides(counts, order)
    listed = []
    for row in rows:
        others = [f", {pen.say(at)} {counts[row][at]}" for at in columns if at != row and counts[row].get(at)]
        told = Text(f"{pen.say(row)} ").append(str(counts[row].get(row, 0)), GOOD)
        listed.append(told.append("".join(others), BAD))
    return Columns(listed, padding=(0, 3))


def _table(counts: dict[str, dict[str, int]], order: list[str], pen: Pen) -> Table:
    """A label's column has its glyph for a heading: the words would not fit side by side."""
    rows, columns = sides(counts, order)
    glyphs = {name: f"{pen.glyph(look(name))} " for name in rows if name in LABELS}
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", style="bold", no_wrap=True)
    for column in columns:
        table.add_column(pen.glyph(look(column)) if column in LABELS else pen.say(column), justify="right")
    for row in rows:
        cells = [(column, counts[row].get(column, 0)) for column in columns]
        table.add_row(glyphs.get(row, "") + pen.say(row), *(_count(count, row == at, pen) for at, count in cells))
    return table


def _count(count: int, right: bool, pen: Pen) -> Text:
    return Text(str(count) if count else pen.sign("·"), FAINT if not count else GOOD if right else BAD)


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
