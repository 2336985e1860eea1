"""Whether this controller keeps what follows from the reports: it seeks the lease, renews it, learns of its loss.

Every controller takes reports and judges; the holder alone writes what follows: verdicts, flips, counts, the ends of
runs, experiments. No clock of a controller decides: the lease runs out by the database's, and what a deposed holder
still writes fails in the transaction it would be written in.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable

import structlog

from prober.errors import StoreUnavailable
from prober.store import lease
from prober.store.engine import Store

LASTS = 5.0
"""Seconds for which a lease holds unless it is renewed; so long nobody writes after its holder died."""
RENEW = 1.0
_LOST = 0

_log = structlog.get_logger("prober.controller")


class Holding:
    """``held``: this controller has the lease and has taken over; `begun` is awaited before that, `lost` called after.

    `begun` is tried again as long as the store refuses.
    """

    def __init__(self, store: Store, begun: Callable[[], Awaitable[None]], lost: Callable[[], None]) -> None:
        self.plain, self.begun, self.lost = store, begun, lost
        self.name = f"{socket.gethostname()} {os.getpid()}"
        self.held = False
        self._token: int | None = None
        self._soon = asyncio.Event()

    @property
    def store(self) -> Store:
        """The store behind this holder's fence."""
        return self.plain.fenced(self._token or _LOST)

    async def seek(self) -> None:
        """Take or renew the lease, if that may be. Raises StoreUnavailable."""
        token = await asyncio.to_thread(lease.hold, self.plain, self.name, self._token, LASTS)
        if token is None:
            self._lose()
            return
        self._token = token
        if not self.held:
            await self.begun()
            self.held = True
            _log.info("this controller keeps what follows from the reports", token=token)

    def _lose(self) -> None:
        if self._token:
            _log.warning("another controller keeps what follows from the reports", token=self._token)
            self._token = _LOST
        if self.held:
            self.held = False
            self.lost()

    def wake(self) -> None:
        """The lease may be free."""
        self._soon.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._soon.wait(), RENEW)
            self._soon.clear()
            try:
                await self.seek()
            except StoreUnavailable:
                continue  # whoever writes says so
            except Exception:  # noqa: BLE001  # whatever taking over stumbled over, the lease goes on
                _log.exception("taking over failed")

    async def release(self) -> None:
        """At the end of the process, when all is written: the next one need not wait."""
        if self._token and not self.plain.on_sqlite:
            with contextlib.suppress(StoreUnavailable):
                await asyncio.to_thread(lease.release, self.plain, self._token)
