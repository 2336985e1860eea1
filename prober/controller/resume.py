"""Where a controller goes on: the objectives' minutes as they were written, and the last reports judged again."""

from __future__ import annotations

import time
from collections.abc import Sequence

from prober.controller import retention
from prober.controller.desk import Desk
from prober.controller.judged import Day
from prober.controller.keeper import is_failure
from prober.joiner import HOLD
from prober.report import decode_report
from prober.store import flips, minutes, reports
from prober.store.engine import Store
from prober.targets import Targets

REJOIN_TURN = 0.25
"""Seconds between two looks at what can be judged while old reports are joined again."""


def rejoin(store: Store, desk: Desk, now: float, since: float | None = None) -> tuple[Day, int, float]:
    """Judge the last reports again as they came, so that what was acknowledged is judged and counted once.

    The objectives' minutes are read as they were written, with the place up to which reports are in them; what was
    received later is counted now. Reports are read from `since` on (the database's Unix seconds), where that is
    earlier. What comes back: the failures among what is judged again (`keeper.keep` leaves out those that were kept),
    the last place in the log, and by how much `now` is ahead of the database's clock.
    """
    written, until_ns = counted(store, desk.targets)
    desk.tally.take_over(written, until_ns)
    with store.read() as connection:
        wall = store.now_ns(connection) / 1e9
    last = reports.last(store)
    from_ns = min(until_ns, int((wall if since is None else since) * 1e9)) - int(retention.REJOIN * 1e9)
    rows = [row for row in reports.recent_reports(store, from_ns) if row.body]
    desk.looking.bench.paused = True
    day = _judged_again(desk, rows, now, wall)
    desk.debounce.told.update(flips.told(store))
    place = max(last, rows[-1].received_ns if rows else 0)
    return Day([one for one in day.judged if is_failure(one)], [], day.faults), place, now - wall


def counted(store: Store, targets: Targets) -> tuple[list[minutes.ObjectiveMinute], int]:
    """The objectives' minutes, and the place up to which reports are in them."""
    written = minutes.objective_minutes(store, int(time.time() - retention.longest(targets)))
    until_ns = minutes.counted_until(store)
    if until_ns is None:  # written by a prober that kept no such moment: its last minute was written to its end
        until_ns = max(((row.minute + 60) * 1_000_000_000 for row in written), default=0)
    return written, until_ns


def _judged_again(desk: Desk, rows: Sequence[reports.Row], now: float, wall: float) -> Day:
    """The reports at the moments at which they came; what was pending at the last of them goes on from there."""
    day = Day()
    clock = rows[0].received_ns / 1e9 if rows else wall
    for row in rows:
        while (clock := clock + REJOIN_TURN) < row.received_ns / 1e9:
            _merge(day, desk.judge(now - (wall - clock), clock))
        clock -= REJOIN_TURN
        day.faults += _taken_again(desk, row, now - (wall - row.received_ns / 1e9))
    end = min(wall, clock + HOLD)
    while (clock := clock + REJOIN_TURN) <= end:
        _merge(day, desk.judge(now - (wall - clock), clock))
    return day


def _taken_again(desk: Desk, row: reports.Row, at: float) -> list[str]:
    try:
        desk.take(decode_report(row.body), at, row.received_ns)
    except Exception as error:  # noqa: BLE001  # one report that can't be taken must not keep the controller from starting
        return [f"report {row.epoch}/{row.sequence} of {row.agent}: {type(error).__name__}: {error}"]
    return []


def _merge(day: Day, more: Day) -> None:
    day.judged += more.judged
    day.faults += more.faults
