"""What became of a pair: its last verdicts, and among them the spans of which its source kept nothing."""

from __future__ import annotations

from typing import Any

from prober.store import reports, verdicts
from prober.store.engine import Store
from prober.surfaces.stamps import stamp
from prober.verdict import Confidence, Label

GAPS_SHOWN = 10
"""Gaps of an agent that are shown, the newest."""
VERDICTS_SHOWN = 20
"""What is told of a pair, the newest."""


def of_pair(store: Store, source: str, target: str) -> list[dict[str, Any]]:
    """The pair's last kept verdicts, newest first, and among them the spans of which its source kept nothing."""
    said = _said(store, source, target)
    told = [_unknown(gap, target) for gap in reports.told_gaps(store, 0, source, GAPS_SHOWN)]
    return sorted(said + told, key=lambda one: str(one["at"]), reverse=True)[:VERDICTS_SHOWN]


def gaps(store: Store, agent: str) -> list[dict[str, Any]]:
    """The last spans of which an agent kept nothing, newest first."""
    return [
        {
            "from": stamp(gap.from_ns / 1e9), "to": stamp(gap.to_ns / 1e9), "reports": gap.last - gap.first + 1,
            "probes": gap.probes, "failed": gap.failed, "why": gap.why,
        }
        for gap in reports.told_gaps(store, 0, agent, GAPS_SHOWN)
    ]  # fmt: skip


def _unknown(gap: reports.Gap, target: str) -> dict[str, Any]:
    count = gap.last - gap.first + 1
    sentence = (
        f"{gap.agent} → {target}: nothing is known from {stamp(gap.from_ns / 1e9)} to {stamp(gap.to_ns / 1e9)}: "
        f"{gap.agent} let {count} report{'s' if count > 1 else ''} go ({gap.why}); {gap.failed} of their "
        f"{gap.probes} probes failed."
    )
    return {
        "at": stamp(gap.to_ns / 1e9), "label": Label.UNKNOWN.value, "cause": None,
        "confidence": Confidence.AMBIGUOUS.value, "sentence": sentence, "culprit": None, "revision": 0,
    }  # fmt: skip


def _said(store: Store, source: str, target: str) -> list[dict[str, Any]]:
    return [
        {
            "at": stamp(one.at_ns / 1e9), "label": one.verdict.label.value,
            "cause": one.verdict.cause.value if one.verdict.cause else None,
            "confidence": one.verdict.confidence.value, "sentence": one.verdict.sentence,
            "culprit": str(one.verdict.culprit) if one.verdict.culprit else None, "revision": one.verdict.revision,
        }
        for one in verdicts.history(store, source, target, VERDICTS_SHOWN)
    ]  # fmt: skip
