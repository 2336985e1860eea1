"""A whole matrix at once: many handshakes, each heard to its end, as fast as the kernel takes them.

The feeder's thread sends; the caller's hears, matches, closes and times out, and where little has arrived it sends the
next SYNs itself instead of waiting. Both run side by side, for the system calls and most of numpy's work need no
interpreter; and neither sleeps while there is something to do.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from prober import segment
from prober.agent.engine import Engine
from prober.report import OUTCOME
from prober.segment import Batch
from prober.wire.feeder import Asked

LOOK = 8192
"""Frames read at a time."""
PATIENCE = 0.002
"""Seconds to wait for the next frame before deadlines are looked at."""
FEW, GATHER = 4096, 0.003
"""Fewer frames than this cost more each: SYNs are sent meanwhile; where those have a pace, it waits so many seconds."""
SWITCH = 0.0005
"""Seconds for which one thread keeps the interpreter while the other wants it."""


class Swept(NamedTuple):
    """An outcome for every SYN, in the order asked, and the sightings of them, this host's own RSTs left out, in
    parts as they were heard: together they may be many megabytes."""

    outcomes: Batch
    sightings: list[Batch]


def sweep(
    engine: Engine, asked: Asked, keys: tuple[bytes, ...], rate: float = 0.0, pods: frozenset[int] = frozenset()
) -> Swept:
    """Ask all, `rate` SYNs a second (0: no limit), and hear until each has its outcome."""
    with _hurrying(engine):
        ended = _Ended(asked.syns["seq"])
        ended.put(engine.ask(asked, time.time_ns(), rate))
        seen: list[Batch] = []
        while engine.waiting:
            heard = engine.hear(keys, pods, time.time_ns(), LOOK, thorough=False)
            ended.put(heard.outcomes)
            seen.append(heard.sightings)
            count = len(heard.segments)
            if not count:
                ended.put(engine.expire(time.time_ns()))
            if count >= FEW or engine.feeder.help(engine.link):
                continue
            if not count:
                engine.tap.wait(PATIENCE)
            elif engine.feeder.left:
                time.sleep(GATHER)
    return Swept(ended.outcomes, seen)


class _Ended:
    """Outcomes of these ids, each in its id's place."""

    def __init__(self, ids: Batch) -> None:
        self.outcomes = np.zeros(len(ids), OUTCOME)
        self._places = np.argsort(ids)
        self._ids = ids[self._places]

    def put(self, outcomes: Batch) -> None:
        """In whatever order they come; those of other handshakes that ended meanwhile are left out."""
        if not len(outcomes):
            return
        at = np.searchsorted(self._ids, outcomes["probe"])
        mine = np.flatnonzero(self._ids.take(at, mode="clip") == outcomes["probe"])
        segment.put(self.outcomes, self._places[at[mine]], outcomes.take(mine))


@contextmanager
def _hurrying(engine: Engine) -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH)
    engine.tap.hurry(True)
    try:
        yield
    finally:
        engine.tap.hurry(False)
        sys.setswitchinterval(before)
