"""The address plan's audit on a terminal: what each pool has left, then the findings with what would be right."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from prober.surfaces.pen import Drawing, Pen

Document = dict[str, Any]
BAD, GOOD, FAINT = "bold #d55e00", "#009e73", "dim"


def draw(document: Document) -> RenderableType:
    """What `prober audit --json` prints, as a table and sentences."""
    return Drawing(_draw, document)


def _draw(document: Document, pen: Pen) -> Iterator[RenderableType]:
    if document["pools"]:
        yield _pools(document["pools"], pen)
        yield ""
    for right, several in groupby(document["findings"], key=lambda one: one["right"]):
        for one in several:
            sign, style = ("✗", BAD) if one["dangerous"] else ("·", "")
            yield _line(sign, one["what"] + ".", style, pen)
        yield _line("→", right + ".", FAINT, pen)
    if not document["findings"]:
        yield Text(pen.say("Nothing overlaps that should not."), GOOD)


def _pools(rows: list[Document], pen: Pen) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("pool", no_wrap=True)
    for title in ("blocks", "held by agents", "left"):
        table.add_column(title, justify="right")
    for title in ("last known", "then comes", "which holds part of"):
        table.add_column(title, overflow="fold")
    for one in rows:
        words = [pen.say(one[key] or "–") for key in ("last", "reaches", "covers")]
        left = Text(_many(one["left"]), BAD if one["reaches"] else "")
        table.add_row(pen.say(one["pool"]), _many(one["blocks"]), _many(one["held"]), left, *words)
    return table


def _many(count: int) -> str:
    """IPv6 pools have more blocks than anybody counts."""
    return str(count) if count < 10**9 else f"{count:.1e}"


def _line(sign: str, text: str, style: str, pen: Pen) -> Table:
    """A sign, and beside it a text that keeps to its right when it wraps."""
    line = Table.grid(padding=(0, 1))
    line.add_column(no_wrap=True)
    line.add_column()
    line.add_row(Text(pen.say(sign), style), Text(pen.say(text), "" if style == BAD else style))
    return line
