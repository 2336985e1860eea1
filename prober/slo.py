"""Counts -> attainment, budget left, burn rates.

Per objective and minute two counts: probes that counted, and those that were good. Nothing is averaged over pairs
or minutes, so a failure weighs the same wherever it fell; a time without probes says nothing (attainment None).
Burn rates and their thresholds: Google's SRE Workbook, chapter 5, "Multiwindow, Multi-Burn-Rate Alerts".
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from prober.declared import Objective

WINDOWS = {"5m": 300, "30m": 1800, "1h": 3600, "6h": 21600, "3d": 259200}
"""The windows burn rates are told for, in seconds."""

THRESHOLDS = ((14.4, "1h", "5m"), (6.0, "6h", "30m"), (1.0, "3d", "6h"))
"""An alert fires when both windows burn at least this many times the budget."""

GOOD_LABELS = frozenset({"healthy", "detour"})

Row = tuple[str, int, int, int]
"""``(objective, minute as unix seconds, good, total)``: what is persisted."""


@dataclass(frozen=True, slots=True)
class Attainment:
    """How an objective stands over its window.

    ``attainment`` is good / total in 0..1, ``budget_left`` 1 (untouched) .. 0 (spent) or below, both None with
    nothing counted; ``burn`` maps each of `WINDOWS` that has counts to times the budget.
    """

    objective: str
    good: int
    total: int
    attainment: float | None
    budget_left: float | None
    burn: dict[str, float]
    window_seconds: float


@dataclass(frozen=True, slots=True)
class Alert:
    """A budget that burns too fast, in a long window and still in a short one."""

    objective: str
    factor: float
    long: str
    short: str
    burn: float
    sentence: str


def is_good(label: str, rtt_ms: float | None, latency_ms: float | None) -> bool:
    """Whether a probe with this label kept the promise: answered, and within the latency where one is promised."""
    if label not in GOOD_LABELS:
        return False
    return latency_ms is None or (rtt_ms is not None and rtt_ms <= latency_ms)


class Goals:
    """Which objectives a pair counts for."""

    def __init__(self, objectives: Iterable[Objective]) -> None:
        self._all = [(one.name, frozenset(one.sources), frozenset(one.targets), one.latency_ms) for one in objectives]

    def of(self, source: str, target: str) -> list[tuple[str, float | None]]:
        """``(name, latency in ms or None)`` of each."""
        return [(name, ms) for name, sources, targets, ms in self._all if source in sources and target in targets]

    def of_source(self, source: str) -> list[tuple[str, frozenset[str], float | None]]:
        """The same of all pairs of a source: ``(name, targets, latency)``."""
        return [(name, targets, ms) for name, sources, targets, ms in self._all if source in sources]


def percent(share: float | None) -> str:
    """A share as people read it, rounded down: 100 % stands only where nothing failed, ``no data`` for None."""
    if share is None:
        return "no data"
    thousandths = math.floor(share * 100_000 + 1e-9)  # 0.29 * 100_000 is 28_999.999…96
    return f"{thousandths / 1000:.3f}".rstrip("0").rstrip(".") + " %"


def alerts(standing: Attainment) -> tuple[Alert, ...]:
    """The burn-rate alerts that hold now, fastest first."""
    found = []
    for factor, long, short in THRESHOLDS:
        slow, fast = standing.burn.get(long), standing.burn.get(short)
        if slow is not None and fast is not None and slow >= factor and fast >= factor:
            sentence = (
                f"{standing.objective} burns its error budget {slow:.1f} times too fast over {long} "
                f"and {fast:.1f} times over {short}; {percent(standing.attainment)} attained"
            )
            found.append(Alert(standing.objective, factor, long, short, slow, sentence))
    return tuple(found)


@dataclass(slots=True)
class _Series:
    """Minutes in order, with their counts."""

    minutes: list[int] = field(default_factory=list)
    good: list[int] = field(default_factory=list)
    total: list[int] = field(default_factory=list)

    def add(self, minute: int, good: int, total: int) -> None:
        at = bisect_left(self.minutes, minute)
        if at == len(self.minutes) or self.minutes[at] != minute:
            self.minutes.insert(at, minute)
            self.good.insert(at, 0)
            self.total.insert(at, 0)
        self.good[at] += good
        self.total[at] += total

    def sums(self, now: float, window: float) -> tuple[int, int]:
        last = math.floor(now / 60)
        low = bisect_right(self.minutes, last - max(1, round(window / 60)))
        high = bisect_right(self.minutes, last)
        return sum(self.good[low:high]), sum(self.total[low:high])

    def roll(self, edge: int) -> None:
        """Minutes before `edge` become their hours."""
        at = bisect_left(self.minutes, edge)
        old = list(zip(self.minutes[:at], self.good[:at], self.total[:at], strict=True))
        self.forget(edge)
        for minute, good, total in old:
            self.add(minute - minute % 60, good, total)

    def forget(self, before: int) -> None:
        at = bisect_left(self.minutes, before)
        del self.minutes[:at], self.good[:at], self.total[:at]


class Ledger:
    """The minutes of every objective. Times are unix seconds, handed in."""

    def __init__(self, objectives: Iterable[Objective]) -> None:
        self.objectives = {one.name: one for one in objectives}
        self._series: dict[str, _Series] = {}
        self._edge = 0

    def count(self, objective: str, at_seconds: float, good: int, total: int) -> None:
        """Add probes that were asked at `at_seconds`; ValueError unless 0 <= good <= total."""
        if not 0 <= good <= total:
            raise ValueError(f"{good} good of {total} for {objective}")
        if total:
            self._series.setdefault(objective, _Series()).add(self.minute(at_seconds) // 60, good, total)

    def minute(self, at_seconds: float) -> int:
        """The minute, or the hour, in which something of that time is counted; as `rows` names it."""
        minute = math.floor(at_seconds / 60)
        return (minute if minute >= self._edge else minute - minute % 60) * 60

    def roll(self, before: float) -> None:
        """The minutes of the hours that ended before that become hours, and what is counted in them from now on."""
        self._edge = max(self._edge, math.floor(before / 3600) * 60)
        for series in self._series.values():
            series.roll(self._edge)

    def attainment(self, objective: str, now: float) -> Attainment:
        """How `objective` stands at `now`, this minute included; KeyError for one that is not declared."""
        promise, series = self.objectives[objective], self._series.get(objective, _Series())
        good, total = series.sums(now, promise.window)
        burn = {}
        for name, seconds in WINDOWS.items():
            kept, counted = series.sums(now, seconds)
            if counted:
                burn[name] = _burn(kept, counted, promise.availability)
        left = 1 - _burn(good, total, promise.availability) if total else None
        return Attainment(objective, good, total, good / total if total else None, left, burn, promise.window)

    def standings(self, now: float) -> tuple[Attainment, ...]:
        """Every declared objective's attainment, in the order of the document."""
        return tuple(self.attainment(name, now) for name in self.objectives)

    def rows(self, since: float = 0) -> list[Row]:
        """The minutes from `since` on, to be persisted: a row replaces the stored one of its objective and minute."""
        first = math.floor(since / 60)
        return [
            (name, minute * 60, good, total)
            for name, series in self._series.items()
            for minute, good, total in zip(series.minutes, series.good, series.total, strict=True)
            if minute >= first
        ]

    def load(self, rows: Iterable[Row]) -> None:
        """Add persisted minutes to an empty ledger."""
        for objective, minute, good, total in rows:
            self.count(objective, minute, good, total)

    def forget(self, now: float) -> None:
        """Drop the minutes that no window reaches any more."""
        for name, series in self._series.items():
            promise = self.objectives.get(name)
            reach = max(promise.window if promise else 0, WINDOWS["3d"])
            series.forget(math.floor(now / 60) - round(reach / 60))


def _burn(good: int, total: int, availability: float) -> float:
    return round((total - good) / total / (1 - availability), 9)  # 1 - 0.999 is a little more than 0.001
