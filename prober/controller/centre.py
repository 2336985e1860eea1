"""One controller's life: what it holds, and what goes on for ever: the writer of reports, the judge, what is kept.

Everything that a route may want is a method here; routes only read requests and write answers.
"""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import secrets
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec
import structlog

from prober import __version__, beside, ladder, pcapng
from prober.controller import access, keeper
from prober.controller.behind import Behind
from prober.controller.desk import Day, Desk, Judged
from prober.controller.epochs import Epochs
from prober.controller.intake import Busy, Intake
from prober.controller.rounds import Plans, Run, new_run, run_tasks
from prober.errors import ProberError, Refused
from prober.flows import Side
from prober.joiner import HOLD
from prober.report import Held, Orders, Report
from prober.settings import Settings
from prober.store.engine import Store
from prober.surfaces import findings
from prober.surfaces.spans import Spans
from prober.targets import Targets

TURN = 0.1
"""Seconds between two looks at what can be judged."""
PRUNE_EVERY = 60.0
SAVE_EVERY = 5.0
"""Seconds of the objectives' counts that are written at a time."""
STALLED = 5.0
"""Seconds without a turn after which the judge is said to have stopped."""
KEEP_RUNS = 200
KEEP_KEYS = 1000

_log = structlog.get_logger("prober.controller")


class Centre:
    """What the routes see. `read` gives the targets anew on reload."""

    def __init__(self, settings: Settings, store: Store, targets: Targets, read: Callable[[], Targets]) -> None:
        self.settings, self.store, self.read = settings, store, read
        self.desk = Desk(targets)
        self.intake = Intake(functools.partial(keeper.write, store), self._taken)
        self.epochs = Epochs()
        self.held: dict[str, Held] = {}
        self.gaps_total: dict[str, int] = {}
        self.spans = Spans(settings.otlp_endpoint, __version__)
        self.runs: dict[str, Run] = {}
        self.keyed: dict[tuple[str, str], tuple[str, str]] = {}
        self.behind = Behind()
        self.numbers: dict[str, int] = {}
        self.keys = keeper.keys(store)
        self.changed, self.ending = asyncio.Event(), False
        self.reload_ok, self.reloaded = True, time.time()
        self.reload_error = ""
        self.notes: dict[str, str] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._starting = asyncio.Lock()
        self._started: deque[float] = deque()
        self._pruned = self._saved = self._turned = self.now()
        self._plans = Plans()
        self._shown: dict[tuple[str, str], str] = {}
        self._shown_at = float("-inf")

    # -- clocks ---------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Monotonic seconds: ages and deadlines."""
        return time.monotonic()

    def wall(self) -> float:
        """Unix seconds: what people read."""
        return time.time()

    def stamp(self, wall: float | None = None) -> str:
        """RFC 3339, UTC."""
        at = datetime.fromtimestamp(self.wall() if wall is None else wall, UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    # -- life -----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        day = keeper.rejoin(self.store, self.desk, self.now(), self.wall())
        self._keep(day)
        self._save()  # what was counted again need not be counted again by the next one, however soon it starts
        works = (self.intake.run(), self.behind.run(), self._judge_for_ever())
        self._tasks = [asyncio.create_task(work) for work in works]

    def end(self) -> None:
        """The process is about to end: streams end, so that nobody waits for them."""
        self.ending = True
        self._wake()

    async def stop(self) -> None:
        self.end()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._save()
        await self.behind.flush()
        self.spans.close()

    async def _judge_for_ever(self) -> None:
        """A turn that fails is logged and counted, and the next one is taken."""
        while True:
            await asyncio.sleep(TURN)
            try:
                self._turn()
            except Exception:  # noqa: BLE001  # whatever it was, judging goes on
                self.desk.faults += 1
                _log.exception("a turn of judging failed")

    def _turn(self) -> None:
        day = self.desk.judge(self.now(), self.wall())
        self._turned = self.now()
        self._close_runs()
        self._keep(day)
        for judged in day.judged:
            self._trace(judged)
        if day.judged:
            self._wake()
        if self.now() - self._saved > SAVE_EVERY:
            self._save()

    def trouble(self) -> str | None:
        """Why this process does not do its work now, or None: judging has stopped, or the store takes nothing."""
        if self.now() - self._turned > STALLED:
            return f"nothing has been judged for {self.now() - self._turned:.0f} s"
        return self.behind.trouble

    def _trace(self, judged: Judged) -> None:
        if judged.new and (judged.observation.run or not judged.verdict.label.passes):
            self.spans.record(judged)

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    def _keep(self, day: Day) -> None:
        for fault in day.faults:
            _log.error("a probe could not be judged", why=fault)
        if day.judged or day.flips:
            self.behind.add(functools.partial(keeper.keep, self.store, day))

    def _save(self) -> None:
        """The objectives' counts, and now and then what is too old goes."""
        self._saved = self.now()
        counts = self.desk.counts
        rows = counts.settle(now_ns := int(self.wall() * 1e9), self.intake.oldest_ns(now_ns + 1))
        self.behind.add(functools.partial(keeper.save_minutes, self.store, rows, counts.until_ns))
        self._remember()
        if self._saved - self._pruned > PRUNE_EVERY:
            self._pruned = self._saved
            for ledger in (self.desk.ledger, counts.settled):
                ledger.forget(self.wall())
            self.behind.add(functools.partial(keeper.prune, self.store, self.wall(), self.desk.targets))

    def _remember(self) -> None:
        """The matrix as it is shown, for those who ask later: where it says something else, and now and then."""
        document = self.matrix_document()
        labels = {(cell["source"], cell["target"]): cell["label"] for cell in document["cells"]}
        if labels != self._shown or self.now() - self._shown_at >= keeper.SNAPSHOT_EVERY:
            self._shown, self._shown_at = labels, self.now()
            self.behind.add(functools.partial(keeper.keep_snapshot, self.store, self.wall(), document))

    def _taken(self, report: Report, received_ns: int = 0) -> None:
        if left_out := self.desk.take(report, self.now(), received_ns or int(self.wall() * 1e9)):
            _log.warning("part of a report means nothing here", agent=report.agent, why=left_out)
        for note in report.notes:
            self.notes[report.agent] = note
            _log.warning("an agent says", agent=report.agent, note=note)
        for gap in report.gaps:
            lost = gap.last - gap.first + 1
            self.gaps_total[report.agent] = self.gaps_total.get(report.agent, 0) + lost
            _log.warning("an agent let reports go", agent=report.agent, reports=lost, failed=gap.failed, why=gap.why)
        if report.live:
            self.held[report.agent] = report.held
            if self.epochs.hear(report.agent, report.epoch, self.now()):
                _log.error("an agent is doubled", why=self.epochs.sentence(report.agent, self.now()))

    # -- agents ---------------------------------------------------------------------------------------------

    def number(self, agent: str) -> int:
        """The agent's part of a probe's id. Raises `Refused` for one that is not in targets.yaml."""
        if agent not in self.numbers:
            try:
                zone = self.desk.targets.agent(agent).zone
            except KeyError:
                raise Refused(f"agent {agent} has a token and is not in targets.yaml: declare it there") from None
            self.numbers[agent] = keeper.number(self.store, agent, zone)
        return self.numbers[agent]

    def orders(self, report: Report, holds: str = "") -> Orders:
        """What this agent is to do next; a report that waited long brings none. `holds`: its plan's version."""
        agent = report.agent
        if not report.live:
            return Orders(acknowledged=report.sequence, report_every=0.25)
        named = (report.epoch, report.sequence)
        once = [task for run in self.runs.values() for task in run_tasks(run, agent, named)]
        bench = self.desk.bench
        once += bench.tasks(report) + bench.sweeps.tasks(report)
        plan = self._plans.of(self.desk.targets, agent, self.number(agent), self.keys)
        return Orders(
            acknowledged=report.sequence, report_every=0.25, plan=None if plan.version == holds else plan,
            plan_version=plan.version,
            questions=self.desk.joiner.questions(agent), once=once,
            echoes=bench.sweeps.echoes(agent),
        )  # fmt: skip

    def agents(self) -> list[dict[str, Any]]:
        """Who has reported, and when; what their outboxes hold, and what they let go."""
        vantages, now, none = self.desk.joiner.vantages, self.now(), Held()
        return [
            {
                "name": agent.name, "zone": agent.zone, "addresses": [str(a) for a in agent.addresses],
                "pods": [str(p) for p in agent.pods], "note": self.notes.get(agent.name),
                "age_seconds": round(now - vantages[agent.name].heard, 1) if agent.name in vantages else None,
                "alarm": self.epochs.sentence(agent.name, now),
                "outbox": msgspec.structs.asdict(self.held.get(agent.name, none)),
                "gaps": keeper.told_gaps(self.store, agent.name),
            }
            for agent in self.desk.targets.agents
        ]  # fmt: skip

    # -- runs -----------------------------------------------------------------------------------------------

    async def start_run(self, sources: list[str], targets: list[str], flows: int | None, asked_by: str) -> str:
        """Start a run of these names. Raises `Refused`, `Busy` beyond the policy's runs an hour."""
        return await self.start_once(None, sources, targets, flows, asked_by)

    async def start_once(
        self, key: str | None, sources: list[str], targets: list[str], flows: int | None, asked_by: str
    ) -> str:
        """The same; a `key` that this caller used before starts nothing and gives the run that it started."""
        request = {"from": sources, "to": targets, "flows": flows}
        async with self._starting:
            known = self.keyed.get((asked_by, key)) if key else None
            if known is not None and known[1] != str(request):
                raise Refused("this Idempotency-Key was used for another run; take a new key for each run")
            run_id = known[0] if known else await self._start(request, asked_by)
            if key:
                self.keyed[asked_by, key] = (run_id, str(request))
                while len(self.keyed) > KEEP_KEYS:
                    del self.keyed[next(iter(self.keyed))]
        return run_id

    async def _start(self, request: dict[str, Any], asked_by: str) -> str:
        most = self.desk.targets.policy.runs_per_hour
        while self._started and self.now() - self._started[0] >= 3600:
            self._started.popleft()
        if len(self._started) >= most:
            raise Busy(f"{most} runs within the hour, as many as policy.runs_per_hour allows; wait, or raise it")
        run_id = secrets.token_hex(8)
        words = (request["from"], request["to"], request["flows"])
        run = new_run(run_id, self.desk.targets, *words, asked_by, self.now(), self.wall())
        await asyncio.to_thread(keeper.new_run, self.store, run, request)
        await asyncio.to_thread(keeper.audit, self.store, self.wall(), asked_by, "run", f"{run_id} {request}")
        self._started.append(self.now())
        self.runs[run_id] = run
        self.desk.runs[run_id] = run.matrix
        return run_id

    def run_document(self, run_id: str) -> dict[str, Any]:
        """A run as the API shows it. Raises KeyError."""
        run = self.runs.get(run_id)
        if run is None:
            return findings.told(keeper.stored_run(self.store, run_id))
        finished = self.stamp(run.finished_wall) if run.finished_wall else None
        document = run.document(self.now(), self.stamp(run.finished_wall)) | {"zones": self._zones()}
        return findings.told({**document, "created": self.stamp(run.created_wall), "finished": finished})

    def cancel_run(self, run_id: str, who: str) -> None:
        """Ends a run that is under way; what was judged stays."""
        run = self.runs.get(run_id)
        if run is not None and run.state == "running":
            self._end(run, "cancelled")
            self.behind.add(functools.partial(keeper.audit, self.store, self.wall(), who, "cancel run", run_id))

    def _close_runs(self) -> None:
        """Runs end once all is judged; what comes late still revises them for as long as a probe is held."""
        for run_id in [one for one in self.desk.runs if self._is_settled(self.runs.get(one))]:
            del self.desk.runs[run_id]
            if (run := self.runs.get(run_id)) is not None and run.state == "finished":
                self.behind.add(functools.partial(keeper.end_run, self.store, run, self.run_document(run.id)))
        for run in [run for run in self.runs.values() if run.state == "running" and run.over(self.now())]:
            self._end(run, "finished")

    def _is_settled(self, run: Run | None) -> bool:
        ended = run.finished_wall if run else 0.0
        return run is None or (
            run.state == "cancelled" or (run.state == "finished" and self.wall() - (ended or 0.0) > HOLD)
        )

    def _end(self, run: Run, state: str) -> None:
        run.state, run.finished_wall = state, self.wall()
        self.behind.add(functools.partial(keeper.end_run, self.store, run, self.run_document(run.id)))
        for old in list(self.runs)[:-KEEP_RUNS]:
            if self.runs[old].state != "running":
                del self.runs[old]
        self._wake()

    # -- what is shown --------------------------------------------------------------------------------------

    def matrix_document(self, sources: list[str] | None = None, targets: list[str] | None = None) -> dict[str, Any]:
        """The matrix, of these names of zones, agents and targets. Raises `Refused` for a name that means nothing."""
        declared = self.desk.targets
        wanted = declared.expand_sources(tuple(sources)) if sources else ()
        names = declared.expand_targets(tuple(targets)) if targets else ()
        document = self.desk.matrix.document(self.now(), self.stamp(), self.desk.matrix.select(wanted, names))
        return findings.told({**document, "zones": self._zones()})

    def _zones(self) -> dict[str, str]:
        """The zone of each agent and target: where cells fail together, it may be what they have in common."""
        declared = self.desk.targets
        return {one.name: one.zone for one in declared.targets} | {one.name: one.zone for one in declared.agents}

    def past_matrix(self, at: datetime, sources: list[str] | None, targets: list[str] | None) -> dict[str, Any]:
        """The matrix as it was. Raises `Refused` as above, KeyError where nothing of that moment is kept."""
        document = keeper.past_matrix(self.store, at)
        if document is None:
            raise KeyError(at)
        declared = self.desk.targets
        wanted = declared.expand_sources(tuple(sources)) if sources else document["sources"]
        names = declared.expand_targets(tuple(targets)) if targets else document["targets"]
        cells = [cell for cell in document["cells"] if cell["source"] in wanted and cell["target"] in names]
        rows, columns = ([cell[side] for cell in cells] for side in ("source", "target"))
        return {
            "at": document["at"], "sources": list(dict.fromkeys(rows)), "targets": list(dict.fromkeys(columns)),
            "cells": cells,
        }  # fmt: skip

    def path_document(self, source: str, target: str) -> dict[str, Any]:
        """A cell with its evidence. Raises KeyError for a pair that is not declared."""
        cell = self.desk.matrix.cells[source, target]
        cell = dataclasses.replace(cell, recent=cell.recent.copy())  # the judge goes on while this is read
        judged = self.desk.evidence.get((source, target))
        shown = cell.verdict(self.now())
        link = f"/api/v1/paths/{quote(source, safe='')}/{quote(target, safe='')}/evidence.pcapng"
        document: dict[str, Any] = {
            "cell": cell.document(self.now()), "verdict": ladder.verdict_document(shown),
            "history": keeper.history(self.store, source, target), "ladder": {"columns": [], "steps": []},
            "evidence": [], "links": {"pcapng": link}, "judged_at": None,
            "experiments": self._experiments(source, target),
        }  # fmt: skip
        if judged is not None:
            o = judged.observation
            document["ladder"] = {"columns": ladder.columns(o), "steps": ladder.steps(o)}
            document["evidence"], document["judged_at"] = ladder.evidence(o), self.stamp(judged.wall)
        return document

    def _experiments(self, source: str, target: str) -> list[dict[str, str]]:
        """What is being tried for a cell, and what came of what was tried before."""
        cell = self.desk.matrix.cells[source, target]
        tried = dict(cell.tried)
        if cell.recent and not cell.verdict(self.now()).label.passes:
            responders = [agent.name for agent in self.desk.targets.responders(target)]
            key, near = (source, target), self.desk.beside((source, target), self.now())
            swept = cell.traces.get(Side.BACK)
            tried |= beside.lines(key, near, responders)
            tried |= beside.shapes(key, near, responders, swept is not None and swept.arrived is None)
        trying = dict.fromkeys(self.desk.bench.trying((source, target)), "running")
        return [
            {"name": name, "state": trying.get(name, "finished"), "result": tried.get(name, "")}
            for name in {**trying, **tried}
        ]

    def pcapng(self, source: str, target: str) -> bytes:
        """Both ends' packets of the cell's last judged probe. Raises KeyError."""
        judged = self.desk.evidence[source, target]
        return pcapng.write(judged.observation, judged.verdict.sentence, int(judged.sent_wall * 1e9))

    def reload(self) -> None:
        """Read the targets again; a bad document keeps the last good one. Raises `ConfigInvalid`."""
        try:
            targets = self.read()
        except ProberError as error:
            self.reload_ok, self.reload_error = False, str(error)
            _log.error("targets.yaml is not taken; the last good one stays", why=str(error))
            raise
        self.desk.adopt(targets)
        self.reload_ok, self.reloaded, self.reload_error = True, self.wall(), ""
        _log.info("targets.yaml is taken", digest=targets.digest)

    def identity(self, token: str | None, local: bool) -> access.Identity:
        """Who asks. Raises `access.Unknown` where a token is wrong."""
        return access.identify(self.store, token, self.settings.anonymous, local)

    async def seen_before(self, signature: str) -> bool:
        """Whether a chat request with this signature came within ten minutes; remembers it."""
        return await asyncio.to_thread(keeper.seen_before, self.store, signature, self.wall())
