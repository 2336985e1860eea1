"""Probes with what was said of them, and what one turn of judging brought."""

from __future__ import annotations

from dataclasses import dataclass, field

from prober.flip import Flip
from prober.observation import Observation
from prober.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """One probe with what was said of it. ``new`` is false for a revision."""

    observation: Observation
    verdict: Verdict
    at: float
    wall: float
    new: bool

    @property
    def sent_wall(self) -> float:
        """When the SYN was sent, in Unix seconds."""
        return self.wall - (self.at - self.observation.sent)


@dataclass(slots=True)
class Day:
    """What one turn of judging brought."""

    judged: list[Judged] = field(default_factory=list)
    flips: list[Flip] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
