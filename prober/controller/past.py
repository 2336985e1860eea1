"""Probes that ended long ago, told by agents that were cut off. They are judged apart, each by itself.

A probe's id comes back after hours, and what is known now must not be mixed with what was.
"""

from __future__ import annotations

import msgspec

from prober.classify import classify
from prober.controller.judged import Judged
from prober.joiner import Joiner
from prober.observation import Observation
from prober.targets import Targets
from prober.verdict import Verdict


class Past:
    """``joiner`` takes their reports."""

    def __init__(self, targets: Targets) -> None:
        self.joiner = Joiner(targets, past=True)
        self._said = dict[int, Verdict]()

    def due(self, now: float) -> list[Observation]:
        """What can be judged; what was said of those that are let go is let go as well, once for all of them."""
        found = self.joiner.due(now)
        self._said = {n: said for n, said in self._said.items() if n in self.joiner.pending}
        return found

    def judge(self, o: Observation, now: float, wall: float) -> Judged | None:
        """What is said of it; None where that was said before."""
        verdict, before = classify(o), self._said.get(o.probe)
        if before is not None:
            verdict = msgspec.structs.replace(verdict, revision=before.revision)
            if verdict == before:
                return None
            verdict = msgspec.structs.replace(verdict, revision=before.revision + 1)
        self._said[o.probe] = verdict
        return Judged(o, verdict, o.sent, wall - (now - o.sent), before is None)
