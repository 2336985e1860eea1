"""One receiver's courier: it takes what waits in the store, posts it, and writes down that it arrived.

An alert is told at least once. Between a post and the note of it the process may die, and the next holder of the lease
tells it again: a repeat has the same identity, so it is harmless.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import httpx
import msgspec
import structlog

from prober.alert import Alert
from prober.controller.delivery import Undelivered, deliver
from prober.controller.receivers import Receiver
from prober.errors import Deposed, StoreUnavailable
from prober.store import alerts
from prober.store.engine import Store
from prober.surfaces.alertmanager import REPEATED

PAUSE, LONGEST = 1.0, 300.0
"""Seconds before the first further try, which double with each, and at most."""
NEWS = 3600.0
"""Seconds for which an alert that is over is news to a receiver that heard nothing of it."""
GIVEN_UP = 86_400.0
"""Seconds after the end of an alert for which a receiver is tried."""
MOST = 200
"""Alerts that are taken at a time: the rest waits in the store."""

_log = structlog.get_logger("prober.alerts")


@dataclass(slots=True)
class Counts:
    """Alerts told (repeats too), posts that failed, alerts that were not taken or that nobody needs any more, and how
    many wait now."""

    delivered: int = 0
    failed: int = 0
    dropped: int = 0
    waiting: int = 0


class Courier:
    """``trouble`` is why the receiver takes nothing now. `wall` gives Unix seconds."""

    def __init__(self, receiver: Receiver, client: httpx.AsyncClient, wall: Callable[[], float]) -> None:
        self.receiver, self.client, self.wall = receiver, client, wall
        self.counts = Counts()
        self.trouble: str | None = None
        self._tries = 0
        self._not_before = self._repeated = float("-inf")
        self._filled = asyncio.Event()

    def wake(self) -> None:
        """There may be something new."""
        self._filled.set()

    async def run(self, holder: Callable[[], Store | None], every: float = 1.0) -> None:
        """For ever. `holder` gives the store as long as this controller is the one that tells."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._filled.wait(), every)
            self._filled.clear()
            store = holder()
            if store is None or not self.may_try(self.wall()):
                continue
            try:
                await self.round(store)
            except (StoreUnavailable, Deposed):
                continue  # whoever writes says so; the next holder goes on
            except Exception:  # noqa: BLE001  # the next alert must be told, whatever this one stumbled over
                self._wait(0.0)
                _log.exception("telling alerts failed", receiver=self.receiver.name)

    def may_try(self, now: float) -> bool:
        """Whether the last pause is over; one longer than the longest is of a clock that was set back since."""
        return not 0 < self._not_before - now <= LONGEST

    async def round(self, store: Store) -> None:
        """Everything that waits, as far as the receiver takes it. Raises StoreUnavailable."""
        now = self.wall()
        rows = await asyncio.to_thread(alerts.waiting, store, self.receiver.key, int((now - NEWS) * 1e9), MOST)
        fresh = [decoded(row) for row in rows]
        self.counts.waiting = sum(self._mine(one) for one in fresh)
        old = [one for one in fresh if not self._mine(one) or self._is_late(one, now)]
        await self._settle(store, old, sum(self._mine(one) for one in old), "it is over since a day")
        wanted = [one for one in fresh if one not in old]
        if self.receiver.repeats and (wanted or not 0 <= now - self._repeated < self.receiver.repeats):
            wanted = await self._with_repeats(store, wanted, now)
        if await self._post_all(store, wanted, now) and self.receiver.repeats and wanted:
            self._repeated = now

    def _mine(self, one: Alert) -> bool:
        return self.receiver.kind in one.to

    def _is_late(self, one: Alert, now: float) -> bool:
        return one.closed is not None and now - one.closed > GIVEN_UP

    async def _with_repeats(self, store: Store, fresh: list[Alert], now: float) -> list[Alert]:
        rows = await asyncio.to_thread(alerts.since, store, int((now - REPEATED) * 1e9))
        known = {one.id for one in fresh}
        return fresh + [one for one in map(decoded, rows) if one.id not in known and self._mine(one)]

    async def _post_all(self, store: Store, wanted: Sequence[Alert], now: float) -> bool:
        """False as soon as the receiver takes nothing: all others would have to wait for it, too."""
        for post in self.receiver.posts(wanted, now):
            try:
                await deliver(self.client, self.receiver, post)
            except Undelivered as error:
                self.counts.failed += 1
                if error.again:
                    self._fails(str(error), error.after)
                    return False
                await self._settle(store, post.alerts, len(post.alerts), str(error))
                continue
            self._recovers()
            self.counts.delivered += len(post.alerts)
            await self._settle(store, post.alerts)
        return True

    async def _settle(self, store: Store, done: Sequence[Alert], dropped: int = 0, why: str = "") -> None:
        """These need not be told any more; `dropped` of them were not taken."""
        if dropped:
            self.counts.dropped += dropped
            ids = [one.id for one in done]
            _log.error("alerts are not told", receiver=self.receiver.name, alerts=dropped, ids=ids[:10], why=why)
        if done:
            pairs = [(one.id, one.revision) for one in done]
            await asyncio.to_thread(alerts.told, store, self.receiver.key, pairs)
            self.counts.waiting = max(0, self.counts.waiting - len(done))

    def _fails(self, why: str, after: float) -> None:
        if self.trouble is None:
            _log.error("alerts wait for a receiver", receiver=self.receiver.name, alerts=self.counts.waiting, why=why)
        self.trouble = why
        self._wait(after)

    def _wait(self, after: float) -> None:
        """Twice as long as the last time, and less by chance: couriers of many controllers must not march in step."""
        pause = min(LONGEST, PAUSE * 2**self._tries) * random.uniform(0.5, 1.0)  # noqa: S311  # no secret
        self._tries = min(self._tries + 1, 16)
        self._not_before = self.wall() + max(min(after, LONGEST), pause)

    def _recovers(self) -> None:
        if self.trouble is not None:
            _log.info("a receiver takes alerts again", receiver=self.receiver.name)
        self.trouble, self._tries = None, 0


def decoded(row: alerts.Row) -> Alert:
    """The alert of a row."""
    return msgspec.msgpack.decode(row.body, type=Alert)


def encoded(one: Alert) -> alerts.Row:
    """An alert as it is kept."""
    closed_ns = None if one.closed is None else round(one.closed * 1e6) * 1000
    return alerts.Row(one.id, round(one.opened * 1e6) * 1000, closed_ns, one.revision, msgspec.msgpack.encode(one))
