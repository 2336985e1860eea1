"""How long what is kept is kept, and when it goes; failures stay longest."""

from __future__ import annotations

from typing import NamedTuple

from prober.settings import Settings
from prober.store import alerts, errands, findings, incidents, minutes, reports, snapshots, verdicts
from prober.store.engine import Store
from prober.targets import Targets

FINDINGS_KEPT = 3600.0
"""Seconds for which what experiments found of a cell is kept: while it fails they are done again within a quarter."""
MINUTES_KEPT = 3 * 86_400.0
"""Seconds for which an objective's minutes are kept at least: the longest window of the burn rates."""

REJOIN = 15.0
"""Seconds before the first report to be counted from which on reports are joined again: what they say belongs to it."""


class Retention(NamedTuple):
    """Seconds for which raw reports, passing and failing verdicts and the matrix as it was are kept, for which
    objectives are counted by the minute; later by the hour, as long as their windows; and incidents that are over."""

    reports: float
    passing: float
    failing: float
    matrix: float
    minutes: float
    incidents: float

    @classmethod
    def of(cls, settings: Settings) -> Retention:
        """As this process was told."""
        return cls(
            reports=settings.keep_reports, passing=settings.keep_passing, failing=settings.keep_failing,
            matrix=settings.keep_matrix, minutes=settings.keep_minutes, incidents=settings.keep_incidents,
        )  # fmt: skip


def prune(store: Store, wall: float, targets: Targets, kept: Retention) -> None:
    """Let go of what is old.

    What the database stamped is as old as its clock says, whatever `wall` is here; and a report stays until it is
    counted, and so long after that it can be judged again.
    """
    with store.read() as connection:
        now_ns = store.now_ns(connection)
    old_ns, counted_ns = now_ns - int(kept.reports * 1e9), minutes.counted_until(store) or 0
    minutes.roll_objective_minutes(store, int(wall - kept.minutes))
    minutes.prune_minutes(store, int(wall - longest(targets)))
    reports.prune(store, min(old_ns, counted_ns - int(REJOIN * 1e9)))
    errands.prune(store, old_ns)
    findings.prune(store, now_ns - int(FINDINGS_KEPT * 1e9))
    snapshots.prune_snapshots(store, int((wall - kept.matrix) * 1e9))
    incidents.prune(store, int((wall - kept.incidents) * 1e9))
    alerts.prune(store, int((wall - kept.incidents) * 1e9))
    reports.prune_gaps(store, int((wall - kept.failing) * 1e9))
    verdicts.prune_verdicts(
        store, passing_before_ns=int((wall - kept.passing) * 1e9), failing_before_ns=int((wall - kept.failing) * 1e9)
    )


def longest(targets: Targets) -> float:
    """Seconds for which an objective's counts are kept: the longest window of all."""
    return max([MINUTES_KEPT, *(one.window for one in targets.objectives)])
