"""What an agent does on the wire, in batches: ask, hear, close, time out. No orders, no plan, no report.

One thread calls it; what is many is sent by the feeder's thread meanwhile. Whatever has been captured is heard before
anything times out, so a late turn never makes a loss.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from prober import segment
from prober.handshakes import Handshakes
from prober.probe import Kind
from prober.report import OUTCOME
from prober.segment import OUT, RST, SYN, Batch
from prober.sighting import SIGHTING, sightings
from prober.translated import Translated
from prober.wire.capture import Catch
from prober.wire.feeder import Asked, Failed, Feeder, Sender

AT_ONCE = 512
"""SYNs that are sent by the caller's own thread; more are left to the feeder's."""


_SYN = int(Kind.SYN)  # numpy asks an enum's member for a dozen attributes before it takes it for a number


class Receiver(Protocol):
    """What captures: a `Tap`, or a list in a test."""

    def receive(self, limit: int = ..., frames: bool = ...) -> Catch:
        """What came since the last call, at most `limit`."""

    def hurry(self, hurried: bool) -> None:
        """Leave out this host's own RSTs, or not."""

    def wait(self, seconds: float) -> None:
        """Until something came, `seconds` at most."""


class Heard(NamedTuple):
    """One look at the tap: the segments, recognised or not; the sightings among them, and a frame for each.

    ``arrived`` are the sightings that no overlay wraps any more: only those are anybody's yet. ``again`` are the SYNs
    that were sent once more for what arrived.
    """

    segments: Batch
    sightings: Batch
    frames: list[bytes]
    arrived: Batch
    outcomes: Batch
    again: Batch


class Engine:
    """`link` sends for the caller's thread, `feeder` owns one for its own.

    ``lost_resets`` counts RSTs that could not be sent: each may have left something half-open.
    """

    def __init__(self, tap: Receiver, link: Sender, feeder: Feeder) -> None:
        self.tap, self.link, self.feeder = tap, link, feeder
        self.handshakes = Handshakes()
        self.lost_resets = 0
        self._translated = Translated()

    @property
    def waiting(self) -> int:
        """Handshakes that have no outcome yet, those included whose SYN has still to leave."""
        announced = sum(len(one.asked.syns) for one in tuple(self.feeder.announced))
        return self.feeder.left + announced + len(self.handshakes)

    def ask(self, asked: Asked, now_ns: int, rate: float = 0.0, sender: Sender | None = None) -> Batch:
        """Send SYNs; the outcomes of those that could not be sent, as far as that is known now.

        ``sender`` is who sends these few, where it is not the link.
        """
        if len(asked.syns) > AT_ONCE and sender is None:
            self.feeder.feed(asked, rate)
            return np.zeros(0, OUTCOME)
        self.handshakes.open(asked.syns, asked.targets, asked.runs, asked.timeouts, now_ns)
        errnos = (sender or self.link).send(asked.syns)
        wrong = np.flatnonzero(errnos)
        return self._fail([Failed(asked.syns["seq"][wrong], errnos[wrong], now_ns)] if len(wrong) else [])

    def hear(
        self, keys: tuple[bytes, ...], pods: frozenset[int], now_ns: int, limit: int = 4096, thorough: bool = True
    ) -> Heard:
        """What has arrived, recognised, stepped and closed. Never waits.

        Not ``thorough``: no frames are kept, and the RSTs that this host sends are not told.
        """
        catch = self.tap.receive(limit, thorough)
        failed = self._fail(self._take_failed())
        if not len(catch.segments):
            return Heard(catch.segments, np.zeros(0, SIGHTING), [], np.zeros(0, SIGHTING), failed, segment.empty())
        segments = catch.segments if thorough else _without_own_resets(catch.segments)
        seen, rows = sightings(segments, keys, pods, self._translated)
        self.feeder.noticed(int(np.count_nonzero((seen["kind"] == _SYN) & (seen["way"] == OUT))))
        wrapped = segment.wrapped(seen)
        arrived = seen.take(np.flatnonzero(~wrapped)) if wrapped.any() else seen
        resets, outcomes = self.handshakes.hear(arrived, now_ns)
        self.close(resets)
        kept = [catch.frames[row] for row in rows.tolist()] if thorough else []
        again = resets.take(np.flatnonzero(resets["flags"] == SYN))
        return Heard(catch.segments, seen, kept, arrived, _both(outcomes, failed), again)

    def expire(self, now_ns: int) -> Batch:
        """The outcomes of those past their deadline, each closed all the same. Only when the tap has been emptied."""
        resets, outcomes = self.handshakes.expire(now_ns)
        self.close(resets)
        return outcomes

    def close(self, resets: Batch) -> None:
        """Send RSTs; a failure is counted."""
        if len(resets):
            self.lost_resets += int(np.count_nonzero(self.link.send(resets)))

    def _take_failed(self) -> list[Failed]:
        """The feeder's failures, when every part that they can be of is open: what failed was announced before."""
        failed = [self.feeder.failed.popleft() for _ in range(len(self.feeder.failed))]
        for _ in range(len(self.feeder.announced)):
            part, at_ns = self.feeder.announced.popleft()
            self.handshakes.open(part.syns, part.targets, part.runs, part.timeouts, at_ns)
        return failed

    def _fail(self, failed: list[Failed]) -> Batch:
        outcomes = np.zeros(0, OUTCOME)
        for ids, errnos, at_ns in failed:
            outcomes = _both(outcomes, self.handshakes.fail(ids, errnos, at_ns))
        return outcomes


def _without_own_resets(segments: Batch) -> Batch:
    told = (segments["way"] != OUT) | (segments["flags"] != RST)
    return segments if told.all() else segments.take(np.flatnonzero(told))


def _both(some: Batch, more: Batch) -> Batch:
    if not len(some) or not len(more):
        return some if len(some) else more
    return segment.join([some, more], OUTCOME)


def asked(syns: Batch, timeout: float, target: int = 0, run: int = 0) -> Asked:
    """`syns` that all have one timeout, in seconds, one target and one run."""
    zeros = np.zeros(len(syns), np.uint16)
    return Asked(syns, zeros + np.uint16(target), zeros + np.uint16(run), np.full(len(syns), int(timeout * 1e9)))
