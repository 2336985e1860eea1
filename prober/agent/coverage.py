"""The coverage statement: since when all that came by was captured, and how much of it the kernel dropped."""

from __future__ import annotations

from collections.abc import Callable

Span = tuple[int, int]
"""From when to when, in nanoseconds of the agent's clock."""


class Coverage:
    """`dropped` counts the frames that the kernel has dropped so far; ``since_ns`` is where the next statement begins.

    One statement begins where the last one ended, so that nothing between them is left out or claimed twice.
    """

    def __init__(self, dropped: Callable[[], int], now_ns: int) -> None:
        self._count, self._dropped = dropped, dropped()
        self.since_ns = now_ns

    def gap(self, until_ns: int) -> None:
        """Nothing before this is claimed any more."""
        self.since_ns = until_ns

    def close(self, until_ns: int) -> tuple[Span, int]:
        """The statement up to `until_ns`, and the frames that were dropped since the last one."""
        covered, before = (self.since_ns, until_ns), self._dropped
        self.since_ns, self._dropped = until_ns, self._count()
        return covered, self._dropped - before
