"""Verdicts folded into cells, source x target. Freshness is part of a cell; a failure is never averaged away.

`now` and ``at`` are the controller's seconds, handed in. A cell that nobody has probed for a while says so: it reads
`unknown`, never healthy.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from prober import odds, spells
from prober.flows import Finding, Side
from prober.segment import Batch
from prober.trace import Trace, enrich
from prober.verdict import Confidence, Label, Verdict

WINDOW = 10
"""How many probes of a cell are looked at together."""
SWINGS = 3
"""Changes between passing and failing in twice the window that make a cell `intermittent`, for as long as the window
itself is mixed (a break and a heal are two)."""
REMEMBER, MOST = 20.0, 4096
"""Seconds, and how many, for which a judged probe is remembered, so that its revision is not counted as another one."""
LONGEST_WINDOW = 40
"""Probes in a row, at most, that must pass or fail before what an experiment found no longer holds."""
STALE_PERIODS, STALE_LEAST = 3.0, 6.0
"""A cell is stale after three of its periods without a judged probe, and not before 6 s."""


@dataclass(slots=True)
class Recent:
    """One judged probe. ``sent`` orders them: a failure is judged a second later than an answer sent after it."""

    probe: int
    sent: float
    verdict: Verdict
    rtt_ms: float | None


class Newest(NamedTuple):
    """The newest judged probe of a cell."""

    source: str
    target: str
    sent: float
    verdict: Verdict


@dataclass(slots=True)
class Cell:
    """One source and one target: the last probes, in the order they were sent, and what was said of them.

    ``finding`` is what an experiment found of many of its handshakes together, ``tried`` what came of experiments,
    ``traces`` how far its segments came while they were lost.
    ``deaf`` is said where the prober's own kernel does not get the answers that its tap sees. ``nameless``: nobody asks
    it, because the target's host name has no address yet.
    """

    source: str
    target: str
    every: float
    recent: list[Recent] = field(default_factory=list)
    sent: int = 0
    answered: int = 0
    finding: Finding | None = None
    deaf: Verdict | None = None
    traces: dict[Side, Trace] = field(default_factory=dict)
    tried: dict[str, str] = field(default_factory=dict)
    nameless: bool = False

    def take(self, probe: int, sent: float, verdict: Verdict, rtt_ms: float | None) -> bool:
        """One judged probe; False where it was a revision of one already counted."""
        for one in self.recent:
            if one.probe == probe:
                one.verdict = verdict
                return False
        insort(self.recent, Recent(probe, sent, verdict, rtt_ms), key=lambda one: (one.sent, one.probe))
        self._forget()
        self.sent += 1
        self.answered += verdict.label.passes
        return True

    def _forget(self) -> None:
        """What is no part of the window, and too old for a revision."""
        oldest = self.recent[-1].sent - REMEMBER
        while len(self.recent) > MOST or (len(self.recent) > LONGEST_WINDOW and self.recent[0].sent < oldest):
            del self.recent[0]

    def carry(self, before: Cell) -> None:
        """What is known of the same cell of a matrix before this one."""
        self.recent, self.sent, self.answered = before.recent, before.sent, before.answered
        self.finding, self.tried, self.deaf = before.finding, before.tried, before.deaf
        self.traces = before.traces

    def window(self) -> list[Recent]:
        """The probes that are looked at together."""
        return self.recent[-WINDOW:]

    def newest(self) -> Newest | None:
        """None where nothing was judged yet."""
        last = self.recent[-1] if self.recent else None
        return Newest(self.source, self.target, last.sent, last.verdict) if last else None

    def age(self, now: float) -> float | None:
        """Seconds since the newest judged probe was sent."""
        return max(0.0, now - self.recent[-1].sent) if self.recent else None

    def stale(self, now: float) -> bool:
        age = self.age(now)
        return age is None or age > max(STALE_LEAST, STALE_PERIODS * self.every)

    def verdict(self, now: float) -> Verdict:
        """What the cell says now."""
        return enrich(self._verdict(now), self.traces)

    def _verdict(self, now: float) -> Verdict:
        if self.stale(now):
            return self._silence(now)
        if self.deaf is not None and self.recent[-1].verdict.label.passes:
            return self.deaf
        found = self.finding if self.finding is not None and self._holds(self.finding) else None
        if found is None or not found.decided:
            coming = spells.judge(self.source, self.target, [(one.sent, one.verdict) for one in self._lately()])
            if coming is not None:
                return coming
        if found is not None:
            return found.verdict
        ordered = self.window()
        passed = [one.verdict.label.passes for one in self.recent[-2 * WINDOW :]]
        swings = sum(a != b for a, b in pairwise(passed))
        mixed = len(set(passed[-WINDOW:])) > 1
        return self._swinging(ordered) if mixed and swings >= SWINGS else ordered[-1].verdict

    def _lately(self) -> list[Recent]:
        """The probes that are remembered, unless the last ones agree: what came and went has stayed or gone then."""
        passed = {one.verdict.label.passes for one in self.recent[-2 * WINDOW :]}
        return self.recent if len(passed) > 1 else []

    def settled(self) -> bool:
        """True where nothing is left of what an experiment was about; what it found is let go then."""
        if self.finding is not None and self._holds(self.finding):
            return False
        self.finding = None
        well = len(self.recent) >= WINDOW and all(one.verdict.label.passes for one in self.window())
        if well:
            self.traces = {}
        return well

    def _holds(self, found: Finding) -> bool:
        """Until so many probes since have all passed, or all failed, as chance does once in a thousand times."""
        since = [one.verdict.label.passes for one in self.recent if one.sent > found.upto]
        if not since:
            return True
        enough = odds.in_a_row(found.rate if since[-1] else 1.0 - found.rate)
        latest = since[-min(max(WINDOW, enough), LONGEST_WINDOW) :]
        return len(latest) < min(max(WINDOW, enough), LONGEST_WINDOW) or len(set(latest)) > 1

    def _silence(self, now: float) -> Verdict:
        age = self.age(now)
        told = f"for {age:.0f} s" if age is not None else "yet"
        if self.nameless:
            return self._nameless()
        missing = f"no judged probe from {self.source} to {self.target} {told}"
        step = f"Is the agent {self.source} running, enrolled and allowed to probe? GET /api/v1/agents and its log say."
        sentence = f"{self.source} → {self.target}: nothing is known, {missing}."
        return Verdict(Label.UNKNOWN, Confidence.AMBIGUOUS, sentence, missing=(missing,), next_step=step)

    def _nameless(self) -> Verdict:
        missing = f"the host name of {self.target} has not been resolved"
        sentence = f"{self.source} → {self.target}: nothing is known, {missing}."
        step = "The controller's log says what its resolver answers; it asks again each minute."
        return Verdict(Label.UNKNOWN, Confidence.AMBIGUOUS, sentence, missing=(missing,), next_step=step)

    def _swinging(self, ordered: list[Recent]) -> Verdict:
        failures = [one.verdict for one in ordered if not one.verdict.label.passes]
        worst = failures[-1]
        sentence = (
            f"{self.source} → {self.target} comes and goes: {len(failures)} of the last {len(ordered)} probes failed. "
            f"The last failure: {worst.sentence}"
        )
        return Verdict(
            Label.INTERMITTENT, min(worst.confidence, Confidence.LIKELY, key=_RANK.index), sentence,
            culprit=worst.culprit, missing=worst.missing, next_step=worst.next_step, evidence=worst.evidence,
        )  # fmt: skip

    def rtt_ms(self) -> float | None:
        """The median of the window's RTTs."""
        values = sorted(one.rtt_ms for one in self.window() if one.rtt_ms is not None)
        return round(values[len(values) // 2], 3) if values else None

    def document(self, now: float) -> dict[str, Any]:
        """The cell as the API shows it."""
        verdict, age = self.verdict(now), self.age(now)
        return {
            "source": self.source, "target": self.target, "label": verdict.label.value,
            "cause": verdict.cause.value if verdict.cause else None, "confidence": verdict.confidence.value,
            "culprit": str(verdict.culprit) if verdict.culprit else None, "sentence": verdict.sentence,
            "age_seconds": None if age is None else round(age, 1), "rtt_ms": self.rtt_ms(),
            "sent": self.sent, "answered": self.answered,
        }  # fmt: skip


_RANK = [Confidence.AMBIGUOUS, Confidence.INFERRED, Confidence.LIKELY, Confidence.PROVEN]


class Group(NamedTuple):
    """Cells that stand alike: how many, their oldest age (None: never judged), and the cell of that age."""

    number: int
    age: float | None
    cell: Cell


class ZonePair(NamedTuple):
    """The cells of two zones: how many by label, the oldest age (infinite: never judged), and their probes."""

    source: str
    target: str
    labels: dict[Label, int]
    age: float
    sent: int
    answered: int


LABELS = list(Label)
NOT_DECLARED = 255
"""In the place of a label: nobody probes this pair."""


class Codes(NamedTuple):
    """``codes[source, target]`` is the index in `LABELS` of a cell's label, or `NOT_DECLARED`."""

    sources: list[str]
    targets: list[str]
    codes: Batch


class Matrix:
    """All cells. The pairs are declared when it is made; a pair nobody has judged yet is a stale cell, not absent.

    `prober.columns` is the same for a large fleet.
    """

    cells: Mapping[tuple[str, str], Cell]

    def __init__(self, pairs: Iterable[tuple[str, str, float]], unresolved: Container[str] = ()) -> None:
        self.cells = {(one[0], one[1]): Cell(*one, nameless=one[1] in unresolved) for one in pairs}

    def hold(self, key: tuple[str, str]) -> Cell | None:
        """The cell, to be changed; None for a pair that is not declared."""
        return self.cells.get(key)

    def take(self, source: str, target: str, probe: int, sent: float, verdict: Verdict, rtt_ms: float | None) -> bool:
        """Fold one verdict in; True where it was a new probe. A pair that is not declared any more is left out."""
        cell = self.hold((source, target))
        return cell.take(probe, sent, verdict, rtt_ms) if cell else False

    def carry(self, old: Matrix) -> None:
        """What is known of the cells that are still declared."""
        for key, cell in self.cells.items():
            if key in old.cells:
                cell.carry(old.cells[key])

    def labels(self, now: float) -> dict[tuple[str, str], Label]:
        """Every cell's label."""
        return {key: cell.verdict(now).label for key, cell in self.cells.items()}

    def select(self, sources: Iterable[str] = (), targets: Iterable[str] = ()) -> Iterator[Cell]:
        """The cells of these sources and targets (none given: all)."""
        wanted_sources, wanted_targets = set(sources), set(targets)
        for (source, target), cell in self.cells.items():
            if (not wanted_sources or source in wanted_sources) and (not wanted_targets or target in wanted_targets):
                yield cell

    def near(self, sources: Container[str], targets: Container[str]) -> Iterator[Cell]:
        """The cells of any of these sources or targets, and maybe others."""
        return (cell for (source, target), cell in self.cells.items() if source in sources or target in targets)

    def around(self, _source: str, _target: str, _since: float) -> Iterator[Newest]:
        """Of the cells that may say something of this one the newest probes; passes before `_since` may be left out."""
        yield from (newest for cell in self.cells.values() if (newest := cell.newest()))

    def asked(self, _source: str, _target: str) -> Collection[tuple[str, str]]:
        """The declared pairs, at least those of this source or this target."""
        return self.cells.keys()

    def standing(self, now: float, sources: Collection[str] = (), targets: Collection[str] = ()) -> Iterator[Group]:
        """The cells of these names (none given: all), those together that stand alike."""
        return (Group(1, cell.age(now), cell) for cell in self.select(sources, targets))

    def by_zones(self, zones: Mapping[str, str], now: float) -> list[ZonePair]:
        """The cells of each pair of zones, counted: so that no failure is averaged away, by label."""
        groups: dict[tuple[str, str], list[Cell]] = {}
        for cell in self.cells.values():
            groups.setdefault((zones.get(cell.source, ""), zones.get(cell.target, "")), []).append(cell)
        return [_counted(*pair, cells, now) for pair, cells in groups.items()]

    def shown(
        self, now: float, at: str, sources: Collection[str] = (), targets: Collection[str] = ()
    ) -> dict[str, Any]:
        """The cells of these names (none given: all) as `document`; a large matrix lists not all that are healthy."""
        return self.document(now, at, self.select(sources, targets))

    def codes(self, now: float) -> Codes:
        """Every cell's label as a number."""
        sources, targets = (list(dict.fromkeys(key[side] for key in self.cells)) for side in (0, 1))
        codes = np.full((len(sources), len(targets)), NOT_DECLARED, np.uint8)
        for key, label in self.labels(now).items():
            codes[sources.index(key[0]), targets.index(key[1])] = LABELS.index(label)
        return Codes(sources, targets, codes)

    def document(self, now: float, at: str, cells: Iterable[Cell] | None = None) -> dict[str, Any]:
        """The matrix as the API shows it; ``at`` is the wall clock's time in RFC 3339."""
        shown = list(self.cells.values() if cells is None else cells)
        return {
            "at": at,
            "sources": list(dict.fromkeys(cell.source for cell in shown)),
            "targets": list(dict.fromkeys(cell.target for cell in shown)),
            "cells": [cell.document(now) for cell in shown],
        }


def _counted(source: str, target: str, cells: list[Cell], now: float) -> ZonePair:
    labels = Counter(cell.verdict(now).label for cell in cells)
    ages = [math.inf if (age := cell.age(now)) is None else age for cell in cells]
    sent, answered = sum(cell.sent for cell in cells), sum(cell.answered for cell in cells)
    return ZonePair(source, target, dict(labels), max(ages), sent, answered)
