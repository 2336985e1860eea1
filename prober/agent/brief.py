"""What need not be told, and what must not wait: in a large fleet reports are rare, and brief.

Left out are the packets of handshakes that are known to be complete.

A handshake is complete where the prober's RST shows the answer's own number (`prober.handshake`): the answer arrived,
whoever looks. That takes moments to see, so sightings are held for `HELD_NS`, and the coverage statement goes no
further than what is held: what has not been told yet must never read as not seen. All else is told as it comes.
"""

from __future__ import annotations

import numpy as np

from prober import segment
from prober.handshake import State
from prober.probe import Kind, is_whole
from prober.report import OFTEN
from prober.segment import IN, Batch
from prober.sighting import SIGHTING

HELD_NS = 500_000_000
"""For so long a handshake may take to be complete; a slower one is told."""

PRESSED = 2.0
"""Seconds for which reports are frequent after something that the controller should hear of soon: the coverage
statement is to reach beyond the timeout of a probe that failed elsewhere."""

_ANSWERED = int(State.ANSWERED)
_SYN, _SYN_ACK, _RST = int(Kind.SYN), int(Kind.SYN_ACK), int(Kind.RST)
Told = tuple[Batch, list[bytes]]
"""Sightings and their frames, row by row."""


class Brief:
    """One of ``whole`` complete handshakes is told all the same; 1: all are, at once where reports are frequent.

    ``every``: seconds between two reports, as the controller says.
    """

    def __init__(self) -> None:
        self.whole, self.every = 1, OFTEN
        self._pressed, self._pressing = float("-inf"), False
        self._rows: list[Batch] = []
        self._frames: list[bytes] = []

    def take(self, seen: Batch, frames: list[bytes]) -> Told:
        """What is to be told at once; the rest is held."""
        if self.whole == 1 and self.every <= OFTEN and not self._rows:
            return seen, frames
        kind = seen["kind"]
        usual = (kind == _SYN) | (kind == _SYN_ACK) | (kind == _RST)
        self._hold(*_some(seen, frames, usual))
        self._pressing |= not usual.all()
        return _some(seen, frames, ~usual)

    def _hold(self, seen: Batch, frames: list[bytes]) -> None:
        if len(seen):
            self._rows.append(seen)
            self._frames += frames

    def settle(self, now_ns: int) -> Told:
        """What was held long enough and is to be told. Those of one probe are told together, or not at all."""
        if not self._rows:
            return np.zeros(0, SIGHTING), []
        rows, frames = segment.join(self._rows, SIGHTING), self._frames
        ids, probe = np.unique(rows["probe"], return_inverse=True)
        first = np.full(len(ids), now_ns)
        np.minimum.at(first, probe, rows["time_ns"])
        complete, failing = _complete(rows, probe, len(ids))
        due = first <= now_ns - HELD_NS
        told = due & (~complete | is_whole(ids, self.whole))
        self._pressing |= bool((due & failing).any())
        self._rows, self._frames = [], []
        self._hold(*_some(rows, frames, ~due[probe]))
        return _some(rows, frames, told[probe])

    def all(self) -> Told:
        """Everything that is held: the agent ends."""
        rows, frames = segment.join(self._rows, SIGHTING), self._frames
        self._rows, self._frames = [], []
        return rows, frames

    def until(self, drained_ns: int) -> int:
        """How far the coverage statement may go, where everything up to `drained_ns` has been heard."""
        return min([drained_ns, *(int(rows["time_ns"].min()) - 1 for rows in self._rows)])

    def ended(self, outcomes: Batch) -> Batch:
        """The same outcomes: those that failed are to be told soon, and so are those that somebody asked for."""
        self._pressing |= bool((outcomes["state"] != _ANSWERED).any() or outcomes["run"].any())
        return outcomes

    def press(self) -> None:
        """The controller waits for something."""
        self._pressing = True

    def wait(self, now: float) -> float:
        """Seconds between two reports, as things are at `now`."""
        if self._pressing:
            self._pressed, self._pressing = now, False
        return self.every if now - self._pressed > PRESSED else min(OFTEN, self.every)


def _some(rows: Batch, frames: list[bytes], mask: Batch) -> Told:
    chosen = np.flatnonzero(mask)
    return rows.take(chosen), [frames[at] for at in chosen.tolist()]


def _complete(rows: Batch, probe: Batch, count: int) -> tuple[Batch, Batch]:
    """Masks over the probes: proven to be complete; a SYN came in, and nothing says that it was answered."""
    kind = rows["kind"]
    asked, came, proven = np.zeros(count, bool), np.zeros(count, bool), np.zeros(count, bool)
    answer = np.zeros(count, np.uint32)
    asked[probe[kind == _SYN]] = True
    came[probe[(kind == _SYN) & (rows["way"] == IN)]] = True
    answers = kind == _SYN_ACK
    answer[probe[answers]] = rows["seq"][answers] + np.uint32(1)
    closing = (kind == _RST) & rows["sealed"] & (rows["ack"] != 0)
    proven[probe[closing & (rows["ack"] == answer[probe])]] = True
    closed = np.zeros(count, bool)
    closed[probe[closing]] = True
    return asked & proven, came & ~closed
