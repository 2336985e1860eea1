"""What sending met: it makes no verdict, and the operator should know."""

from __future__ import annotations

from collections.abc import Iterator

from prober.agent.engine import Engine
from prober.wire.link import Link
from prober.wire.untapped import NoLink


class Mishaps:
    """RSTs that `engine` lost, and how often `link` waited for a full send queue. What was told is told once."""

    def __init__(self, engine: Engine, link: Link | NoLink) -> None:
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
