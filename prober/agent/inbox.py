"""Orders on their way from the uplink's thread to the loop, which they wake."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

from prober.report import Orders


class Inbox:
    """`put` is the uplink's thread's, all else the loop's. It can be selected: readable once the loop was woken."""

    def __init__(self) -> None:
        self._orders: deque[Orders] = deque()
        self._hearing, self._waking = socket.socketpair()
        for end in (self._hearing, self._waking):
            end.setblocking(False)

    def fileno(self) -> int:
        """What is to be waited on."""
        return self._hearing.fileno()

    def put(self, orders: Orders, wake: bool) -> None:
        """They are heard with the next turn; `wake`: at once."""
        self._orders.append(orders)
        if wake:
            with suppress(BlockingIOError):  # it has been woken often enough already
                self._waking.send(b"!")

    def take(self) -> Iterator[Orders]:
        """Whatever is there, and what comes while that is obeyed."""
        self._calm()
        while self._orders:
            yield self._orders.popleft()

    def _calm(self) -> None:
        with suppress(BlockingIOError):
            while self._hearing.recv(4096):
                continue
