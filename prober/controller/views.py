"""What is known, as documents: the matrix as it is and as it was, a path with its evidence, a run, the objectives.

Routes and chats read these, and hand them on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec

from prober import beside, ladder, pcapng
from prober.controller import history, keeper
from prober.controller.desk import Desk
from prober.controller.incidents import zones
from prober.controller.rounds import Run
from prober.flows import Side
from prober.matrix import Cell
from prober.slo import alerts
from prober.store.engine import Store
from prober.surfaces import compact, findings
from prober.surfaces.stamps import stamp
from prober.verdict import Verdict


class Views:
    """`runs` are those that this controller follows, `notes` what agents said last of themselves. `now` is monotonic
    seconds, `wall` Unix seconds."""

    def __init__(
        self, store: Store, desk: Desk, runs: Mapping[str, Run], notes: Mapping[str, str], now: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:  # fmt: skip
        self.store, self.desk, self.runs, self.notes, self.now, self.wall = store, desk, runs, notes, now, wall

    def matrix(self, sources: list[str] | None = None, targets: list[str] | None = None) -> dict[str, Any]:
        """The matrix, of these names of zones, agents and targets. Raises `Refused` for a name that means nothing."""
        declared = self.desk.targets
        wanted = declared.expand_sources(tuple(sources)) if sources else ()
        names = declared.expand_targets(tuple(targets)) if targets else ()
        document = self.desk.matrix.shown(self.now(), stamp(self.wall()), wanted, names)
        if "left_out" in document:
            document["zone_pairs"] = compact.zone_pairs(self.desk.matrix, self._zones(), self.now())
        return findings.told({**document, "zones": self._zones()})

    def compact(self) -> bytes:
        """The label of every cell, a sign each; see `prober.surfaces.compact`."""
        return compact.signs(self.desk.matrix, self.now(), stamp(self.wall()))

    def zone_pairs(self) -> bytes:
        """The same by pairs of zones."""
        return compact.by_zones(self.desk.matrix, self._zones(), self.now(), stamp(self.wall()))

    def past(self, at: datetime, sources: list[str] | None, targets: list[str] | None) -> dict[str, Any]:
        """The matrix as it was. Raises `Refused` as above, KeyError where nothing of that moment is kept."""
        document = keeper.past_matrix(self.store, at)
        if document is None:
            raise KeyError(at)
        declared = self.desk.targets
        wanted = declared.expand_sources(tuple(sources)) if sources else document["sources"]
        names = declared.expand_targets(tuple(targets)) if targets else document["targets"]
        cells = [cell for cell in document["cells"] if cell["source"] in wanted and cell["target"] in names]
        rows, columns = ([cell[side] for cell in cells] for side in ("source", "target"))
        return findings.told({
            "at": document["at"], "sources": list(dict.fromkeys(rows)), "targets": list(dict.fromkeys(columns)),
            "cells": cells, **({"left_out": document["left_out"]} if document.get("left_out") else {}),
            "zones": self._zones(),
        })  # fmt: skip

    def path(self, source: str, target: str) -> dict[str, Any]:
        """A cell with its evidence. Raises KeyError for a pair that is not declared."""
        cell = self.desk.matrix.cells[source, target]
        cell = dataclasses.replace(cell, recent=cell.recent.copy())  # the judge goes on while this is read
        judged = self.desk.evidence.get((source, target))
        shown = self._with_note(cell, cell.verdict(self.now()))
        link = f"/api/v1/paths/{quote(source, safe='')}/{quote(target, safe='')}.pcapng"
        document: dict[str, Any] = {
            "cell": cell.document(self.now()), "verdict": ladder.verdict_document(shown),
            "history": history.of_pair(self.store, source, target), "ladder": {"columns": [], "steps": []},
            "evidence": [], "links": {"pcapng": link}, "judged_at": None,
            "experiments": self._experiments(source, target),
        }  # fmt: skip
        if judged is not None:
            o = judged.observation
            document["ladder"] = {"columns": ladder.columns(o), "steps": ladder.steps(o)}
            document["evidence"], document["judged_at"] = ladder.evidence(o), stamp(judged.wall)
        return document

    def _with_note(self, cell: Cell, said: Verdict) -> Verdict:
        """Of a cell that is not probed, what its agent says of itself, where that is heard of."""
        note, now = self.notes.get(cell.source), self.now()
        if note is None or not cell.stale(now) or not self.desk.joiner.is_alive(cell.source, now):
            return said
        heard = f"agent {cell.source} reports, and said last: {note}"
        return msgspec.structs.replace(said, missing=(*said.missing, heard))

    def _experiments(self, source: str, target: str) -> list[dict[str, str]]:
        """What is being tried for a cell, and what came of what was tried before."""
        cell = self.desk.matrix.cells[source, target]
        tried = dict(cell.tried)
        if cell.recent and not cell.verdict(self.now()).label.passes:
            responders = [agent.name for agent in self.desk.targets.responders(target)]
            key, near = (source, target), self.desk.looking.beside((source, target), self.now())
            swept = cell.traces.get(Side.BACK)
            tried |= beside.lines(key, near, responders)
            tried |= beside.shapes(key, near, responders, swept is not None and swept.arrived is None)
        trying = dict.fromkeys(self.desk.looking.bench.trying((source, target)), "running")
        return [
            {"name": name, "state": trying.get(name, "finished"), "result": tried.get(name, "")}
            for name in {**trying, **tried}
        ]

    def capture(self, source: str, target: str) -> bytes:
        """Both ends' packets of the cell's last judged probe. Raises KeyError."""
        judged = self.desk.evidence[source, target]
        return pcapng.write(judged.observation, judged.verdict.sentence, int(judged.sent_wall * 1e9))

    def run(self, run_id: str) -> dict[str, Any]:
        """A run as the API shows it. Raises KeyError."""
        run = self.runs.get(run_id)
        if run is None:
            return findings.told(keeper.stored_run(self.store, run_id))
        finished = stamp(run.finished_wall) if run.finished_wall else None
        document = run.document(self.now(), finished or stamp(self.wall())) | {"zones": self._zones()}
        return findings.told({**document, "created": stamp(run.created_wall), "finished": finished})

    def slos(self) -> dict[str, Any]:
        """Every objective as it stands."""
        declared, rows = {one.name: one for one in self.desk.targets.objectives}, []
        for standing in self.desk.tally.ledger.standings(self.wall()):
            objective = declared[standing.objective]
            rows.append(
                {
                    "name": standing.objective, "availability": objective.availability,
                    "latency_ms": objective.latency_ms, "window_seconds": standing.window_seconds,
                    "good": standing.good, "total": standing.total, "attainment": standing.attainment,
                    "budget_left": standing.budget_left, "burn": standing.burn,
                    "alerts": [alert.sentence for alert in alerts(standing)],
                    "sources": list(objective.sources), "targets": list(objective.targets),
                }
            )  # fmt: skip
        return {"at": stamp(self.wall()), "slos": rows}

    def _zones(self) -> dict[str, str]:
        """The zone of each agent and target: where cells fail together, it may be what they have in common."""
        return zones(self.desk.targets)
