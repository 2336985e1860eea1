"""Answers that were told briefly, by the thousand: into the matrix's columns, the minutes and the totals.

A *plain* answer is of continuous probing, in a large fleet, of a cell that is well, and nobody has told a packet of
it. All that can be said of it is that it was answered, when and how fast; `prober.classify` would say it is healthy.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import NamedTuple

import numpy as np

from prober.columns import Columns
from prober.handshake import REFUSED_ONCE, State
from prober.matrix import Matrix
from prober.plan import whole
from prober.probe import is_whole
from prober.report import Report
from prober.segment import Batch
from prober.slo import Goals
from prober.targets import Targets


class Answers(NamedTuple):
    """Plain answers of one agent, in columns: targets, when they were sent (controller's seconds), RTTs in ms."""

    source: str
    columns: Batch
    sent: Batch
    rtt_ms: Batch


class Minute(NamedTuple):
    """What counts for an objective: how many answers in the minute of ``at`` (Unix seconds), and how many were good."""

    objective: str
    at: float
    good: int
    total: int


class Plain:
    """Knows which answers are plain, and where they go. In a small fleet none is."""

    def __init__(self, targets: Targets, matrix: Matrix) -> None:
        self.whole, self.columns = whole(targets), matrix if isinstance(matrix, Columns) else None
        self.goals = Goals(targets.objectives)
        self._wanted: dict[str, list[tuple[str, Batch, float | None]]] = {}

    def among(self, report: Report, pending: Container[int]) -> Batch:
        """Which of a report's outcomes are plain; of the probes that are `pending` something else is known."""
        rows = report.outcome_rows()
        row = self.columns.row(report.agent) if self.columns else None
        if self.columns is None or row is None or not len(rows):
            return np.zeros(len(rows), bool)
        columns = self.columns.column_of(report.targets)[rows["target"]]
        continuous = np.array([not run for run in report.runs] or [True])[rows["run"]]
        answered = (rows["state"] == int(State.ANSWERED)) & (rows["error"] != REFUSED_ONCE)
        plain: Batch = answered & continuous & ~is_whole(rows["probe"], self.whole) & (columns >= 0)
        plain &= self.columns.plain[row, columns]
        plain[plain] = [number not in pending for number in rows["probe"][plain].tolist()]
        return plain

    def answers(self, report: Report, plain: Batch, offset_ns: int, received: float) -> Answers:
        """Those outcomes, by the controller's clock; nothing was sent after it was told."""
        assert self.columns is not None
        rows = report.outcome_rows()[plain]
        sent = np.minimum((rows["sent_ns"] + offset_ns) / 1e9, received)
        return Answers(report.agent, self.columns.column_of(report.targets)[rows["target"]], sent, rows["rtt_ns"] / 1e6)

    def fold(self, told: Answers) -> None:
        """Into the matrix."""
        assert self.columns is not None
        row = self.columns.row(told.source)
        assert row is not None
        self.columns.fold(row, told.columns, told.sent, told.rtt_ms)

    def names(self, told: Answers) -> list[str]:
        """The targets that answered, one for each answer."""
        assert self.columns is not None
        return [self.columns.targets[column] for column in told.columns.tolist()]

    def minutes(self, told: Answers, ahead: float) -> Iterator[Minute]:
        """What counts for which objective; Unix time is `ahead` of the controller's seconds."""
        for name, mine, latency_ms in self._goals_of(told.source):
            counts = mine[told.columns]
            good = counts if latency_ms is None else counts & (told.rtt_ms > 0) & (told.rtt_ms <= latency_ms)
            minute = ((told.sent + ahead) // 60).astype(np.int64)
            for one in np.unique(minute[counts]).tolist():
                then = minute == one
                yield Minute(name, one * 60.0, int((good & then).sum()), int((counts & then).sum()))

    def _goals_of(self, source: str) -> list[tuple[str, Batch, float | None]]:
        assert self.columns is not None
        if source not in self._wanted:
            self._wanted[source] = [
                (name, np.array([target in targets for target in self.columns.targets]), latency_ms)
                for name, targets, latency_ms in self.goals.of_source(source)
            ]
        return self._wanted[source]
