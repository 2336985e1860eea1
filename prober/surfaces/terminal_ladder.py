"""The ladder of ``prober why``: a column for each place that watched, the packets as arrows between them.

::

                 firewall               node1                  node19
       0.04 ms   ● NIC out · eth0       │                      │
                 ├──────── SYN ────────▶│                      │
       0.12 ms   │                      ● NIC in · eth0        │
                 ✗ NIC in · not seen    │                      │
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from prober.surfaces.glyphs import look
from prober.surfaces.pen import Pen, Row, tile

Document = dict[str, Any]
GUTTER = 11
"""Cells on the left for the time."""
DIED, UNWATCHED = "bold #d55e00", "dim"
SIGNS = {"seen": ("●", ""), "not seen": ("✗", DIED), "not watched": ("◌", UNWATCHED)}


def draw(document: Document, pen: Pen) -> Iterator[RenderableType]:
    """The verdict's sentence, the ladder, and what to do next."""
    yield from _above(document, pen)
    yield ""
    if document["ladder"]["columns"]:
        yield from _rungs(document, pen)
        yield ""
    yield _below(document, pen)


def _above(document: Document, pen: Pen) -> Iterator[RenderableType]:
    cell, verdict = document["cell"], document["verdict"]
    seen = look(verdict["label"])
    head = Text().append(pen.say(f"{cell['source']} → {cell['target']}  "), "bold")
    head.append(f" {pen.glyph(seen)} {seen.word} ", tile(seen))
    if verdict.get("confidence"):
        head.append(pen.say(f" · {verdict['confidence']}"))
    yield head
    yield Text(pen.say(verdict["sentence"]))


def where(place: str, role: str) -> str:
    """A place of the vector as it reads under the column it belongs to: ``B's NIC in`` is ``NIC in``."""
    if role == "witness" and place.endswith("NIC in"):
        return "caught here"
    return re.sub(r"^(.*?'s (node )?|A )", "", place)


@dataclass(frozen=True, slots=True)
class Grid:
    """Where each column's line stands, in cells from the left, and what its agent is."""

    at: dict[str, int]
    roles: dict[str, str]
    spacing: int
    pen: Pen

    def lines(self) -> Row:
        """The columns' lines, nothing on them yet."""
        row = Row(self.pen.width)
        for start in self.at.values():
            row.put(start, self.pen.sign("│"), "dim")
        return row


def _rungs(document: Document, pen: Pen) -> Iterator[Text]:
    roles = {str(column["id"]): str(column["role"]) for column in document["ladder"]["columns"]}
    spacing = (pen.width - GUTTER) // len(roles)
    grid = Grid({name: GUTTER + index * spacing for index, name in enumerate(roles)}, roles, spacing, pen)
    yield from _heads(grid)
    steps = [step for step in document["ladder"]["steps"] if step["column"] in roles]
    for index, step in enumerate(steps):
        if index == 0 or steps[index - 1]["packet"] != step["packet"]:
            yield grid.lines().text()
            yield grid.lines().put(0, pen.say(step.get("text") or step["packet"]) + " ", "bold").text()
        yield _event(step, grid)
        if step.get("to") in roles and step["to"] != step["column"]:
            yield _arrow(step, steps[index + 1 :], grid)


def _heads(grid: Grid) -> Iterator[Text]:
    names, roles, room = Row(grid.pen.width), Row(grid.pen.width), grid.spacing - 2
    for name, start in grid.at.items():
        names.put(start, grid.pen.name(name, room), "bold")
        roles.put(start, grid.pen.name(grid.roles[name], room), "dim")
    yield names.text()
    yield roles.text()


def _event(step: Document, grid: Grid) -> Text:
    sign, style = SIGNS.get(step["state"], SIGNS["not watched"])
    note = step.get("interface") if step["state"] == "seen" else step["state"].replace("not watched", "unwatched")
    place = where(str(step["place"]), grid.roles[step["column"]])
    words = grid.pen.name(f"{place} · {note}" if note else place, grid.spacing - 3).rstrip() + " "
    row, start = grid.lines(), grid.at[step["column"]]
    row.put(start, grid.pen.sign(sign) + " ", style).put(start + 2, words, style)
    if step.get("at_ms") is not None:
        row.put(0, f"{step['at_ms']:.2f} ms".rjust(GUTTER - 2), "dim")
    return row.text()


def _arrow(step: Document, later: list[Document], grid: Grid) -> Text:
    """From the step's column to the one it left for: ✗ where it was not seen to arrive, dotted where nobody says."""
    start, end = grid.at[step["column"]], grid.at[step["to"]]
    arrivals = [one["state"] for one in later if (one["column"], one["packet"]) == (step["to"], step["packet"])]
    state = arrivals[0] if arrivals else "not watched"
    style = DIED if state == "not seen" or grid.roles[step["to"]] == "witness" else "bold"
    left, right, sign = min(start, end), max(start, end), grid.pen.sign
    row = grid.lines().put(left + 1, sign("┄" if state == "not watched" else "─") * (right - left - 1), style)
    row.put(start, sign("├" if start < end else "┤"), "dim")
    head = "✗" if state == "not seen" else "▶" if start < end else "◀"
    row.put(end - 1 if start < end else end + 1, sign(head), style)
    label = grid.pen.say(f" {step['packet']} ")
    return row.put((left + right - len(label)) // 2, label, style).text()


def _below(document: Document, pen: Pen) -> Table:
    verdict = document["verdict"]
    rows: list[tuple[str, str]] = []
    rows += [("culprit", verdict["culprit"])] if verdict.get("culprit") else []
    if verdict.get("cause"):
        rows.append(("cause", " · ".join(filter(None, (verdict["cause"], verdict.get("cause_title"))))))
    rows += [("missing", one) for one in verdict.get("missing") or ()]
    rows += [("tried", line) for line in _tried(document)]
    rows += [("next", verdict["next_step"])] if verdict.get("next_step") else []
    rows += [("history", line) for line in _history(document)]
    table = Table.grid(padding=(0, 2))
    for (before, _), (name, words) in pairwise([("", ""), *rows]):
        table.add_row(Text("" if before == name else name, "dim"), Text(pen.say(words)))
    return table


def _tried(document: Document) -> list[str]:
    """What prober tried by itself, and what the cells beside this one say."""
    told = document.get("experiments") or ()
    return [f"{one['name']}: {one['result'] or 'under way'}" for one in told]


def _history(document: Document) -> list[str]:
    lines = []
    for one in document.get("history") or ():
        words = " · ".join(str(part) for part in (look(one["label"]).word, one.get("confidence")) if part)
        lines.append(f"{str(one['at'])[11:19]} UTC  {words}")
    return lines[:5]
