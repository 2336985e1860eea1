"""One controller's life: what it holds, and what goes on for ever: the writer of reports, the judge, what is kept."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from prober import __version__
from prober.controller import access, keeper, receivers, resume
from prober.controller.alerts import Alerts
from prober.controller.behind import Behind
from prober.controller.desk import Desk
from prober.controller.dispatch import Dispatch
from prober.controller.errands import Errands
from prober.controller.fleet import Fleet
from prober.controller.incidents import Reader
from prober.controller.intake import Intake
from prober.controller.judged import Day, Judged
from prober.controller.pins import AT_START, Pins
from prober.controller.record import Record
from prober.controller.retention import Retention
from prober.controller.runs import Runs
from prober.controller.signers import Signers
from prober.controller.tail import Tail
from prober.controller.views import Views
from prober.errors import ProberError, StoreUnavailable
from prober.report import Report
from prober.settings import Settings
from prober.store import audit, fleet, notices
from prober.store.engine import Store
from prober.surfaces.spans import Spans
from prober.targets import Targets

THREADS = 32
"""For whatever waits for the store: each of what goes on for ever takes one, and so does who asks meanwhile. Python's
own number grows with the processors: on a small machine a store that hangs took them all."""
TURN = 0.1
"""Seconds between two looks at what can be judged."""
STALLED = 5.0
"""Seconds without a turn after which the judge is said to have stopped."""
LOOK_EVERY = 0.5
"""Seconds between two looks at what other controllers did, unless one says that there is something."""

_log = structlog.get_logger("prober.controller")


class Centre:
    """All that routes need; they only read requests and write answers. `read` gives the targets anew on reload."""

    def __init__(self, settings: Settings, store: Store, targets: Targets, read: Callable[[], Targets]) -> None:
        self.settings, self.store, self.read = settings, store, read
        self.pins = Pins(targets)
        self.desk = Desk(targets)
        self.tail = Tail(store, self._taken, self.now)
        self.intake = Intake(self.tail.write, self.tail.own)
        self.behind, self.errands, self.signers = Behind(), Errands(store), Signers(store)
        self.runs = Runs(store, self.desk, self.behind, self.errands, self.now, self.wall)
        secret = fleet.relay_secret(store)
        self.fleet, self.dispatch = Fleet(store, self.desk, secret, self.now), Dispatch(store, self.desk, secret)
        self.views = Views(store, self.desk, self.runs.known, self.fleet.notes, self.now, self.wall)
        kept = Retention.of(settings)
        self.record = Record(store, self.desk, self.behind, self.tail, self.wall, self.views.matrix, kept)
        self.incidents = Reader(store, self.desk)
        self.alerts = Alerts(self.desk, self.record.holding, receivers.named(settings), self.wall, settings.public_url)
        self.spans = Spans(settings.otlp_endpoint, __version__)
        self.changed, self.ending = asyncio.Event(), False
        self.reload_ok, self.reloaded = True, time.time()
        self._tasks: list[asyncio.Task[None]] = []
        self._told, self._ended = asyncio.Event(), threading.Event()
        self._turned = self.now()

    def now(self) -> float:
        """Monotonic seconds: ages and deadlines."""
        return time.monotonic()

    def wall(self) -> float:
        """Unix seconds: what people read."""
        return time.time()

    async def start(self) -> None:
        """What is known is read from the log; who has the lease goes on from there, who has not follows."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(THREADS, "work"))
        self.desk.looking.bench.paused = True
        found = (_from_threads(self._pinned),)
        threading.Thread(target=self.pins.follow, args=found, name="pins", daemon=True).start()
        await asyncio.to_thread(self.pins.looked.wait, AT_START)
        day, place, ahead = resume.rejoin(self.store, self.desk, self.now(), self.runs.adopt())
        self.tail.begin(place, ahead)
        self._keep(day)
        await self.record.learn()
        await self.record.holding.seek()
        works = (
            self.intake.run(), self.behind.run(), self.tail.run(), self.record.holding.run(),
            self._judge_for_ever(), self._look_for_ever(), *self.alerts.works(),
        )  # fmt: skip
        self._tasks = [asyncio.create_task(work) for work in works]
        words = (self.store, _from_threads(self._heard), self._ended)
        threading.Thread(target=notices.listen, args=words, name="notices", daemon=True).start()

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
            try:
                await self._look()
            except StoreUnavailable:
                continue  # whoever writes says so
            except Exception:  # noqa: BLE001  # the next look is taken, whatever this one stumbled over
                _log.exception("a look at what other controllers do failed")

    async def _look(self) -> None:
        if await self.runs.look():
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
        self.pins.end()
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
        if self.runs.close(self.record.holding.store if self.record.held else None, self.views.run):
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
        self.fleet.hear(report)

    def cancel_run(self, run_id: str, who: str) -> None:
        """Ends a run that is under way; what was judged stays."""
        self.runs.cancel(run_id, who, self.views.run)
        self._wake()

    def reload(self) -> None:
        """Read the targets again; a bad document keeps the last good one. Raises `ConfigInvalid`."""
        try:
            targets = self.read()
        except ProberError as error:
            self.reload_ok = False
            _log.error("targets.yaml is not taken; the last good one stays", why=str(error))
            raise
        self._adopt(self.pins.declare(targets))
        self.reload_ok, self.reloaded = True, self.wall()
        _log.info("targets.yaml is taken", digest=targets.digest)

    def _pinned(self, *looked_up: Any) -> None:
        if self.pins.settle(*looked_up):
            self._adopt(self.pins.targets)

    def _adopt(self, targets: Targets) -> None:
        self.desk.adopt(targets)
        self.desk.looking.bench.paused = not self.record.held

    def identity(self, token: str | None, local: bool) -> access.Identity:
        """Who asks. Raises `access.Unknown` where a token is wrong."""
        return access.identify(self.store, token, self.settings.anonymous, local)

    async def seen_before(self, signature: str) -> bool:
        """Whether a chat request with this signature came within ten minutes; remembers it."""
        return await asyncio.to_thread(audit.seen_before, self.store, signature, int(self.wall() * 1e9))

    async def audit(self, who: str, what: str, detail: str) -> None:
        """Appends to the audit log."""
        await asyncio.to_thread(keeper.audit, self.store, self.wall(), who, what, detail)


def _from_threads(heard: Callable[..., None]) -> Callable[..., None]:
    """For a thread: has the loop that runs now hear it."""
    loop = asyncio.get_running_loop()

    def tell(*words: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(heard, *words)

    return tell
