"""A trial: build an incident, break it, let prober judge, compare with what its file expects, tear it down.

What prober says is read from its API; the expectation is looked at afterwards only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from prober.lab.incident import Incident
from prober.lab.stage import Stage, cells_by_pair

STALE_PATIENCE = 12.0
"""Seconds within which the cells of an agent that was silenced must have gone stale."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Trial:
    """What came out. ``cells`` are the API's, each with ``expected`` and ``ok``; ``misses`` say what was not so."""

    scenario: str
    ok: bool
    seconds: float
    cells: list[dict[str, Any]]
    misses: list[str]

    def document(self) -> dict[str, Any]:
        """As ``prober lab run --json`` prints it."""
        return {
            "scenario": self.scenario, "ok": self.ok, "seconds": round(self.seconds, 2), "cells": self.cells,
            "misses": self.misses,
        }  # fmt: skip


Keep = Callable[[Stage, Trial, int], None]


def run(incidents: Sequence[Incident], folder: Path, say: Say, keep: Keep | None = None) -> Iterator[Trial]:
    """Trials one after the other; those that share network and targets share a lab, healed in between.

    ``keep`` is handed each trial while its stage still stands, and when it began (Unix nanoseconds)."""
    for number, (_, several) in enumerate(groupby(incidents, lambda one: (one.network, one.targets_text()))):
        together = list(several)
        place = folder / str(number)
        place.mkdir()
        say(f"building the network of {together[0].name}")
        started = time.monotonic()
        with Stage(together[0], place) as stage:
            stage.await_judged()
            for incident in together:
                stage.incident, began_ns = incident, time.time_ns()
                trial = on(stage, say, started)
                if keep is not None:
                    keep(stage, trial, began_ns)
                yield trial
                started = time.monotonic()


def on(stage: Stage, say: Say, started: float) -> Trial:
    """One trial on a stage that stands and has been judged."""
    incident = stage.incident
    say(f"{incident.name}: {incident.title}")
    misses = list(_healthy(stage.run(), "before the break"))
    if incident.break_steps or incident.stop_agents:
        stage.break_it()
    judged = [_compared(cell, incident) for cell in _broken(stage)]
    misses += [_miss(cell) for cell in judged if not cell["ok"]]
    if incident.heal_steps or incident.stop_agents:
        stage.heal_it()
        misses += _healthy(stage.run(), "after the heal")
    return Trial(incident.name, not misses, time.monotonic() - started, judged, misses)


def _broken(stage: Stage) -> list[dict[str, Any]]:
    """The cells after the break: of living agents by a run, of silenced ones from the live matrix once it is stale."""
    silent = set(stage.incident.stop_agents)
    living = [name for name in stage.incident.network.agents if name not in silent]
    if silent:
        time.sleep(2.5)  # until the controller has noticed the silence
    cells = list(stage.run(living)["cells"])
    if not silent:
        return cells
    deadline = time.monotonic() + STALE_PATIENCE
    while True:
        matrix = cells_by_pair(stage.get("/api/v1/matrix"))
        theirs = [cell for (source, _), cell in matrix.items() if source in silent]
        if all(cell["label"] == "unknown" for cell in theirs) or time.monotonic() > deadline:
            return cells + theirs
        time.sleep(0.2)


def _healthy(document: dict[str, Any], when: str) -> Iterator[str]:
    for cell in document["cells"]:
        if cell["label"] != "healthy":
            yield f"{when}: {cell['source']} → {cell['target']} is {cell['label']}: {cell['sentence']}"


def _compared(cell: dict[str, Any], incident: Incident) -> dict[str, Any]:
    expected = incident.expected(cell["source"], cell["target"])
    met = expected.met_by(cell["label"], cell["cause"], cell["confidence"], cell["culprit"])
    kept = {k: cell[k] for k in ("source", "target", "label", "cause", "confidence", "culprit", "sentence")}
    return {**kept, "expected": expected.text(), "ok": met}


def _miss(cell: dict[str, Any]) -> str:
    said = " ".join(str(cell[k]) for k in ("label", "cause", "confidence") if cell[k])
    return f"{cell['source']} → {cell['target']}: expected {cell['expected']}, seen {said}: {cell['sentence']}"
