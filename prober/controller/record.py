"""What follows from the reports and is kept: by the holder of the lease alone, behind its fence.

A controller without the lease judges the same reports; it remembers for a while what would have to be kept, and goes
on from the store and from that when the lease becomes its own.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from prober.controller import incidents, keeper, resume
from prober.controller.behind import Behind
from prober.controller.bench import Bench
from prober.controller.byways import Told
from prober.controller.desk import Desk
from prober.controller.holding import Holding
from prober.controller.incidents import Incidents
from prober.controller.judged import Day, Judged
from prober.controller.retention import FINDINGS_KEPT, Retention, prune
from prober.controller.tail import Tail
from prober.flows import Finding, Side
from prober.matrix import Cell
from prober.store import findings, flips, minutes
from prober.store import incidents as kept_incidents
from prober.store.engine import Store
from prober.trace import Trace

PRUNE_EVERY = 60.0
SAVE_EVERY = 5.0
"""Seconds of the objectives' counts that are written at a time."""
UNKEPT = 60.0
"""Seconds for which a controller without the lease remembers failures: a holder keeps them within moments."""


_log = structlog.get_logger("prober.controller")


class Found(msgspec.Struct):
    """What experiments found of a cell; the times in it are the database's seconds."""

    finding: Finding | None
    tried: dict[str, str]
    traces: dict[Side, Trace]
    told: Told | None = None


def _found(key: tuple[str, str], body: bytes) -> Found | None:
    """None for what a controller of another version wrote and this one can't read: the rest is learned."""
    try:
        return msgspec.msgpack.decode(body, type=Found)
    except msgspec.MsgspecError as error:
        _log.warning("what was found of a cell can't be read here", source=key[0], target=key[1], why=str(error))
        return None


class Record:
    """``holding`` says whether this controller keeps anything; `shown` is the matrix as the API shows it."""

    def __init__(
        self, store: Store, desk: Desk, behind: Behind, tail: Tail, wall: Callable[[], float],
        shown: Callable[[], dict[str, Any]], kept: Retention,
    ) -> None:  # fmt: skip
        self.desk, self.behind, self.tail, self.wall, self.shown, self.kept = desk, behind, tail, wall, shown, kept
        self.holding = Holding(store, self._take_over, self._put_down)
        self.incidents = Incidents(desk)
        self._unkept: deque[tuple[float, Judged]] = deque()
        self._pruned = self._saved = tail.now()
        self._learned_ns = 0
        self._labels: dict[tuple[str, str], str] = {}
        self._labelled = float("-inf")

    @property
    def held(self) -> bool:
        """Whether this controller has the lease."""
        return self.holding.held

    async def _take_over(self) -> None:
        """This controller has the lease: it goes on from what the store holds and from what it judged beside it."""
        store, desk = self.holding.store, self.desk
        await self.tail.catch_up()
        rows, until_ns = await asyncio.to_thread(resume.counted, store, desk.targets)
        told = await asyncio.to_thread(flips.newest, store)
        opened = await asyncio.to_thread(incidents.opened, store)
        desk.tally.take_over(rows, until_ns)
        desk.debounce.told.update({cell: flip.after for cell, flip in told.items()})
        self.incidents.begin(opened, told, self.wall(), self.tail.now())
        self.behind.add(functools.partial(keeper.keep, store, Day([judged for _, judged in self._unkept])))
        self._unkept.clear()
        self.save()  # what was counted again need not be counted again by the next one, however soon it starts
        desk.looking.bench.paused = False

    def _put_down(self) -> None:
        """Another controller has the lease: what was being tried is that one's to try."""
        self.desk.looking.bench = Bench(self.desk.targets.policy, paused=True)
        self.incidents.end()

    def keep(self, day: Day) -> None:
        """The turn's failures, flips and incidents; who has not the lease remembers the failures for a while."""
        if not self.held:
            now = self.tail.now()
            self._unkept.extend((now, judged) for judged in day.judged if keeper.is_failure(judged))
            while self._unkept and now - self._unkept[0][0] > UNKEPT:
                self._unkept.popleft()
            return
        if day.judged or day.flips:
            self.behind.add(functools.partial(keeper.keep, self.holding.store, day))
        if rows := self.incidents.look(day, self.tail.now(), self.wall()):
            self.behind.add(functools.partial(kept_incidents.keep, self.holding.store, rows))

    def publish(self) -> None:
        """What experiments found, for the other controllers. For the holder, each turn."""
        found, self.desk.looking.found = self.desk.looking.found, set()
        cells = [(key, cell) for key in found if (cell := self.desk.matrix.cells.get(key))]
        told = [(key, self._packed(cell)) for key, cell in cells]
        if told:
            self.behind.add(functools.partial(findings.keep, self.holding.store, told))

    def _packed(self, cell: Cell) -> bytes:
        finding = cell.finding and msgspec.structs.replace(cell.finding, upto=self.tail.there(cell.finding.upto))
        told = self.desk.looking.bench.byways.last((cell.source, cell.target))
        told = told and msgspec.structs.replace(told, begun=self.tail.there(told.begun))
        return msgspec.msgpack.encode(Found(finding, cell.tried, cell.traces, told))

    async def learn(self) -> None:
        """What experiments of another controller found. Raises StoreUnavailable."""
        since_ns = self._learned_ns or self.tail.clock_ns() - int(FINDINGS_KEPT * 1e9)
        for key, at_ns, body in await asyncio.to_thread(findings.since, self.holding.plain, since_ns):
            cell, told = self.desk.matrix.hold(key), _found(key, body)
            if cell is not None and told is not None and at_ns >= self._learned_ns:
                cell.finding, cell.tried, cell.traces = told.finding, told.tried, told.traces
                if told.finding:
                    cell.finding = msgspec.structs.replace(told.finding, upto=self.tail.here(told.finding.upto))
                if told.told:
                    self.desk.looking.bench.byways.adopt(key, told.told.about, self.tail.here(told.told.begun))
                self.desk.version += 1
            self._learned_ns = max(self._learned_ns, at_ns + 1)

    def save_now_and_then(self) -> None:
        """For the holder, each turn."""
        if self.tail.now() - self._saved > SAVE_EVERY:
            self.save()

    def save(self) -> None:
        """The objectives' counts, and now and then what is too old goes."""
        self._saved = self.tail.now()
        counts, store = self.desk.tally.counts, self.holding.store
        rows = counts.settle(self.tail.clock_ns(), self.tail.place + 1)
        self.behind.add(functools.partial(minutes.put_objective_minutes, store, rows, counts.until_ns))
        self._remember(store)
        if self._saved - self._pruned > PRUNE_EVERY:
            self._pruned, wall = self._saved, self.wall()
            self.desk.tally.age(wall, self.kept.minutes)
            self.behind.add(functools.partial(prune, store, wall, self.desk.targets, self.kept))

    def _remember(self, store: Store) -> None:
        """The matrix as it is shown, for those who ask later: where it says something else, and now and then."""
        document = self.shown()
        labels = {(cell["source"], cell["target"]): cell["label"] for cell in document["cells"]}
        if labels != self._labels or self._saved - self._labelled >= keeper.SNAPSHOT_EVERY:
            self._labels, self._labelled = labels, self._saved
            self.behind.add(functools.partial(keeper.keep_snapshot, store, self.wall(), document))

    async def follow(self) -> None:
        """What the holder has counted need not be remembered here; what it found is shown. Raises StoreUnavailable."""
        await self.learn()
        until_ns = await asyncio.to_thread(minutes.counted_until, self.holding.plain)
        if not self.held:
            self.desk.tally.counts.passed(min(until_ns or 0, self.tail.place), self.tail.clock_ns())

    async def end(self) -> None:
        """The end of the process."""
        if self.held:
            self.save()
        await self.behind.flush()
        await self.holding.release()
