"""An outbox's folder: its segments, one process at a time, within a bound of bytes."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

from prober.agent import recovery
from prober.agent.journal import Segment
from prober.agent.recovery import Entry, Left
from prober.errors import CannotMeasure

PARTS = 32
"""Segments that make up the bound."""
SUCCESSES, EVERYTHING = 1, 2
"""How far a segment has been thinned."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class InUse(CannotMeasure):
    """Two processes on one outbox would tear each other's records."""


def boot_id() -> str:
    """This boot's name: CLOCK_BOOTTIME means nothing in another (proc(5))."""
    return _BOOT.read_text().strip() if _BOOT.exists() else ""


class Folder:
    """Segments in the order in which they were begun; the last may be written to. Raises OSError throughout."""

    def __init__(self, path: Path, bound: int) -> None:
        self.path, self.bound = path, bound
        self.segments: list[Segment] = []
        self._active: Segment | None = None
        self._reading: Segment | None = None
        self._acknowledged: list[tuple[int, int]] = []
        self._lock = -1
        self.is_open = False

    def open(self, agent: str) -> Left:
        """What was left here. Raises InUse where another process is at it."""
        self._own()
        left = recovery.recover(self.path, agent)
        self.segments, self.is_open = left.segments, True
        return left

    def _own(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise InUse(f"another agent keeps its outbox in {self.path}; give each its own --name or --state") from None
        self._lock = lock

    def put(self, entries: list[Entry]) -> None:
        """Entries from memory, in one fsync; their bodies stay. Acknowledgements go along; alone they can wait."""
        if not entries:
            return
        if self._active is None or self._active.size >= self.bound // PARTS:
            number = self.segments[-1].number + 1 if self.segments else 1
            self._active = Segment.new(self.path, number)
            self.segments.append(self._active)
        frames = [recovery.pack(entry.summary, entry.body) for entry in entries]
        if self._acknowledged:
            frames.append(recovery.acknowledgement(self._acknowledged))
        places = self._active.put(frames)
        self._acknowledged = []
        self._placed(self._active, entries, places)

    def replace(self, segment: Segment, entries: list[Entry], bodies: list[bytes]) -> None:
        """A segment anew, with these entries alone."""
        frames = [recovery.pack(entry.summary, body) for entry, body in zip(entries, bodies, strict=True)]
        places = segment.replace(frames)
        segment.waiting = 0
        self._placed(segment, entries, places)
        for entry in entries:
            entry.body = b""

    def _placed(self, segment: Segment, entries: list[Entry], places: list[int]) -> None:
        for entry, at in zip(entries, places, strict=False):
            entry.segment, entry.at = segment, at
        segment.waiting += len(entries)

    def acknowledged(self, entry: Entry) -> None:
        """The controller has it: written down with the next report; forgotten in a crash, it is sent once more."""
        if entry.segment is not None:
            entry.segment.waiting -= 1
            self._acknowledged.append(entry.summary.name)

    def shrink(self, make_room: Callable[[Segment, bool], None]) -> None:
        """What is acknowledged goes. Beyond the bound `make_room` takes the successes out of the oldest segments, and
        where that is not enough, the failures."""
        for segment in [one for one in self.segments if not one.waiting and one is not self._active]:
            segment.remove()
            self.segments.remove(segment)
        for thinned in (SUCCESSES, EVERYTHING):
            for segment in self.segments[:-1]:
                if self.size() <= self.bound:
                    return
                if segment.thinned < thinned and segment is not self._active:
                    make_room(segment, thinned == EVERYTHING)
                    segment.thinned = thinned

    def size(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for segment in self.segments)

    def read(self, entry: Entry) -> bytes:
        """A report's bytes. Raises ValueError where they are not what was written."""
        assert entry.segment is not None
        if self._reading not in (None, entry.segment, self._active):
            self._reading.close()  # one file open to read, however many wait
        self._reading = entry.segment
        return recovery.unpack(entry.segment.read(entry.at))[1]

    def close(self) -> None:
        """Another process may have it."""
        for segment in self.segments:
            segment.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
