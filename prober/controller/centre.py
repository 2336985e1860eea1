"""One controller's life: what it holds, and what goes on for ever: the writer of reports, the judge, what is kept.

Everything that a route may want is a method here; routes only read requests and write answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec
import structlog

from prober import __version__, beside, ladder, pcapng
from prober.controller import access, history, keeper, receivers, resume
from prober.controller.alerts import Alerts
from prober.controller.behind import Behind
from prober.controller.desk import Day, Desk, Judged
from prober.controller.detours import Detours
from prober.controller.epochs import Epochs
from prober.controller.errands import Errand, Errands
from prober.controller.incidents import Reader, zones
from prober.controller.intake import Intake
from prober.controller.record import Record
from prober.controller.retention import Retention
from prober.controller.rounds import Plans
from prober.controller.runs import Runs
from prober.controller.signers import Signers
from prober.controller.tail import Tail
from prober.errors import ProberError, Refused, StoreUnavailable
from prober.flows import Side
from prober.report import Held, Orders, Report, report_every
from prober.settings import Settings
from prober.store import audit, notices
from prober.store.engine import Store
from prober.surfaces import compact, findings
from prober.surfaces.spans import Spans
from prober.surfaces.stamps import stamp
from prober.targets import Targets

TURN = 0.1
"""Seconds between two looks at what can be judged."""
STALLED = 5.0
"""Seconds without a turn after which the judge is said to have stopped."""
LOOK_EVERY = 0.5
"""Seconds between two looks at what other controllers did, unless one says that there is something."""

_log = structlog.get_logger("prober.controller")


class Centre:
    """What the routes see. `read` gives the targets anew on reload."""

    def __init__(self, settings: Settings, store: Store, targets: Targets, read: Callable[[], Targets]) -> None:
        self.settings, self.store, self.read = settings, store, read
        self.desk = Desk(targets)
        self.tail = Tail(store, self._taken, self.now)
        self.intake = Intake(self.tail.write, self.tail.own)
        self.behind, self.errands, self.signers = Behind(), Errands(store), Signers(store)
        kept = Retention.of(settings)
        self.record = Record(store, self.desk, self.behind, self.tail, self.wall, self.matrix_document, kept)
        self.epochs, self.incidents = Epochs(), Reader(store, self.desk)
        self.alerts = Alerts(self.desk, self.record.holding, receivers.named(settings), self.wall, settings.public_url)
        self.held: dict[str, Held] = {}
        self.gaps_total: dict[str, int] = {}
        self.spans = Spans(settings.otlp_endpoint, __version__)
        self.asked = Runs(store, self.desk, self.behind, self.errands, self.now, self.wall)
        self.runs = self.asked.known
        self.numbers = keeper.numbers(store, targets)
        self.keys, self.detours = keeper.keys(store), Detours(keeper.relay_secret(store))
        self.changed, self.ending = asyncio.Event(), False
        self.reload_ok, self.reloaded = True, time.time()
        self.reload_error = ""
        self.notes: dict[str, str] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._told, self._ended = asyncio.Event(), threading.Event()
        self._turned = self.now()
        self.plans = Plans(self.detours.secret)

    # -- clocks ---------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Monotonic seconds: ages and deadlines."""
        return time.monotonic()

    def wall(self) -> float:
        """Unix seconds: what people read."""
        return time.time()

    def stamp(self, wall: float | None = None) -> str:
        """RFC 3339, UTC."""
        return stamp(self.wall() if wall is None else wall)

    # -- life -----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """What is known is read from the log; who has the lease goes on from there, who has not follows."""
        self.desk.looking.bench.paused = True
        day, place, ahead = resume.rejoin(self.store, self.desk, self.now(), self.asked.adopt())
        self.tail.begin(place, ahead)
        self._keep(day)
        await self.record.learn()
        await self.record.holding.seek()
        works = (
            self.intake.run(), self.behind.run(), self.tail.run(), self.record.holding.run(),
            self._judge_for_ever(), self._look_for_ever(), *self.alerts.works(),
        )  # fmt: skip
        self._tasks = [asyncio.create_task(work) for work in works]
        words = (self.store, self._hearing(asyncio.get_running_loop()), self._ended)
        threading.Thread(target=notices.listen, args=words, name="notices", daemon=True).start()

    def _hearing(self, loop: asyncio.AbstractEventLoop) -> Callable[[str], None]:
        """For the thread that listens."""

        def heard(word: str) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(self._heard, word)

        return heard

    def _heard(self, word: str) -> None:
        """Another controller says that there is something new."""
        if word in ("reports", notices.ALL):
            self.tail.wake()
        if word in ("lease", notices.ALL):
            self.record.holding.wake()
        if word != "reports":
            self._told.set()

    async def _look_for_ever(self) -> None:
        """What other controllers started, ended, asked agents to do and counted."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), LOOK_EVERY)
            self._told.clear()
            with contextlib.suppress(StoreUnavailable):  # whoever writes says so
                await self._look()

    async def _look(self) -> None:
        if await self.asked.look():
            self._wake()
        await self.errands.look()
        if not self.record.held:
            await self.record.follow()

    def end(self) -> None:
        """The process is about to end: streams end, so that nobody waits for them."""
        self.ending = True
        self._wake()

    async def stop(self) -> None:
        self.end()
        for task in self._tasks:
            task.cancel()
        self._ended.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.record.end()
        await self.alerts.close()
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
        if self.asked.close(self.record.holding.store if self.record.held else None, self.run_document):
            self._wake()
        if self.record.held:
            self._go_on(day)
        self._keep(day)
        if day.judged:
            self._wake()

    def _go_on(self, day: Day) -> None:
        """What the holder of the lease does beside judging."""
        if parts := self.desk.looking.bench.parts():
            self.behind.add(functools.partial(self.errands.add, self.record.holding.store, parts))
        for judged in day.judged:
            self._trace(judged)
        self.record.publish()
        self.record.save_now_and_then()

    def trouble(self) -> str | None:
        """Why this process does not do its work now, or None: judging has stopped, or the store takes nothing."""
        if self.idle() > STALLED:
            return f"nothing has been judged for {self.idle():.0f} s"
        return self.behind.trouble

    def idle(self) -> float:
        """Seconds since the last turn of judging."""
        return self.now() - self._turned

    def _trace(self, judged: Judged) -> None:
        if judged.new and (judged.observation.run or not judged.verdict.label.passes):
            self.spans.record(judged)

    def _wake(self) -> None:
        self.changed.set()
        self.changed = asyncio.Event()

    def _keep(self, day: Day) -> None:
        for fault in day.faults:
            _log.error("a probe could not be judged", why=fault)
        self.record.keep(day)

    def _taken(self, report: Report, received: float, place: int, mine: bool) -> None:
        if not mine:
            self.desk.joiner.questions(report.agent)  # the controller that answers it has asked them
        if left_out := self.desk.take(report, received, place):
            _log.warning("part of a report means nothing here", agent=report.agent, why=left_out)
        for note in report.notes:
            self.notes[report.agent] = note
            _log.warning("an agent says", agent=report.agent, note=note)
        for gap in report.gaps:
            lost = gap.last - gap.first + 1
            self.gaps_total[report.agent] = self.gaps_total.get(report.agent, 0) + lost
            _log.warning("an agent let reports go", agent=report.agent, reports=lost, failed=gap.failed, why=gap.why)
        self.detours.hear(report)
        if report.live:
            self.held[report.agent] = report.held
            if self.epochs.hear(report.agent, report.epoch, self.now()):
                _log.error("an agent is doubled", why=self.epochs.sentence(report.agent, self.now()))

    # -- agents ---------------------------------------------------------------------------------------------

    def number(self, agent: str) -> int:
        """The agent's part of a probe's id. Raises `Refused` for one that is not in targets.yaml, or no more."""
        try:
            zone = self.desk.targets.agent(agent).zone
        except KeyError:
            raise Refused(f"agent {agent} has a key and is not in targets.yaml: declare it there") from None
        if agent not in self.numbers:
            self.numbers[agent] = keeper.number(self.store, agent, zone)
        return self.numbers[agent]

    def orders(self, report: Report, work: Errand, holds: str = "") -> Orders:
        """What this agent is to do next, `work` beside its plan; a report that waited long brings none.

        `holds`: the version of the plan that the agent goes by.
        """
        agent, every = report.agent, report_every(len(self.desk.targets.agents))
        if not report.live:
            return Orders(acknowledged=report.sequence, report_every=every)
        version, plan = self.plans.of(self.desk.targets, agent, self.number(agent), self.keys, holds)
        return Orders(
            acknowledged=report.sequence, report_every=every, plan=plan, plan_version=version,
            questions=self.desk.joiner.questions(agent), once=work.once, echoes=work.echoes,
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
                "via": self.detours.via.get(agent.name), "detour": self.detours.sentence(agent.name),
                "outbox": msgspec.structs.asdict(self.held.get(agent.name, none)),
                "gaps": history.gaps(self.store, agent.name),
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
        return await self.asked.start(key, {"from": sources, "to": targets, "flows": flows}, asked_by)

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
        self.asked.cancel(run_id, who, self.run_document)
        self._wake()

    # -- what is shown --------------------------------------------------------------------------------------

    def matrix_document(self, sources: list[str] | None = None, targets: list[str] | None = None) -> dict[str, Any]:
        """The matrix, of these names of zones, agents and targets. Raises `Refused` for a name that means nothing."""
        declared = self.desk.targets
        wanted = declared.expand_sources(tuple(sources)) if sources else ()
        names = declared.expand_targets(tuple(targets)) if targets else ()
        document = self.desk.matrix.shown(self.now(), self.stamp(), wanted, names)
        if "left_out" in document:
            document["zone_pairs"] = compact.zone_pairs(self.desk.matrix, self._zones(), self.now())
        return findings.told({**document, "zones": self._zones()})

    def compact_matrix(self) -> bytes:
        """The label of every cell, a sign each; see `prober.surfaces.compact`."""
        return compact.signs(self.desk.matrix, self.now(), self.stamp())

    def zone_matrix(self) -> bytes:
        """The same by pairs of zones."""
        return compact.by_zones(self.desk.matrix, self._zones(), self.now(), self.stamp())

    def _zones(self) -> dict[str, str]:
        """The zone of each agent and target: where cells fail together, it may be what they have in common."""
        return zones(self.desk.targets)

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
        return findings.told({
            "at": document["at"], "sources": list(dict.fromkeys(rows)), "targets": list(dict.fromkeys(columns)),
            "cells": cells, **({"left_out": document["left_out"]} if document.get("left_out") else {}),
            "zones": self._zones(),
        })  # fmt: skip

    def path_document(self, source: str, target: str) -> dict[str, Any]:
        """A cell with its evidence. Raises KeyError for a pair that is not declared."""
        cell = self.desk.matrix.cells[source, target]
        cell = dataclasses.replace(cell, recent=cell.recent.copy())  # the judge goes on while this is read
        judged = self.desk.evidence.get((source, target))
        shown = cell.verdict(self.now())
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
            document["evidence"], document["judged_at"] = ladder.evidence(o), self.stamp(judged.wall)
        return document

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
        self.desk.looking.bench.paused = not self.record.held
        self.reload_ok, self.reloaded, self.reload_error = True, self.wall(), ""
        _log.info("targets.yaml is taken", digest=targets.digest)

    def identity(self, token: str | None, local: bool) -> access.Identity:
        """Who asks. Raises `access.Unknown` where a token is wrong."""
        return access.identify(self.store, token, self.settings.anonymous, local)

    async def seen_before(self, signature: str) -> bool:
        """Whether a chat request with this signature came within ten minutes; remembers it."""
        return await asyncio.to_thread(audit.seen_before, self.store, signature, int(self.wall() * 1e9))

    async def audit(self, who: str, what: str, detail: str) -> None:
        """Appends to the audit log."""
        await asyncio.to_thread(keeper.audit, self.store, self.wall(), who, what, detail)
