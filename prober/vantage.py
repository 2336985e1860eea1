"""What one agent has said of its own watching: from when to when it captured, and what its kernel counted.

Times are nanoseconds of the agent's own clock. They are mapped to the controller's monotonic seconds only to know
whether the agent was capturing while a probe was under way; a constant error of that clock changes nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from prober.report import Report

MARGIN_NS = 20_000_000
"""How far a mapped time may be off between agents on a quiet network; coverage must reach beyond it."""

STEP_NS = 1_000_000_000
"""An agent's clock that is off by more than this from what it showed before was set, or its report came late."""
STEADY = 5.0
"""Seconds of reports that are all late by as much: the clock was set back, and the report that said so is lost."""
READ_NS = 75_000_000_000
"""How long readings of counters are kept: no probe is told of that began earlier (`joiner.UNCLAIMED`)."""
DRIFT_NS = 200_000.0
"""Nanoseconds a second by which a clock may run slow (200 ppm; quartz has 100 at most)."""


@dataclass(slots=True)
class Vantage:
    """What one agent has said of its own watching, in its own clock's nanoseconds.

    ``offset_ns`` maps that clock to the controller's: the least that a report ever took, as it drifts, and not what
    it waited at the agent by the agent's own word. A report that takes longer was late; it moves nothing.
    """

    epoch: int = 0
    heard: float = float("-inf")
    offset_ns: int = 0
    covered: list[tuple[int, int]] = field(default_factory=list)
    looked: list[tuple[int, int]] = field(default_factory=list)
    counters: deque[tuple[int, dict[str, int]]] = field(default_factory=lambda: deque(maxlen=64))
    late: tuple[float, int] | None = None

    def hear(self, report: Report, received: float) -> None:
        offset = int(received * 1e9) - report.clock_ns - report.age_ns
        if report.epoch != self.epoch or self._was_set(report, offset, received):
            self.epoch, self.offset_ns, self.late = report.epoch, offset, None  # a new process, or its clock was set
            self.covered.clear()
            self.looked.clear()
            self.counters.clear()
        elif received > self.heard:
            self.offset_ns += int((received - self.heard) * DRIFT_NS)
        self.heard, self.offset_ns = max(self.heard, received), min(self.offset_ns, offset)
        self.counters.append((report.clock_ns, report.counters))
        while self.counters[0][0] < report.clock_ns - READ_NS:
            self.counters.popleft()
        if not report.dropped and report.since_ns <= report.until_ns:
            spans = self.covered if report.tap else self.looked
            spans[:] = _merged([*spans, (report.since_ns, report.until_ns)])

    def _was_set(self, report: Report, offset: int, received: float) -> bool:
        """True where the clock was set since the last report; a report that only came late does not look like it."""
        if report.until_ns < report.since_ns or offset < self.offset_ns - STEP_NS:
            return True
        if offset - self.offset_ns <= STEP_NS:
            self.late = None
            return False
        if self.late is None or abs(offset - self.late[1]) > STEP_NS // 2:
            self.late = (received, offset)
        return received - self.late[0] > STEADY

    def watched(self, start: float, end: float) -> bool:
        """True where it said that it captured from before `start` to after `end` (controller's seconds)."""
        return self._within(self.covered, start, end)

    def read_table(self, start: float, end: float) -> bool:
        """True where it captures nothing, and said that it read its half-open sockets throughout."""
        return self._within(self.looked, start, end)

    def _within(self, spans: list[tuple[int, int]], start: float, end: float) -> bool:
        first = int(start * 1e9) - self.offset_ns - MARGIN_NS
        last = int(end * 1e9) - self.offset_ns
        return any(since <= first and until >= last for since, until in spans)

    def reaches(self, end: float) -> bool:
        """True where its coverage statements have come as far as `end`."""
        last = int(end * 1e9) - self.offset_ns
        return any(spans and spans[-1][1] >= last for spans in (self.covered, self.looked))

    def moved(self, start: float, end: float) -> dict[str, int]:
        """The counters that rose between the last reading before `start` and the first one after `end`."""
        first, last = int(start * 1e9) - self.offset_ns, int(end * 1e9) - self.offset_ns
        before = max((one for one in self.counters if one[0] <= first), key=_clock, default=None)
        after = min((one for one in self.counters if one[0] >= last), key=_clock, default=None)
        if before is None or after is None:
            return {}
        return {k: v - before[1].get(k, 0) for k, v in after[1].items() if v > before[1].get(k, 0)}


def moved(vantages: Mapping[str, Vantage], names: Iterable[str], start: float, end: float) -> dict[str, int]:
    """The counters of several agents that rose around this time, summed."""
    result: dict[str, int] = {}
    for one in (vantages[name] for name in names if name in vantages):
        result.update({k: result.get(k, 0) + v for k, v in one.moved(start, end).items()})
    return result


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Statements that touch or overlap are one; their order does not matter."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged[-64:]


def _clock(reading: tuple[int, dict[str, int]]) -> int:
    return reading[0]
