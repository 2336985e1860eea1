"""A trial: build an incident, break it, let prober judge, compare with what its file expects, tear it down.

What prober says is read from its API; the expectation is looked at afterwards only.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prober.controller import byways
from prober.lab.incident import Incident
from prober.lab.stage import Stage, cells_by_pair
from prober.lab.timeline import Timeline

STALE_PATIENCE = 12.0
"""Seconds within which the cells of an agent that was silenced must have gone stale."""

TRIES_PATIENCE, CALM = 20.0, 1.2
"""Seconds within which what prober tries of cells that nobody watches must have ended; and for which none is begun."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Trial:
    """What came out. ``cells`` are the API's, each with ``expected`` and ``ok``; ``misses`` say what was not so.

    ``healed``: whether the network was seen healthy again, so that the next trial on this stage may begin at once.
    """

    scenario: str
    ok: bool
    seconds: float
    cells: list[dict[str, Any]]
    misses: list[str]
    healed: bool = True

    @property
    def seconds_to_verdict(self) -> float | None:
        """From the break to the first verdict as expected of its slowest cell; None where no cell was to change."""
        waits = [cell["seconds"] for cell in self.cells if cell["seconds"] is not None]
        return max(waits, default=None)

    def document(self) -> dict[str, Any]:
        """As ``prober lab run --json`` prints it."""
        return {
            "scenario": self.scenario, "ok": self.ok, "seconds": round(self.seconds, 2),
            "seconds_to_verdict": self.seconds_to_verdict, "cells": self.cells, "misses": self.misses,
        }  # fmt: skip


Keep = Callable[[Stage, Trial, int], None]


def run(incidents: Sequence[Incident], folder: Path, say: Say, keep: Keep | None = None) -> Iterator[Trial]:
    """Trials one after the other; those that share network and targets share a lab, healed in between.

    ``keep`` is handed each trial while its stage still stands, and when it began (Unix nanoseconds). A trial that
    leaves its network ill ends its stage: the next one has a new lab."""
    waiting, number = list(incidents), 0
    while waiting:
        number += 1
        place = folder / str(number)
        place.mkdir(parents=True)
        say(f"building the network of {waiting[0].name}")
        started, healthy = time.monotonic(), False
        with Stage(waiting[0], place) as stage:
            stage.await_judged()
            shared = network(waiting[0])
            while waiting and network(waiting[0]) == shared:
                stage.incident, began_ns = waiting.pop(0), time.time_ns()
                trial = on(stage, say, started, healthy and keep is None)  # what is kept begins with a healthy run
                if keep is not None:
                    keep(stage, trial, began_ns)
                yield trial
                started, healthy = time.monotonic(), trial.healed
                if not healthy or stage.incident.live:  # what was looked into would be taken for looked into anew
                    break
        shutil.rmtree(place)  # a private directory is a small tmpfs: a catalogue's databases would fill it


def network(incident: Incident) -> tuple[str, str, tuple[str, ...], str]:
    """What two incidents must share to share a stage: the network, the targets, and who may not capture.

    Where the live matrix is watched, nothing may be left over from another incident: it shares none."""
    alone = incident.name if incident.live else ""
    return incident.network.model_dump_json(), incident.targets_text(), incident.unprivileged, alone


def on(stage: Stage, say: Say, started: float, healthy: bool = False) -> Trial:
    """One trial on a stage that stands and has been judged; `healthy` where the trial before it ended so."""
    incident = stage.incident
    say(f"{incident.name}: {incident.title}")
    misses = [] if healthy else list(_healthy(stage.run(), "before the break"))
    asked = cells_by_pair(stage.get("/api/v1/matrix"))
    _await_tries(stage, [pair for pair in asked if not stage.targets.responders(pair[1])], CALM)
    timeline = Timeline()
    if incident.break_steps or incident.stop_agents:
        stage.break_it()
    cells = _broken(stage, timeline)
    seconds = timeline.seconds(incident.expected)
    covered = {target.name for target in stage.targets.targets if stage.targets.responders(target.name)}
    covered |= {agent.name for agent in stage.targets.agents}
    judged = [
        _compared(cell, incident, covered, seconds.get((cell["source"], cell["target"]))) for cell in cells
    ]  # fmt: skip
    misses += [_miss(cell) for cell in judged if not cell["ok"]]
    ill: list[str] = []
    if incident.heal_steps or incident.stop_agents:
        stage.heal_it()
        ill = list(_healthy(stage.run(), "after the heal"))
    ill += stage.gone()
    misses += ill
    return Trial(incident.name, not misses, time.monotonic() - started, judged, misses, not ill)


def _broken(stage: Stage, timeline: Timeline) -> list[dict[str, Any]]:
    """The cells after the break: of agents that probe by a run, of the others from the live matrix once it is stale."""
    if stage.incident.live:
        return _live(stage, timeline)
    silent = {*stage.incident.stop_agents, *stage.incident.unprivileged}
    if stage.incident.stop_agents:
        time.sleep(2.5)  # until the controller has noticed the silence

    def look(document: dict[str, Any]) -> None:
        timeline.look("run", document)
        timeline.look("live", stage.get("/api/v1/matrix"))

    document = stage.settled(stage.run(look))
    unknown = [pair for pair, cell in cells_by_pair(document).items() if cell["label"] == "unknown"]
    if _await_tries(stage, unknown):
        document = stage.settled(stage.run(look))
    look(document)
    cells = list(document["cells"])
    if not silent:
        return cells
    deadline = time.monotonic() + STALE_PATIENCE
    while True:
        document = stage.get("/api/v1/matrix")
        timeline.look("live", document)
        theirs = [cell for (source, _), cell in cells_by_pair(document).items() if source in silent]
        if all(cell["label"] == "unknown" for cell in theirs) or time.monotonic() > deadline:
            return cells + theirs
        time.sleep(0.2)


def _await_tries(stage: Stage, pairs: Sequence[tuple[str, str]], calm: float = 0.0) -> bool:
    """Wait until prober asks the hosts of these cells' targets for no way any more, for so long; False where it did
    not."""
    waited, quiet = False, time.monotonic() + calm
    deadline = time.monotonic() + TRIES_PATIENCE
    while pairs and time.monotonic() < deadline:
        if any(_asking(stage, *pair) for pair in pairs):
            waited, quiet = True, time.monotonic() + calm
        elif time.monotonic() >= quiet:
            break
        time.sleep(0.2)
    return waited


def _asking(stage: Stage, source: str, target: str) -> bool:
    tried = stage.get(f"/api/v1/paths/{source}/{target}")["experiments"]
    return any(one["name"] == byways.NAME and one["state"] == "running" for one in tried)


def _live(stage: Stage, timeline: Timeline) -> list[dict[str, Any]]:
    """The live matrix as soon as prober has looked into every cell that the incident names, or its time is up."""
    named = [(source, target) for one in stage.incident.expect for source in one.source for target in one.target]
    deadline = time.monotonic() + stage.incident.live
    flaps = Flaps(stage)
    while time.monotonic() < deadline and (flaps.every or not all(_looked_into(stage, *pair) for pair in named)):
        timeline.look("live", stage.get("/api/v1/matrix"))
        time.sleep(0.2)
        flaps.turn(time.monotonic())
    document = stage.get("/api/v1/matrix")
    timeline.look("live", document)
    flaps.end()
    return list(document["cells"])


class Flaps:
    """A break that comes and goes: healed and made again in turn, where the incident says so."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.every, self.broken = stage, stage.incident.flap, True
        self.next = time.monotonic() + self.every

    def turn(self, now: float) -> None:
        if self.every and now >= self.next:
            self.stage.lab.run(self.stage.incident.heal_steps if self.broken else self.stage.incident.break_steps)
            self.broken, self.next = not self.broken, now + self.every

    def end(self) -> None:
        """It ends broken, so that the heal finds what it undoes."""
        if not self.broken:
            self.stage.lab.run(self.stage.incident.break_steps)


def _looked_into(stage: Stage, source: str, target: str) -> bool:
    tried = stage.get(f"/api/v1/paths/{source}/{target}")["experiments"]
    return bool(tried) and all(one["state"] == "finished" for one in tried)


def _healthy(document: dict[str, Any], when: str) -> Iterator[str]:
    for cell in document["cells"]:
        if cell["label"] != "healthy":
            yield f"{when}: {cell['source']} → {cell['target']} is {cell['label']}: {cell['sentence']}"


def _compared(
    cell: dict[str, Any], incident: Incident, covered: AbstractSet[str], seconds: float | None = None
) -> dict[str, Any]:  # fmt: skip
    """The cell beside what was expected of it; `seconds` from the break to the first verdict that was so, `covered` the
    targets at whose side an agent stands."""
    expected = incident.expected(cell["source"], cell["target"])
    met = expected.met_by(cell["label"], cell["cause"], cell["confidence"], cell["culprit"])
    kept = {k: cell[k] for k in ("source", "target", "label", "cause", "confidence", "culprit", "sentence")}
    return {
        **kept, "expected": expected.text(), "expected_labels": list(expected.label),
        "expected_causes": list(expected.cause), "covered": cell["target"] in covered,
        "seconds": None if seconds is None else round(seconds, 2), "ok": met,
    }  # fmt: skip


def _miss(cell: dict[str, Any]) -> str:
    said = " ".join(str(cell[k]) for k in ("label", "cause", "confidence") if cell[k])
    return f"{cell['source']} → {cell['target']}: expected {cell['expected']}, seen {said}: {cell['sentence']}"
