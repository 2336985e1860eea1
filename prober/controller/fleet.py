"""What agents say of themselves: what their outboxes hold, what they let go, by which way they come, who is doubled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from prober.controller import history
from prober.controller.desk import Desk
from prober.controller.detours import Detours
from prober.controller.epochs import Epochs
from prober.report import Held, Report
from prober.store.engine import Store

NOTES = 50
"""Notes and gaps of one report that are said in the log: who writes a thousand must not keep the others waiting."""

_log = structlog.get_logger("prober.controller")


class Fleet:
    """``held``: what each agent's outbox holds; ``let_go``: how many reports it let go; ``notes``: what it said last of
    itself. `now` is monotonic seconds."""

    def __init__(self, store: Store, desk: Desk, secret: bytes, now: Callable[[], float]) -> None:
        self.store, self.desk, self.now = store, desk, now
        self.epochs, self.detours = Epochs(), Detours(secret)
        self.held: dict[str, Held] = {}
        self.let_go: dict[str, int] = {}
        self.notes: dict[str, str] = {}

    def hear(self, report: Report) -> None:
        """A report that is new; what an operator should know is said."""
        for note in report.notes[:NOTES]:
            self.notes[report.agent] = note
            _log.warning("an agent says", agent=report.agent, note=note)
        lost = sum(gap.last - gap.first + 1 for gap in report.gaps)
        self.let_go[report.agent] = self.let_go.get(report.agent, 0) + lost
        for gap in report.gaps[:NOTES]:
            lost = gap.last - gap.first + 1
            _log.warning("an agent let reports go", agent=report.agent, reports=lost, failed=gap.failed, why=gap.why)
        self.detours.hear(report)
        if report.live:
            self.held[report.agent] = report.held
            if self.epochs.hear(report.agent, report.epoch, self.now()):
                _log.error("an agent is doubled", why=self.epochs.sentence(report.agent, self.now()))

    def document(self) -> list[dict[str, Any]]:
        """Every declared agent: when it reported last, and what it said of itself."""
        vantages, now, none = self.desk.joiner.vantages, self.now(), Held()
        return [
            {
                "name": agent.name, "zone": agent.zone, "addresses": [str(a) for a in agent.addresses],
                "pods": [str(p) for p in agent.pods], "note": self.notes.get(agent.name),
                "age_seconds": round(now - vantages[agent.name].heard, 1) if agent.name in vantages else None,
                "alarm": self.epochs.sentence(agent.name, now),
                "via": self.detours.via.get(agent.name), "detour": self.detours.sentence(agent.name),
                "outbox": msgspec.structs.asdict(self.held.get(agent.name, none)),
                "gaps": history.gaps(self.store, agent.name),
            }
            for agent in self.desk.targets.agents
        ]  # fmt: skip
