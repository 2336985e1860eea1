"""The thread that sends many SYNs while another one hears what they bring, and sends a part itself when it is idle.

Each part is announced before it leaves, so whoever first empties the tap and then takes the announcements knows every
probe of which it can have heard. ctypes lets go of the interpreter's lock while the kernel sends.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections import deque
from typing import NamedTuple, Protocol

import numpy as np

from prober.segment import Batch
from prober.wire import packets
from prober.wire.pace import Pace

PART = 1024
"""SYNs announced and sent together, at most; fewer where the pace is slow."""
HELPED = 1024
"""SYNs that are sent by the one who hears, at most, before it listens again."""
JITTER = 0.1
"""Pauses are longer or shorter by up to this part, so that agents do not march in step."""

AHEAD = 8000
"""SYNs that may be out and unnoticed before the next part of each thread leaves: with answers and RSTs, three frames
each, a ring of 32,768 slots holds them all."""
FOLLOW = 0.25
"""Seconds to wait for the tap at most."""


class Sender(Protocol):
    """What sends a batch and answers an errno a row: a `Link`, or a list in a test."""

    def send(self, batch: Batch) -> Batch:
        """0 where a row left."""


class Asked(NamedTuple):
    """SYNs to send (`segment.SEGMENT` rows) and, a row each: indexes of target and run, the timeout in nanoseconds."""

    syns: Batch
    targets: Batch
    runs: Batch
    timeouts: Batch

    def part(self, start: int, stop: int) -> Asked:
        """Some of the rows."""
        return Asked(*(column[start:stop] for column in self))


class Announced(NamedTuple):
    """A part that leaves from ``at_ns`` on (realtime)."""

    asked: Asked
    at_ns: int


class Failed(NamedTuple):
    """Sends that failed: the probes' ids, an errno each."""

    ids: Batch
    errnos: Batch
    at_ns: int


class Feeder:
    """Owns its `sender`. ``announced`` and ``failed`` are filled by its thread, in order, and emptied by another."""

    def __init__(self, sender: Sender) -> None:
        self.announced: deque[Announced] = deque()
        self.failed: deque[Failed] = deque()
        self._sender = sender
        self._under_way: _Course | None = None
        self._work: queue.SimpleQueue[tuple[Asked, float] | None] = queue.SimpleQueue()
        self._random = random.Random()  # noqa: S311  # it spreads packets, it hides nothing
        self._left, self._lock = 0, threading.Lock()
        self._sent = self._noticed = 0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def feed(self, asked: Asked, rate: float = 0.0) -> None:
        """Send all of it at `rate` SYNs a second (0: as fast as the kernel takes them). Returns at once."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)
            self._thread.start()
        with self._lock:
            self._left += len(asked.syns)
        self._work.put((asked, rate))

    def help(self, sender: Sender) -> bool:
        """Send the next `HELPED` SYNs with the caller's own `sender`; False where none are left, or none may go yet.

        Only what has no pace: a paced thread sleeps, and needs no help.
        """
        course = self._under_way
        if course is None or course.pace.rate > 0.0 or (part := self._next(HELPED)) is None:
            return False
        self._send(part, sender)
        return True

    def noticed(self, count: int) -> None:
        """The tap has shown so many SYNs leaving. The feeder runs no further ahead than the tap's ring can hold."""
        self._noticed += count

    @property
    def left(self) -> int:
        """How many SYNs have not been handed to the kernel yet."""
        return self._left

    def close(self) -> None:
        """Stop after the part under way; what has not left never will."""
        self._stopping.set()
        self._work.put(None)
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        packets.prepare()
        while (work := self._work.get()) is not None and not self._stopping.is_set():
            self._send_all(*work)

    def _send_all(self, asked: Asked, rate: float) -> None:
        pace = Pace(rate, burst=PART if rate <= 0.0 else max(1, min(PART, int(rate / 200))))
        course = self._under_way = _Course(asked, pace)
        while course.left and not self._stopping.is_set():
            self._let_the_tap_follow()
            part = self._next(PART)
            if part is None:
                self._stopping.wait(pace.wait(1) * (1.0 + JITTER * (2.0 * self._random.random() - 1.0)))
                continue
            self._send(part, self._sender)
        with self._lock:
            self._left -= course.left
            course.left = 0

    def _next(self, most: int) -> Asked | None:
        """The next SYNs that may leave, announced; None where none may yet. Each is given to one thread only."""
        with self._lock:
            course = self._under_way
            part = course.take(most, time.monotonic()) if course is not None else None
            if part is not None:
                self.announced.append(Announced(part, time.time_ns()))
            return part

    def _let_the_tap_follow(self) -> None:
        """Wait while too much that was sent has not been noticed; what the tap missed is waited for only so long."""
        deadline = time.monotonic() + FOLLOW
        while self._sent - self._noticed > AHEAD and not self._stopping.is_set():
            if time.monotonic() > deadline:
                self._noticed = self._sent
                return
            time.sleep(0.0005)

    def _send(self, part: Asked, sender: Sender) -> None:
        errnos = sender.send(part.syns)
        wrong = np.flatnonzero(errnos)
        if len(wrong):
            self.failed.append(Failed(part.syns["seq"][wrong], errnos[wrong], time.time_ns()))
        with self._lock:
            self._sent += len(part.syns) - len(wrong)
            self._left -= len(part.syns)


class _Course:
    """What is being sent, and how far that has come."""

    def __init__(self, asked: Asked, pace: Pace) -> None:
        self.asked, self.pace, self.left = asked, pace, len(asked.syns)

    def take(self, most: int, now: float) -> Asked | None:
        """The next ones, `most` at most and no more than the pace lets go."""
        count = self.pace.take(min(most, self.left), now)
        start = len(self.asked.syns) - self.left
        self.left -= count
        return self.asked.part(start, start + count) if count else None
