"""What an incident says: one culprit, one sentence and one next step for all of its cells.

Cells are as in ``GET /api/v1/matrix``, with the ``next_step`` of each; the words are those of findings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from prober.surfaces.findings import CONFIDENCES, Finding, findings
from prober.surfaces.glyphs import look, shown


class Summary(NamedTuple):
    """``element`` is what its cells have in common, of this ``kind`` (`prober.localise.KINDS`)."""

    label: str
    cause: str | None
    confidence: str | None
    culprit: str | None
    element: str
    kind: str
    route: str | None
    sentence: str
    next_step: str
    zones: list[str]


def summary(cells: Sequence[dict[str, Any]], zones: Mapping[str, str]) -> Summary:
    """The summary of an incident with these cells, one at least, that fail or failed."""
    found = findings({"cells": list(cells), "zones": zones})
    main = max(found, key=lambda one: (one.culprit is not None, len(one.cells)))
    lead = _lead(main)
    ends = [end for cell in cells for end in (cell["source"], cell["target"])]
    touched = dict.fromkeys(zones[end] for end in ends if end in zones)
    return Summary(
        lead["label"], lead["cause"], main.confidence, main.culprit, main.element.name, main.element.kind,
        main.route or None, _sentence(main, len(cells)), lead["next_step"], sorted(touched),
    )  # fmt: skip


def _lead(main: Finding) -> dict[str, Any]:
    """The cell that speaks for the others: it names the culprit, as surely as any; the worst of those."""
    named = [cell for cell in main.cells if main.culprit is None or shown(cell["culprit"]) == main.culprit]
    return min(named or main.cells, key=lambda cell: _sure(cell["confidence"]))


def _sure(confidence: str | None) -> int:
    return CONFIDENCES.index(confidence) if confidence in CONFIDENCES else len(CONFIDENCES)


def _sentence(main: Finding, total: int) -> str:
    rest = total - len(main.cells)
    others = "1 other path" if rest == 1 else f"{rest} other paths"
    return f"{main.line}; beside it {others}, without a culprit of their own." if rest else f"{main.line}."


def lines(documents: Sequence[dict[str, Any]], most: int = 5) -> list[str]:
    """A line for each open incident of ``GET /api/v1/incidents``, the newest first; findings say the rest."""
    told = [_line(one) for one in documents[:most]]
    return told + ([f"and {len(documents) - most} more open incidents"] if len(documents) > most else [])


def _line(one: dict[str, Any]) -> str:
    since = f"open since {one['opened_at'][:16].replace('T', ' ')} UTC"
    total, failing = one["cells_total"], one["cells_failing"]
    paths = f"{failing} of {total} paths" if failing < total else "1 path" if total == 1 else f"{total} paths"
    return f"Incident {one['id'][:8]}, {since}: {shown(one['element'])}, {look(one['label']).word} on {paths}"
