"""The terminal: matrix, ladder, objectives and flips as rich renderables.

Each function takes the JSON-shaped dict that the API answers and returns something a rich `Console` prints. Width,
colour and encoding are the console's: nothing here asks the environment. Without UTF-8 every sign is spelt in ASCII.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from prober.surfaces import terminal_ladder
from prober.surfaces.findings import Finding, findings, sentence
from prober.surfaces.glyphs import look, present, rank
from prober.surfaces.pen import Drawing, Pen, Row, tile

Document = dict[str, Any]
Cells = dict[tuple[str, str], Document]
NAME = 24
"""The longest name of a row or column, in cells."""
TILE = 3
"""A cell's width when its column's name stands on the stairs above it."""


def matrix(document: Document) -> RenderableType:
    """The heatmap of ``GET /api/v1/matrix``: sources down, targets across; legend and findings below."""
    return Drawing(_matrix, document)


def ladder(path_document: Document) -> RenderableType:
    """One path of ``GET /api/v1/paths/{source}/{target}``: which packet was seen where, and what follows from it."""
    return Drawing(terminal_ladder.draw, path_document)


def slo(document: Document) -> RenderableType:
    """The objectives of ``GET /api/v1/slos``: attainment, budget left, burn rate over the hour."""
    return Drawing(_slo, document)


def flips(document: Document) -> RenderableType:
    """What changed, of ``GET /api/v1/flips``."""
    return Drawing(_flips, document)


def _matrix(document: Document, pen: Pen) -> Iterator[RenderableType]:
    whole, found = document, findings(document)
    yield _headline(document, found, pen)
    yield ""
    document = _drawn(document)
    cells = {(cell["source"], cell["target"]): cell for cell in document["cells"]}
    for targets in _blocks(document, pen):
        yield from _header(document, targets, pen)
        for source in document["sources"]:
            yield _row(source, targets, cells, _plan(document, targets, pen), pen)
        yield ""
    yield _legend(whole, pen)
    if found:
        yield ""
        yield _findings(found, pen)


def _drawn(document: Document) -> Document:
    """What the heatmap shows: the cells, or, where not all are listed, the pairs of zones with their worst label."""
    if not document.get("left_out"):
        return document
    pairs = document["zone_pairs"]
    sides = {side: list(dict.fromkeys(one[f"{side}_zone"] for one in pairs)) for side in ("source", "target")}
    cells = [{"source": one["source_zone"], "target": one["target_zone"], "label": min(one["labels"], key=rank)}
             for one in pairs]  # fmt: skip
    return {"sources": sides["source"], "targets": sides["target"], "cells": cells}


def _headline(document: Document, found: list[Finding], pen: Pen) -> Text:
    failing = any(one.look.fails for one in found)
    sign, style = ("✗", "bold #d55e00") if failing else ("✓", "bold #009e73") if not found else ("·", "bold")
    ages = [float(cell["age_seconds"]) for cell in document["cells"] if cell["age_seconds"] is not None]
    oldest = f" · oldest cell {max(ages):.1f} s" if ages else ""
    line = Text().append(pen.sign(sign) + " ", style).append(pen.say(sentence(document)), "bold")
    return line.append(pen.say(f"  {str(document['at'])[11:19]} UTC{oldest}"), "dim")


def _label_width(document: Document, pen: Pen) -> int:
    return min(NAME, max((cell_len(pen.say(name)) for name in document["sources"]), default=0))


def _blocks(document: Document, pen: Pen) -> list[list[str]]:
    """The targets in as many blocks as the width asks for."""
    room = max(1, (pen.width - _label_width(document, pen) - 12) // (TILE + 1))
    targets = list(document["targets"])
    return [targets[at : at + room] for at in range(0, len(targets), room)]


def _plan(document: Document, targets: list[str], pen: Pen) -> list[tuple[int, int]]:
    """Where each column starts and how wide it is: as wide as its name if all fit, else `TILE`."""
    start = _label_width(document, pen) + 2
    widths = [max(TILE, cell_len(pen.say(name))) for name in targets]
    if start + sum(widths) + len(widths) > pen.width:
        return [(start + at * (TILE + 1), TILE) for at in range(len(targets))]
    return [(start + sum(widths[:at]) + at, width) for at, width in enumerate(widths)]


def _header(document: Document, targets: list[str], pen: Pen) -> Iterator[Text]:
    """The names above their columns, or on stairs that lead down to them."""
    plan = _plan(document, targets, pen)
    if any(width != TILE for _, width in plan):
        row = Row(pen.width)
        for name, (at, width) in zip(targets, plan, strict=True):
            row.put(at + (width - cell_len(pen.say(name))) // 2, pen.say(name), "bold")
        yield row.text()
        return
    for step, name in enumerate(targets):
        row = Row(pen.width)
        for at, width in plan[:step]:
            row.put(at + width // 2, pen.sign("│"), "dim")
        middle = plan[step][0] + TILE // 2
        room = min(NAME, pen.width - middle - 2)
        yield row.put(middle, pen.sign("╭"), "dim").put(middle + 2, pen.name(name, room), "bold").text()


def _row(source: str, targets: list[str], cells: Cells, plan: list[tuple[int, int]], pen: Pen) -> Text:
    row = Row(pen.width)
    row.put(0, pen.name(source, plan[0][0] - 2), "bold")
    for target, (at, width) in zip(targets, plan, strict=True):
        cell = cells.get((source, target))
        if cell is not None:
            seen = look(cell["label"])
            row.put(at, pen.glyph(seen).center(width), tile(seen))
    return row.text()


def _legend(document: Document, pen: Pen) -> Text:
    """The labels present with their counts; a tile is never parted from its word."""
    line, used = Text(), 0
    for seen, count in present(document):
        words = f" {seen.word} {count}   "
        size = 3 + cell_len(words)
        if used and used + size > pen.width:
            line.append("\n")
            used = 0
        used += size
        line.append(f" {pen.glyph(seen)} ", tile(seen)).append(words)
    return line


def _findings(found: list[Finding], pen: Pen) -> Table:
    """One line a finding, wrapped under itself."""
    table = Table.grid(padding=(0, 1))
    for one in found:
        table.add_row(Text(f" {pen.glyph(one.look)} ", tile(one.look)), Text(pen.say(one.line)))
    return table


def _slo(document: Document, pen: Pen) -> Iterator[RenderableType]:
    if not document["slos"]:
        yield Text("targets.yaml declares no objectives")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("")
    table.add_column("objective", overflow="fold")
    for heading in ("wants", "has"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("error budget", no_wrap=True)
    table.add_column("burn/h", justify="right", no_wrap=True)
    for one in document["slos"]:
        table.add_row(*_objective(one, pen))
    yield table


def _objective(one: Document, pen: Pen) -> tuple[Text, ...]:
    attainment, left, burn = one.get("attainment"), one.get("budget_left"), (one.get("burn") or {}).get("1h")
    if attainment is None or left is None:
        unknown = Text("not measured", "dim")
        return Text("?"), Text(pen.say(one["name"])), Text(percent(one["availability"])), unknown, Text(), Text()
    met = attainment >= one["availability"]
    style = "#009e73" if met else "bold #d55e00"
    filled = round(10 * min(1.0, max(0.0, left)))
    words = f" {left:.0%} left" if left >= 0 else f" overspent {-left:.1f}" + pen.say("×")
    bar = Text().append(pen.sign("█" * filled), style).append(pen.sign("░" * (10 - filled)), "dim").append(words)
    sign = Text(pen.sign("✓" if met else "✗"), style)
    rate = "" if burn is None else f"{burn:.1f}" + pen.say("×")
    return (
        sign,
        Text(pen.say(one["name"])),
        Text(percent(one["availability"])),
        Text(percent(attainment)),
        bar,
        Text(rate),
    )


def percent(share: float) -> str:
    """A share of one as people write availability: as many digits as tell it from 100 %, never rounded up to it."""
    if share >= 1:
        return "100 %"
    return f"{int(share * 1e5) / 1e3:.3f}".rstrip("0").rstrip(".") + " %"


def _flips(document: Document, pen: Pen) -> Iterator[RenderableType]:
    if not document["flips"]:
        yield Text("Nothing has changed")
        return
    table = Table.grid(padding=(0, 1))
    for flip in document["flips"]:
        before, after = look(flip["before"] or "unknown"), look(flip["after"])
        path = pen.say(f"{flip['source']} → {flip['target']}")
        change = Text().append(f" {pen.glyph(before)} ", tile(before)).append(pen.say(" → "), "dim")
        change.append(f" {pen.glyph(after)} ", tile(after))
        words = Text().append(path, "bold").append(f"  {after.word}")
        if flip.get("culprit"):
            words.append(pen.say(f" · {flip['culprit']}"))
        table.add_row(Text(pen.say(str(flip["at"])[11:19]), "dim"), change, words)
    yield table
