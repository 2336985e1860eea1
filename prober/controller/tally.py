"""What is counted of what is judged: how often each label was said, and each objective's minutes."""

from __future__ import annotations

from collections.abc import Iterable

from prober.controller.counts import COUNTED, Counts
from prober.controller.judged import Judged
from prober.controller.plain import Minute
from prober.declared import Objective
from prober.handshake import State
from prober.report import BESIDE
from prober.rules_target import is_spoilt
from prober.slo import Ledger, Row, is_good
from prober.verdict import Label

Goal = tuple[str, float | None]
"""An objective's name, and how many ms an answer may take for it, if it says so."""


class Tally:
    """``ledger``: what counts now; ``counts``: what the store is to hold of it; ``labels``: probes by what was said."""

    def __init__(self, objectives: Iterable[Objective]) -> None:
        self.labels: dict[str, int] = {}
        self.ledger, self.counts = Ledger(objectives), Counts(objectives)

    def adopt(self, objectives: Iterable[Objective]) -> None:
        """Another document: objectives that are still declared keep their counts."""
        rows, self.ledger = self.ledger.rows(), Ledger(objectives)
        self.ledger.load(row for row in rows if row[0] in self.ledger.objectives)
        self.counts.adopt(objectives)

    def take_over(self, rows: Iterable[Row], until_ns: int) -> None:
        """From now on this controller keeps the counts; see `Counts.take_over`."""
        self.ledger = self.counts.take_over(rows, until_ns)

    def age(self, wall: float, by_the_minute: float) -> None:
        """What is older than `by_the_minute` seconds is counted by the hour, what no window reaches any more goes."""
        for ledger in (self.ledger, self.counts.settled):
            ledger.roll(wall - by_the_minute)
            ledger.forget(wall)

    def plain(self, answers: int, minutes: Iterable[Minute], received_ns: int) -> None:
        """So many plain answers, told in a report that was received then."""
        self._label(Label.HEALTHY, answers)
        for one in minutes if received_ns > self.counts.until_ns else ():
            self.ledger.count(*one)
            self.counts.count(received_ns, *one)

    def judged(self, judged: Judged, goals: Iterable[Goal], past: bool) -> None:
        """Into the minute in which the SYN was sent, however late its report came. One never sent counts not."""
        o, asked_at = judged.observation, judged.sent_wall
        self._label(judged.verdict.label, 1)
        received_ns = self.counts.judged(past, o.probe)
        if o.asked.state == State.NOT_SENT or received_ns == COUNTED or is_spoilt(o, judged.verdict) or o.run == BESIDE:
            return
        for name, latency_ms in goals:
            good = is_good(judged.verdict.label, o.asked.rtt_ms, latency_ms)
            self.ledger.count(name, asked_at, int(good), 1)
            self.counts.count(received_ns, name, asked_at, int(good))

    def _label(self, label: Label, times: int) -> None:
        self.labels[label] = self.labels.get(label, 0) + times
