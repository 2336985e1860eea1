"""The log of reports, followed to its end: what this controller wrote and what the others wrote, each once, in order.

Places in the log grow with every commit, whoever writes (`prober.store.reports.append`). What this controller wrote
is joined from memory where nobody wrote in between; else the log is read from the last place that was taken.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import msgspec
import structlog

from prober.controller.intake import Row
from prober.errors import StoreUnavailable
from prober.report import Report, decode_report
from prober.store import reports
from prober.store.engine import Store

LOOK = 1.0
"""Seconds after which the log is looked at, whether or not somebody said that there is more."""
GATHER = 0.05
"""Seconds between two looks at least."""
AT_ONCE = 500
LATEST = 1.0
"""Seconds by which a report of another controller's may seem late: clocks that were set must not make agents silent."""
DRIFT = 200e-6
"""Seconds a second by which the database's clock may run away from this one's (`prober.vantage`)."""

_log = structlog.get_logger("prober.controller")


class Tail:
    """``place`` is the last place taken. `taken` hears of each report: when it was received (monotonic seconds),
    its place, and whether this controller received it."""

    def __init__(
        self, store: Store, taken: Callable[[Report, float, int, bool], None], now: Callable[[], float]
    ) -> None:
        self.store, self.taken, self.now = store, taken, now
        self.place = self.faults = 0
        self._follows: dict[int, int] = {}
        self._more = asyncio.Event()
        self._ahead, self._measured = float("inf"), 0.0

    def write(self, rows: Sequence[Row], gaps: Sequence[reports.Gap]) -> list[int]:
        """Reports into the log: their places, 0 for those that were there. In the intake's thread."""
        taken = reports.append(self.store, rows, gaps)
        last = taken.before
        for place in taken.places:
            if place:
                self._follows[place] = last
                last = place
        return taken.places

    def own(self, report: Report, place: int) -> None:
        """One that this controller wrote. The log is read where it does not follow what was taken last."""
        if self._follows.get(place) == self.place:
            del self._follows[place]
            self.take(report, place, self.now())
        elif place > self.place:
            self.wake()

    def wake(self) -> None:
        """There may be more in the log."""
        self._more.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._more.wait(), LOOK)
            self._more.clear()
            try:
                await self.catch_up()
            except StoreUnavailable:
                pass  # whoever writes says so
            except Exception:  # noqa: BLE001  # the log is followed on, whatever this look stumbled over
                _log.exception("the log of reports could not be followed")
            await asyncio.sleep(GATHER)

    async def catch_up(self) -> None:
        """Everything that stands in the log by now. Raises StoreUnavailable."""
        while True:
            read = await asyncio.to_thread(self._read, self.place)
            for place, report in read:
                if place > self.place:
                    self._follow(report, place)
            if len(read) < AT_ONCE:
                return

    def _read(self, place: int) -> list[tuple[int, Report | None]]:
        return [(row.received_ns, _decoded(row)) for row in reports.after(self.store, place, AT_ONCE)]

    def _follow(self, report: Report | None, place: int) -> None:
        if report is None:
            self.place = place
            self.faults += 1
            return
        now = self.now()
        mine = self._follows.pop(place, None) is not None
        self.take(report, place, now if mine else max(now - LATEST, min(now, place / 1e9 + self._ahead)), mine)

    def take(self, report: Report, place: int, at: float, mine: bool = True) -> None:
        """One report, received at `at`; one that can't be joined is counted, and the next one is taken."""
        self.place = place
        self._measure(place)
        try:
            self.taken(report, at, place, mine)
        except Exception:  # noqa: BLE001  # it is on disk and acknowledged; the others go on
            self.faults += 1
            _log.exception("a report is kept and could not be joined", agent=report.agent, sequence=report.sequence)

    def _measure(self, place: int) -> None:
        """How far this process' clock is ahead of the database's: the least that a report ever took."""
        now = self.now()
        self._ahead = min(self._ahead + (now - self._measured) * DRIFT, now - place / 1e9)
        self._measured = now

    def begin(self, place: int, ahead: float) -> None:
        """Everything up to `place` is known; this clock is so many seconds ahead of the database's."""
        self.place, self._ahead, self._measured = place, ahead, self.now()

    def clock_ns(self) -> int:
        """The database's clock now, as far as it is known here."""
        return int((self.now() - self._ahead) * 1e9)

    def here(self, database_seconds: float) -> float:
        """A moment of the database's clock in this process' seconds."""
        return database_seconds + self._ahead

    def there(self, seconds: float) -> float:
        """A moment of this process in the database's seconds."""
        return seconds - self._ahead


def _decoded(row: reports.Row) -> Report | None:
    try:
        return decode_report(row.body)
    except msgspec.MsgspecError:
        _log.exception("a report in the store can't be read", agent=row.agent, sequence=row.sequence)
        return None
