"""Who reports, on a terminal: a row an agent, and below it what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from prober.surfaces.pen import Drawing, Pen

Document = dict[str, Any]
BAD, GOOD, FAINT = "bold #d55e00", "#009e73", "dim"
SILENT = 10.0
"""Seconds without a report after which an agent is said to be silent, as on the page."""


def draw(document: Document) -> RenderableType:
    """What ``GET /api/v1/agents`` answers, silent agents first."""
    return Drawing(_draw, document)


def is_silent(agent: Document) -> bool:
    """Never heard, or not for `SILENT` seconds."""
    age = agent["age_seconds"]
    return age is None or age > SILENT


def _draw(document: Document, pen: Pen) -> Iterator[RenderableType]:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("", no_wrap=True)
    table.add_column("agent", overflow="fold")
    table.add_column("zone", overflow="fold")
    table.add_column("heard", justify="right", no_wrap=True)
    table.add_column("waiting", justify="right", no_wrap=True)
    table.add_column("says", overflow="fold", ratio=1)
    for one in sorted(document["agents"], key=lambda one: not is_silent(one)):
        table.add_row(*_row(one, pen))
    yield table


def _row(one: Document, pen: Pen) -> tuple[Text, ...]:
    silent, says = is_silent(one), _says(one)
    sign, style = ("✗", BAD) if silent else ("!", BAD) if says else ("✓", GOOD)
    return (
        Text(pen.say(sign), style), Text(pen.say(one["name"]), BAD if silent else ""),
        Text(pen.say(one["zone"]), FAINT), Text(_heard(one["age_seconds"])), Text(_waiting(one["outbox"])),
        Text(pen.say(says)),
    )  # fmt: skip


def _heard(age: float | None) -> str:
    return "never" if age is None else f"{age:.1f} s ago" if age < 60 else f"{age / 60:.0f} min ago"


def _waiting(outbox: Document) -> str:
    """Reports that wait for the controller, as the agent said last."""
    count = outbox["reports"]
    return f"{count:,}" if count > 1 else ""


def _says(one: Document) -> str:
    """What there is to know of it beside its silence."""
    lost = [f"of {gap['from']} to {gap['to']} it kept nothing ({gap['why']})" for gap in one["gaps"][:1]]
    return "; ".join(part for part in (one["alarm"], one["detour"], one["note"], *lost) if part)
