"""A whole matrix at once: many handshakes, each heard to its end, as fast as the kernel takes them.

The feeder's thread sends, the caller's hears, matches, closes and times out; both run side by side, for the system
calls and most of numpy's work need no interpreter.
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
from prober.idtable import IdTable
from prober.report import OUTCOME
from prober.segment import Batch
from prober.sighting import SIGHTING
from prober.wire.feeder import Asked

LOOK = 4096
"""Frames read at a time."""
PATIENCE = 0.002
"""Seconds to wait for the next frame before deadlines are looked at."""
FEW, GATHER = 2048, 0.003
"""Fewer frames than this are handled for the price of as many: the next ones are waited for, so many seconds."""
SWITCH = 0.0005
"""Seconds for which one thread keeps the interpreter while the other wants it."""


class Swept(NamedTuple):
    """An outcome for every SYN, in the order asked, and the sightings of them, this host's own RSTs left out."""

    outcomes: Batch
    sightings: Batch


def sweep(
    engine: Engine, asked: Asked, keys: tuple[bytes, ...], rate: float = 0.0, pods: frozenset[int] = frozenset()
) -> Swept:
    """Ask all, `rate` SYNs a second (0: no limit), and hear until each has its outcome."""
    with _hurrying(engine):
        parts = [engine.ask(asked, time.time_ns(), rate)]
        seen: list[Batch] = []
        while engine.waiting:
            heard = engine.hear(keys, pods, time.time_ns(), LOOK, thorough=False)
            parts.append(heard.outcomes)
            seen.append(heard.sightings)
            if not len(heard.segments):
                parts.append(engine.expire(time.time_ns()))
                engine.tap.wait(PATIENCE)
            elif len(heard.segments) < FEW and engine.feeder.left:
                time.sleep(GATHER)
    return Swept(_ordered(asked, segment.join(parts, OUTCOME)), segment.join(seen, SIGHTING))


def _ordered(asked: Asked, outcomes: Batch) -> Batch:
    """Outcomes in the order of the SYNs; of other handshakes that ended meanwhile none."""
    table = IdTable(max(1, len(asked.syns)))
    table.put(asked.syns["seq"], np.arange(len(asked.syns)))
    at = table.find(outcomes["probe"])
    ordered = np.zeros(len(asked.syns), OUTCOME)
    mine = np.flatnonzero(at >= 0)
    segment.put(ordered, at[mine], outcomes.take(mine))
    return ordered


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
