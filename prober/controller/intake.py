"""Reports in: written first, acknowledged then, joined last.

Every report that waits when the writer comes round goes into one transaction (group commit); a report that was
written before is acknowledged again and joined no second time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import structlog

from prober.errors import ProberError, Refused, StoreUnavailable
from prober.handshake import State
from prober.probe import SERIAL_BITS, Kind
from prober.report import Report, decode_report

LIMIT = 8 * 1024 * 1024
"""Bytes of a report's body at most."""
WAITING = 256
"""Reports that may wait for the writer; beyond that agents are told to come back later."""

MOST_ROWS = 50_000
"""Sightings, and outcomes, that one report may hold; an agent's own bound is below."""

_log = structlog.get_logger("prober.controller")

Row = tuple[str, int, int, int, bytes]
"""Agent, epoch, sequence, received (Unix nanoseconds), body."""


@dataclass(slots=True)
class Waiting:
    """A report between its arrival and its commit."""

    report: Report
    row: Row
    done: asyncio.Future[bool]


class Busy(ProberError):
    """Too many reports wait; the agent tries again."""

    exit_code = 3


class NoReport(Refused):
    """What came is no report of this agent, and never will be: sending it again is of no use."""


class Intake:
    """`write` puts rows into the store in one transaction and says which were new; it runs in a thread."""

    def __init__(self, write: Callable[[Sequence[Row]], list[bool]], taken: Callable[[Report], None]) -> None:
        self.write, self.taken = write, taken
        self.queue: asyncio.Queue[Waiting] = asyncio.Queue(WAITING)
        self.faults = 0

    async def take(self, body: bytes, agent: str, number: int, received_ns: int) -> Report:
        """Returns when the report is on disk. Raises `NoReport`, `Busy`, and what the store says no with."""
        report = read(body, agent, number)
        row = (agent, report.epoch, report.sequence, received_ns, body)
        waiting = Waiting(report, row, asyncio.get_running_loop().create_future())
        try:
            self.queue.put_nowait(waiting)
        except asyncio.QueueFull:
            raise Busy("too many reports are waiting; try again in a second") from None
        await waiting.done
        return report

    async def run(self) -> None:
        """The one writer, for ever."""
        while True:
            batch = [await self.queue.get()]
            while not self.queue.empty():
                batch.append(self.queue.get_nowait())
            await self._commit(batch)

    async def _commit(self, batch: list[Waiting]) -> None:
        """One transaction for all; whatever goes wrong, nobody waits for ever and the next batch is taken."""
        try:
            new = await asyncio.to_thread(self.write, [waiting.row for waiting in batch])
        except Exception as error:  # noqa: BLE001  # each waiting agent hears of it and tries again
            for waiting in batch:
                _settle(waiting, _as_trouble(error))
            return
        for waiting, fresh in zip(batch, new, strict=True):
            if fresh:
                self._join(waiting.report)
            _settle(waiting, None)

    def _join(self, report: Report) -> None:
        try:
            self.taken(report)
        except Exception:  # noqa: BLE001  # it is on disk and acknowledged; the others go on
            self.faults += 1
            _log.exception("a report is kept and could not be joined", agent=report.agent, sequence=report.sequence)


def _as_trouble(error: Exception) -> ProberError:
    if isinstance(error, ProberError):
        return error
    _log.error("reports could not be written", exc_info=error)
    return StoreUnavailable(f"the report could not be written ({type(error).__name__}); it can be sent again")


def _settle(waiting: Waiting, error: ProberError | None) -> None:
    if waiting.done.done():
        return  # the agent hung up meanwhile; its report is written all the same
    if error is None:
        waiting.done.set_result(True)
    else:
        waiting.done.set_exception(error)


def read(body: bytes, agent: str, number: int) -> Report:
    """A report, checked as far as a stranger's word must be: it is this agent's, and only of its own probes.

    Raises `NoReport` with everything that is wrong.
    """
    try:
        report = decode_report(body)
        outcomes, sightings = report.outcome_rows(), report.sighting_rows()
    except (msgspec.MsgspecError, ValueError) as error:
        raise NoReport(f"this is no report: {error}") from error
    if report.agent != agent:
        raise NoReport(
            f"the token is {agent}'s and the report says {report.agent!r}: an agent reports its own sightings"
        )
    checks = {
        "a sighting for each frame": not report.frames or len(report.frames) == len(sightings),
        "known interface names": not len(sightings) or int(sightings["name"].max()) < len(report.interfaces),
        "known target names": not len(outcomes) or int(outcomes["target"].max()) < len(report.targets),
        "known run names": not len(outcomes) or int(outcomes["run"].max()) < max(1, len(report.runs)),
        "its own probes' outcomes": bool((outcomes["probe"] >> SERIAL_BITS == number).all()),
        "states that exist": not len(outcomes)
        or bool(((outcomes["state"] >= 1) & (outcomes["state"] <= max(State))).all()),
        "kinds that exist": not len(sightings)
        or bool(((sightings["kind"] >= 1) & (sightings["kind"] <= max(Kind))).all()),
        "places that exist": not len(sightings) or bool(((sightings["where"] >= 1) & (sightings["where"] <= 3)).all()),
        "numbers that fit": 0 <= report.epoch < 2**63 and 0 < report.sequence < 2**63,
    }
    checks["not too many rows"] = max(len(sightings), len(outcomes)) <= MOST_ROWS
    checks["times that fit"] = all(0 <= ns < 2**63 for ns in (report.clock_ns, report.since_ns, report.until_ns))
    wrong = [what for what, fine in checks.items() if not fine]
    if wrong:
        raise NoReport(f"this report of {agent} lacks {', '.join(wrong)}")
    return report
