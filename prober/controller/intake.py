"""Reports in: admitted first, written then, acknowledged after that, joined last.

Every report that waits when the writer comes round goes into one transaction (group commit), those that tell of now
before those that tell of the past; a report that was written before is acknowledged again and joined no second time.
What can't be taken now is refused before its body is read, and the agent told when to come back.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import structlog

from prober.controller.stranger import decoded, strange
from prober.errors import ProberError, StoreUnavailable, Unstorable
from prober.report import Report
from prober.store.reports import Gap

LIMIT = 8 * 1024 * 1024
"""Bytes of a report's body at most."""
IN_HAND = 64 * 1024 * 1024
"""Bytes of bodies that may be read or wait at a time; what tells of the past may take half of it."""
WAITING = 256
"""Reports that may wait for the writer; beyond that agents are told to come back later."""
BEHIND = 64
"""Reports of the past that may wait; so many more of them wait at their agents."""
AT_MOST = 128
"""Reports of the present in one transaction: while they are written, those before them are joined and acknowledged."""
AT_ONCE = 32
"""Reports of the past in one transaction at most, so that those of the present do not wait for many."""
MOST_OF_ONE = 4
"""Requests of one agent at a time; an agent has one."""
OF_ONE = LIMIT + LIMIT // 4
"""Bytes of one agent's bodies at a time: who has a key must not be able to keep all others out."""

_log = structlog.get_logger("prober.controller")

Row = tuple[str, int, int, int, bytes]
"""Agent, epoch, sequence, received (0: by the database's clock, when it is written), body."""


class Write(Protocol):
    """Puts rows and the gaps they tell into the store in one transaction: each row's place, 0 where it was there."""

    def __call__(self, rows: Sequence[Row], gaps: Sequence[Gap]) -> Sequence[int]: ...


@dataclass(slots=True)
class Waiting:
    """A report of agent `number` between its arrival and its commit."""

    report: Report
    number: int
    row: Row
    received_ns: int
    done: asyncio.Future[bool]


Came = int | ProberError
"""A report's place (0 where it had been there), or why it is not on disk."""
Written = tuple[list[Waiting], Sequence[Came]]
"""Reports, and what came of each."""


class Stored(NamedTuple):
    """A report that is on disk; ``new`` is false where it had been there before."""

    report: Report
    new: bool


class Busy(ProberError):
    """Too many reports wait; the agent tries again."""

    exit_code = 3


class Intake:
    """`write` runs in a thread; `taken` hears of each report that is new and on disk, and of its place in the log."""

    def __init__(self, write: Write, taken: Callable[[Report, int], None]) -> None:
        self.write, self.taken = write, taken
        self.live: deque[Waiting] = deque()
        self.behind: deque[Waiting] = deque()
        self.faults = self.refused = 0
        self._filled = asyncio.Event()
        self._in_hand = 0
        self._open: dict[str, list[int]] = {}

    @contextmanager
    def admitted(self, agent: str, size: int, live: bool) -> Iterator[None]:
        """Room for a body of `size` bytes, taken before it is read. Raises `Busy`."""
        room = IN_HAND if live else IN_HAND // 2
        full = len(self.live) >= WAITING or (not live and len(self.behind) >= BEHIND)
        mine = self._open.get(agent, [])
        much = len(mine) >= MOST_OF_ONE or (mine and sum(mine) + size > OF_ONE)
        if full or much or self._in_hand + size > room:
            self.refused += 1
            raise Busy("too many reports are waiting; try again in a second")
        self._in_hand += size
        self._open[agent] = mine
        mine.append(size)
        try:
            yield
        finally:
            self._in_hand -= size
            mine.remove(size)
            if not mine:
                del self._open[agent]

    async def take(self, body: bytes, agent: str, number: int, received_ns: int) -> Stored:
        """Returns when the report is on disk. Raises `NoReport`, `Busy`, and what the store says no with."""
        report = decoded(body, agent)
        row = (agent, report.epoch, report.sequence, 0, body)
        waiting = Waiting(report, number, row, received_ns, asyncio.get_running_loop().create_future())
        lane, most = (self.live, WAITING) if report.live else (self.behind, BEHIND)
        if len(lane) >= most:
            self.refused += 1
            raise Busy("too many reports are waiting; try again in a second")
        lane.append(waiting)
        self._filled.set()
        return Stored(report, await waiting.done)

    async def run(self) -> None:
        """The one writer, for ever. What is written is joined and acknowledged while the next are being written."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            written: Written | None = None
            while self.live or self.behind:
                batch = self._next()
                writing = asyncio.ensure_future(self._in_thread(batch))
                self._finish(written)
                written = batch, await writing
            self._finish(written)

    def _next(self) -> list[Waiting]:
        """Those that are reports, the others hear why not; of the present first."""
        batch = [self.live.popleft() for _ in range(min(AT_MOST, len(self.live)))]
        room = max(1, AT_ONCE - len(batch))
        batch += [self.behind.popleft() for _ in range(min(room, len(self.behind)))]
        none: dict[int, ProberError]
        try:
            none = dict(strange([(waiting.report, waiting.number) for waiting in batch]))
        except Exception as error:  # noqa: BLE001  # whatever it was, the next are looked through
            none = dict.fromkeys(range(len(batch)), _as_trouble(error))
        for place, why in none.items():
            _settle(batch[place], why)
        return [waiting for place, waiting in enumerate(batch) if place not in none] if none else batch

    async def _in_thread(self, batch: list[Waiting]) -> Sequence[Came]:
        try:
            return await asyncio.to_thread(self._write, batch)
        except RuntimeError as error:  # the host allows no more threads: the writer must outlive that
            return [_as_trouble(error)] * len(batch)

    def _write(self, batch: list[Waiting]) -> Sequence[Came]:
        """One transaction for all, in a thread; where one of them is what no store takes, one for each."""
        try:
            gaps = [gap for waiting in batch for gap in told_gaps(waiting.report, waiting.received_ns)]
            return self.write([waiting.row for waiting in batch], gaps)
        except Unstorable as error:
            return [self._write([waiting])[0] for waiting in batch] if len(batch) > 1 else [error]
        except Exception as error:  # noqa: BLE001  # each waiting agent hears of it and tries again
            return [_as_trouble(error)] * len(batch)

    def _finish(self, written: Written | None) -> None:
        """Whatever went wrong, nobody waits for ever and the next batch is taken."""
        batch, came = written or ([], [])
        for waiting, place in zip(batch, came, strict=True):
            if isinstance(place, ProberError):
                _settle(waiting, place)
                continue
            if place:
                self._join(waiting.report, place)
            _settle(waiting, place > 0)

    def _join(self, report: Report, place: int) -> None:
        try:
            self.taken(report, place)
        except Exception:  # noqa: BLE001  # it is on disk and acknowledged; the others go on
            self.faults += 1
            _log.exception("a report is kept and could not be joined", agent=report.agent, sequence=report.sequence)


def told_gaps(report: Report, received_ns: int) -> list[Gap]:
    """The gaps a report tells, in the controller's time: as long ago as they were, whatever the agent's clock shows."""
    ahead = received_ns - report.clock_ns - report.age_ns
    return [
        Gap(report.agent, one.epoch, one.last, one.first, max(0, one.since_ns + ahead), max(0, one.until_ns + ahead),
            one.probes, one.failed, one.why)
        for one in report.gaps
    ]  # fmt: skip


def _as_trouble(error: Exception) -> ProberError:
    if isinstance(error, ProberError):
        return error
    _log.error("reports could not be written", exc_info=error)
    return StoreUnavailable(f"the report could not be written ({type(error).__name__}); it can be sent again")


def _settle(waiting: Waiting, came: bool | ProberError) -> None:
    """`came`: whether the report is new, or why it is not on disk."""
    if waiting.done.done():
        return  # the agent hung up meanwhile; its report is written all the same
    if isinstance(came, ProberError):
        waiting.done.set_exception(came)
    else:
        waiting.done.set_result(came)
