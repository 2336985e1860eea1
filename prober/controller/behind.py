"""Writes that follow the desk: what the store refuses now is tried again, in order, while judging goes on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import structlog

from prober.errors import Deposed, StoreUnavailable

MOST = 20_000
"""Writes that may wait while the store is away; then the oldest go, and are counted."""
AGAIN_AFTER = 1.0
"""Seconds before a refused write is tried again."""

_log = structlog.get_logger("prober.controller")
Write = Callable[[], object]


class Behind:
    """A queue of writes, each run in a thread. ``trouble`` is why the store refuses now, ``lost`` how many went."""

    def __init__(self) -> None:
        self._waiting: deque[Write] = deque()
        self._filled = asyncio.Event()
        self.trouble: str | None = None
        self.lost = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, write: Write) -> None:
        """To be written after everything that was added before."""
        if len(self._waiting) >= MOST:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(write)
        self._filled.set()

    async def run(self) -> None:
        """The one writer behind the desk, for ever."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._waiting:
                if not await self._write():
                    await asyncio.sleep(AGAIN_AFTER)

    async def flush(self) -> None:
        """One try for each that still waits: the end of the process."""
        while self._waiting:
            if not await self._write():
                _log.error("what was judged could not be kept", writes=len(self._waiting), why=self.trouble)
                return

    async def _write(self) -> bool:
        """The oldest write; False where the store refused it and it waits on. One that fails by itself is let go."""
        write = self._waiting[0]
        try:
            await asyncio.to_thread(write)
        except StoreUnavailable as error:
            if self.trouble is None:
                _log.error("what was judged waits for the store", why=str(error))
            self.trouble = error.outward
            return False
        except Deposed:
            _log.info("what follows is another controller's to keep")
        except Exception:  # noqa: BLE001  # the queue must go on, whatever one write stumbled over
            _log.exception("a write failed and is let go")
            self.lost += 1
        if self._waiting and self._waiting[0] is write:
            self._waiting.popleft()
        self.trouble = None
        return True
