"""What uptime monitors read: many cells as one pass, warn or fail, flat, for keyword and JSONata monitors alike.

One failing, stale or unknown pair fails the whole: nothing is averaged away, and nothing that is not known passes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from prober.matrix import Cell, Group
from prober.surfaces.glyphs import look, rank, shown
from prober.verdict import Label, Verdict

HEALTH_JSON = "application/health+json"
"""draft-inadarei-api-health-check-06, section 3: ``status`` is pass, warn or fail; other keys are the service's own."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Cells that stand alike, with one of them. ``kind`` is failing, stale, unknown, detour or passing; worst first."""

    count: int
    cell: Cell
    verdict: Verdict
    age: float | None
    kind: str


KINDS = ("failing", "stale", "unknown", "no pairs", "detour", "passing")
"""Why a status is what it is, worst first: the words of ``reason``."""
_STATUS = {"detour": "warn", "passing": "pass"}


def answer(name: str, groups: Iterable[Group], now: float, at: str, addresses: bool) -> dict[str, Any]:
    """The status of these cells at `now` (their `Matrix.standing`); ``at`` is the wall clock in RFC 3339.

    ``status`` (pass | warn | fail), ``name``, ``reason`` (of `KINDS`), ``pairs_total``, ``pairs_failed`` (stale and
    unknown ones among them), ``pairs_stale``, ``pairs_unknown``, ``pairs_warned``, ``age_seconds`` (of the oldest
    pair; None while one was never judged), ``label``, ``cause``, ``confidence``, ``culprit``, ``source``, ``target``
    and ``sentence`` of the worst pair. Without `addresses` the sentence is made of names and words alone.
    """
    standings = [_standing(group, now) for group in groups]
    if not standings:
        return _nothing(name, at)
    kinds = dict.fromkeys(KINDS, 0)
    for one in standings:
        kinds[one.kind] += one.count
    total, worst = sum(kinds.values()), min(standings, key=_severity)
    failed = sum(count for kind, count in kinds.items() if kind not in _STATUS)
    ages = [one.age for one in standings]
    known = [age for age in ages if age is not None]
    return {
        "status": _STATUS.get(worst.kind, "fail"), "name": shown(name), "reason": worst.kind, "at": at,
        "pairs_total": total, "pairs_failed": failed, "pairs_stale": kinds["stale"],
        "pairs_unknown": kinds["unknown"], "pairs_warned": kinds["detour"],
        "age_seconds": round(max(known), 1) if len(known) == len(ages) else None,
        **_worst(worst, addresses), "sentence": _sentence(worst, total, failed, addresses),
    }  # fmt: skip


def _standing(group: Group, now: float) -> Standing:
    cell = group.cell
    verdict = cell.verdict(now)
    if cell.stale(now):
        kind = "stale"
    elif verdict.label == Label.UNKNOWN:
        kind = "unknown"
    elif not verdict.label.passes:
        kind = "failing"
    else:
        kind = "detour" if verdict.label == Label.DETOUR else "passing"
    return Standing(group.number, cell, verdict, group.age, kind)


def _severity(one: Standing) -> tuple[int, int, float]:
    oldest = float("inf") if one.age is None else one.age
    return KINDS.index(one.kind), rank(one.verdict.label.value), -oldest


def _worst(one: Standing, addresses: bool) -> dict[str, Any]:
    verdict = one.verdict
    return {
        "label": verdict.label.value, "cause": verdict.cause.value if verdict.cause else None,
        "confidence": verdict.confidence.value,
        "culprit": str(verdict.culprit) if verdict.culprit and addresses else None,
        "source": shown(one.cell.source), "target": shown(one.cell.target),
    }  # fmt: skip


def _sentence(one: Standing, total: int, failed: int, addresses: bool) -> str:
    """The worst pair's sentence, the count before it where there are several pairs."""
    said = one.verdict.sentence if addresses and one.kind != "stale" else _anonymous(one)
    if total == 1:
        return shown(said)
    if one.kind == "passing":
        return f"All {total} pairs are healthy."
    count = f"{failed} of {total} pairs fail" if failed else f"All {total} pairs answer, some by a detour"
    return f"{count}: {shown(said)}"


def _anonymous(one: Standing) -> str:
    """A sentence that cannot hold an address: names, the label's phrase, ages."""
    path = f"{shown(one.cell.source)} → {shown(one.cell.target)}"
    if one.kind == "stale":
        last = "it was never judged" if one.age is None else f"it was judged last {one.age:.0f} s ago"
        return f"{path} is stale: {last}."
    return f"{path} {look(one.verdict.label.value).phrase}."


def _nothing(name: str, at: str) -> dict[str, Any]:
    return {
        "status": "fail", "name": shown(name), "reason": "no pairs", "at": at, "pairs_total": 0, "pairs_failed": 0,
        "pairs_stale": 0, "pairs_unknown": 0, "pairs_warned": 0, "age_seconds": None, "label": Label.UNKNOWN.value,
        "cause": None, "confidence": "ambiguous", "culprit": None, "source": None, "target": None,
        "sentence": f"{shown(name)} has no pair that is probed, so nothing is known.",
    }  # fmt: skip
