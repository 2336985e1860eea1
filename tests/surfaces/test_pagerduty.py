"""Events for PagerDuty, held against what it checks."""

from __future__ import annotations

import pytest

from prober.surfaces.pagerduty import event
from tests.alarms import hostile, incident, resolved
from tests.surfaces.pagerduty_rules import broken_rules

KEY = "0123456789abcdef0123456789ABCDEF"


@pytest.mark.parametrize(
    "alert",
    [incident(), resolved(), hostile(), incident(sentence="x" * 5000), incident(culprit="", zones=(), link=""),
     incident(kind="burn", objective="o", culprit="", severity="error")],
    ids=["open", "resolved", "hostile", "long", "bare", "burn"],
)  # fmt: skip
def test_an_event_breaks_no_rule(alert: object) -> None:
    assert broken_rules(event(alert, KEY)) == []  # type: ignore[arg-type]


def test_opening_changing_and_resolving_are_of_one_alert() -> None:
    told = [event(one, KEY) for one in (incident(), incident(revision=2, culprit="node7"), resolved())]
    assert [one["event_action"] for one in told] == ["trigger", "trigger", "resolve"]
    assert {one["dedup_key"] for one in told} == {"prober-3f2a0b1c4d5e6f70"}
    assert told[0]["payload"]["source"] == "node19"
    assert told[0]["client_url"] == incident().link


def test_a_long_summary_is_cut_and_says_so() -> None:
    summary = event(incident(sentence="x" * 5000), KEY)["payload"]["summary"]
    assert len(summary) == 1024 and summary.endswith("…")
