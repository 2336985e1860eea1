"""A connection to PostgreSQL that waits for its server for a bounded time, whatever has become of it.

A server that was stopped, a disk that hangs under it, a network that drops: the connection stands, and no answer comes.
TCP gives up after minutes at best, and never where the other end's kernel still acknowledges.
"""

from __future__ import annotations

import time
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen

READS, WRITES = 10.0, 30.0
"""Seconds without a word from the server: where it is read from, and where it is written to, which others may keep
waiting."""

Result = TypeVar("Result")


class Bounded(psycopg.Connection[Any]):
    """``patience``: seconds for which the server may say nothing. A connection that took longer is closed: nobody knows
    what the server still makes of it."""

    patience = READS

    def wait(self, gen: PQGen[Result], *given: Any, **named: Any) -> Result:
        return super().wait(self._within(gen), *given, **named)

    def _within(self, gen: PQGen[Result]) -> PQGen[Result]:
        """`gen`, to which psycopg says again and again that nothing has come (`psycopg.generators`)."""
        until = time.monotonic() + self.patience
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if ready:
                    until = time.monotonic() + self.patience
                elif time.monotonic() >= until:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"the server has not answered for {self.patience:g} s")
                wanted = gen.send(ready)
        except StopIteration as done:
            result: Result = done.value
            return result
