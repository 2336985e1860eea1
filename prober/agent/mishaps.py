"""What sending met: it makes no verdict, and the operator should know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class Resetting(Protocol):
    """Who sends RSTs: the engine."""

    @property
    def lost_resets(self) -> int:
        """How many could not be sent so far."""


class Waiting(Protocol):
    """Who waits for a full send queue: the link."""

    @property
    def waits(self) -> int:
        """How often so far."""


class Mishaps:
    """Remembers what was told already."""

    def __init__(self, engine: Resetting, link: Waiting) -> None:
        self._engine, self._link = engine, link
        self._lost_resets = self._waits = 0

    def since(self) -> Iterator[str]:
        """What has happened since the last call, a sentence each."""
        lost, waits = self._engine.lost_resets - self._lost_resets, self._link.waits - self._waits
        self._lost_resets, self._waits = self._engine.lost_resets, self._link.waits
        if lost > 0:
            yield f"{lost} RSTs could not be sent: targets keep half-open sockets a while"
        if waits > 0:
            yield f"the send queue was full {waits} times, and was waited for"
