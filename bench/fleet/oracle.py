"""What must be in the store, kept outside the processes that are killed."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import sqlalchemy as sa

from bench.fleet.world import OBJECTIVE
from prober.report import EXPERIMENT, Report, decode_report
from prober.store import reports, tables
from prober.store.engine import Store

Name = tuple[str, int, int]
"""Agent, epoch, sequence."""


@dataclass(slots=True)
class Oracle:
    """``acknowledged``: names that must be stored; ``refused``: answers that were no acknowledgement, by status."""

    acknowledged: set[Name] = field(default_factory=set)
    refused: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """What a store holds: the names in it, the gaps told, and how many probes its objective counted."""

    names: list[Name]
    gaps: list[Name]
    probes: int
    counted: int

    def lost(self, oracle: Oracle) -> int:
        """Acknowledged and not stored, or stored and not counted."""
        return len(oracle.acknowledged - set(self.names)) + max(0, self.probes - self.counted)

    def doubled(self) -> int:
        """Stored twice, or counted twice."""
        return len(self.names) - len(set(self.names)) + max(0, self.counted - self.probes)


def look(store: Store) -> Found:
    """Read when nothing writes any more. Nothing has been pruned (`processes.controller`)."""
    rows = [row for row in reports.recent_reports(store, 0) if row.body]
    taken = [decode_report(row.body) for row in rows]
    told = [(row.agent, gap.epoch, number) for row, one in zip(rows, taken, strict=True) for gap in one.gaps
            for number in range(gap.first, gap.last + 1)]  # fmt: skip
    counts = tables.objective_minutes
    with store.read() as connection:
        asked = sa.select(sa.func.sum(counts.c.total)).where(counts.c.objective == OBJECTIVE)
        counted = int(connection.execute(asked).scalar_one() or 0)
    names = [(row.agent, row.epoch, row.sequence) for row in rows]
    return Found(names, told, sum(map(_counting, taken)), counted)


def _counting(one: Report) -> int:
    """Probes of a report that count for an objective: an experiment's do not."""
    counts = np.array([not run.startswith(EXPERIMENT) for run in one.runs] or [True])
    return int(np.count_nonzero(counts[one.outcome_rows()["run"]]))
