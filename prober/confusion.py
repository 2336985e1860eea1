"""What was expected held against what was said, counted: labels, causes, directions, confidence, time to verdict.

A trial is the document that ``prober lab run --json`` prints. A cell may expect one of several labels or causes: what
was said counts in its own row where it is one of them, else in the row of the first. Nothing is left out: a miss has
its row, a healthy cell that was called otherwise has its column.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from typing import Any

from prober.verdict import CAUSES, Confidence, Label, document

Document = dict[str, Any]
Table = dict[str, dict[str, int]]
"""Expected -> said -> how many cells."""

NONE = "no cause"


def reckon(trials: Sequence[Document]) -> Document:
    """All trials as one document: the two tables, and the counts that a catalogue is judged by.

    ``seconds`` are those from the break to the first verdict that was as expected, of the slowest cell of each trial.
    """
    cells = [cell for trial in trials for cell in trial["cells"]]
    waits = sorted(trial["seconds_to_verdict"] for trial in trials if trial.get("seconds_to_verdict") is not None)
    causes = [cell for cell in cells if cell["expected_causes"]]
    return {
        "trials": len(trials), "incidents": len({trial["scenario"] for trial in trials}),
        "trials_ok": sum(trial["ok"] for trial in trials), "cells": len(cells),
        "labels_right": sum(cell["label"] in cell["expected_labels"] for cell in cells),
        "directions": _directions(cells), "unwatched": _unwatched(cells),
        "healthy_cells": sum(_healthy(cell) for cell in cells),
        "healthy_accused": sum(_healthy(cell) and cell["label"] != Label.HEALTHY for cell in cells),
        "causes": len(causes), "causes_right": sum(cell["cause"] in cell["expected_causes"] for cell in causes),
        "label_table": _table((_row(cell["label"], cell["expected_labels"]), cell["label"]) for cell in cells),
        "cause_table": _table(
            (_row(cell["cause"] or NONE, cell["expected_causes"]), cell["cause"] or NONE) for cell in causes
        ),
        "confidence": _confidences(cells),
        "seconds": _spread(waits),
        "misses": [{"scenario": trial["scenario"], "misses": trial["misses"]} for trial in trials if trial["misses"]],
    }  # fmt: skip


def _healthy(cell: Document) -> bool:
    return list(cell["expected_labels"]) == [Label.HEALTHY]


def _row(said: str, expected: Sequence[str]) -> str:
    return said if said in expected else expected[0]


def _table(pairs: Iterable[tuple[str, str]]) -> Table:
    table: Table = {}
    for expected, said in pairs:
        row = table.setdefault(expected, {})
        row[said] = row.get(said, 0) + 1
    return table


def _directions(cells: Iterable[Document]) -> dict[str, int]:
    """Of the cells that must not pass: blamed on the right direction, on none (*unknown*), on a wrong one.

    All of them count, in a run without agents at the target's side as well: those whose cause is the prober's own
    host, which need nobody else, and those whose target an agent still covers. `_unwatched` tells them apart. A cell
    that may be `unknown` only, or passes, is left out: a healthy cell has a count of its own. `intermittent` is right
    where it was expected; in which direction the losses are is its culprit, and is not counted here.
    """
    counts = {"right": 0, "unknown": 0, "wrong": 0}
    for cell in cells:
        wanted = _ways(cell)
        if wanted:
            counts[_way(cell, wanted)] += 1
    return counts


def _ways(cell: Document) -> set[str]:
    """The directions of which a cell must be blamed on one; empty for one that passes, or has no direction."""
    nowhere = {Label.HEALTHY.direction, Label.UNKNOWN.direction}
    wanted = {Label(one).direction for one in cell["expected_labels"]}
    return set() if wanted <= nowhere else wanted


def _way(cell: Document, wanted: set[str]) -> str:
    said = Label(cell["label"])
    return "unknown" if said == Label.UNKNOWN else "right" if said.direction in wanted else "wrong"


def _unwatched(cells: Iterable[Document]) -> Table:
    """The same of the cells whose target no agent covers, by the direction that was expected (of several the first)."""
    table: Table = {}
    for cell in cells:
        wanted = _ways(cell)
        if wanted and not cell["covered"]:
            row = table.setdefault(Label(cell["expected_labels"][0]).direction, {"right": 0, "unknown": 0, "wrong": 0})
            row[_way(cell, wanted)] += 1
    return table


def _confidences(cells: Iterable[Document]) -> dict[str, Document]:
    """How many cells were said with each confidence, and how many of those had a label that was expected."""
    counts = {one.value: {"cells": 0, "right": 0} for one in Confidence}
    for cell in cells:
        row = counts[cell["confidence"]]
        row["cells"] += 1
        row["right"] += cell["label"] in cell["expected_labels"]
    return counts


def _spread(ordered: Sequence[float]) -> Document:
    """Median, ninetieth percentile (nearest rank) and maximum of ordered values; None where there is none."""
    if not ordered:
        return {"median": None, "p90": None, "max": None}
    return {
        "median": round(median(ordered), 2), "p90": round(ordered[-(-9 * len(ordered) // 10) - 1], 2),
        "max": round(ordered[-1], 2),
    }  # fmt: skip


def sides(table: Table, order: Sequence[str]) -> tuple[list[str], list[str]]:
    """A table's rows and columns, in the order of the words; what is no word comes last."""

    def placed(names: Iterable[str]) -> list[str]:
        return sorted(set(names), key=lambda one: (order.index(one) if one in order else len(order), one))

    return placed(table), placed(said for row in table.values() for said in row)


LABELS = [label.value for label in Label]


def markdown(reckoned: Document) -> list[str]:
    """The same for docs/verdicts.md: lines of markdown."""
    directions, seconds = reckoned["directions"], reckoned["seconds"]
    accused, healthy = reckoned["healthy_accused"], reckoned["healthy_cells"]
    counts = (
        f"{reckoned['trials']} trials of {reckoned['incidents']} incidents, {reckoned['cells']} cells: "
        f"{reckoned['labels_right']} labels as expected, {reckoned['causes_right']} of {reckoned['causes']} causes, "
        f"{accused} of {healthy} healthy cells called otherwise; direction right {directions['right']}, unknown "
        f"{directions['unknown']}, wrong {directions['wrong']}. Seconds from the break to the verdict: median "
        f"{seconds['median']}, p90 {seconds['p90']}, most {seconds['max']}."
    )
    return [
        counts, "", "Expected in rows, said in columns:", "",
        *_markdown_table(reckoned["label_table"], LABELS), *_markdown_table(reckoned["cause_table"], CAUSES),
        *_unwatched_table(reckoned.get("unwatched", {})),
        "| confidence | cells | label as expected |", "|---|---|---|",
        *(f"| `{name}` | {row['cells']} | {row['right']} |" for name, row in reckoned["confidence"].items()),
    ]  # fmt: skip


def _unwatched_table(table: Table) -> Iterator[str]:
    if not table:
        return
    yield from ("Cells whose target no agent covers, by the direction that was expected:", "")
    yield from ("| expected | right | unknown | wrong |", "|---|---|---|---|")
    for way, row in sorted(table.items()):
        yield f"| {way} | {row['right']} | {row['unknown']} | {row['wrong']} |"
    yield ""


NOT_TOLD = """\
What stays `unknown` there, and why: a handshake that meets silence leaves nothing behind that anybody but the target
could see, so for each of these there is another cause that looks the same from everywhere else.

- One source fails at one target, others do not: a filter on its SYNs and one on the answers to it look alike.
- One source fails at a node and all its pods: that node's firewall, or its way back. A route that is missing or wrong
  there is told by the node itself to an agent on its link; one that swallows in silence, a rule by source and
  rp_filter are not, nor where the prober is no target that policy lets be dialled.
- Nobody reaches the target: a filter at its host, a full accept queue, or no route back from it.
- A load balancer's agent passes the SYN on, and no answer comes: behind it all of that may be.
- A wrong route is known, and an agent that would have caught this answer caught none: the SYN may have died before.
""".splitlines()
"""Of which cells no direction is inferred."""


def handbook(with_agents: Document, without: Document) -> str:
    """docs/verdicts.md: the words, and what the last catalogue measured, with agents at the target and without."""
    kept = "Every cell of every incident in the lab's catalogue, on the real kernel: `make catalogue`."
    bare = "The same incidents without the agents that cover the target: asked is the right direction, or unknown."
    measured = ["## Measured", "", kept, "", *markdown(with_agents), ""]
    return document(
        [*measured, "### Without an agent at the target's side", "", bare, "", *markdown(without), "", *NOT_TOLD, ""]
    )


def _markdown_table(table: Table, order: Sequence[str]) -> Iterator[str]:
    if not table:
        return
    rows, columns = sides(table, order)
    yield f"| expected | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 1) + "|"
    for row in rows:
        yield f"| {row} | {' | '.join(str(table[row].get(column, '')) for column in columns)} |"
    yield ""
