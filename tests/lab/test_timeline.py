"""When each cell was first said as expected."""

from __future__ import annotations

import time
from typing import Any

from prober.lab import incident
from prober.lab.timeline import Timeline

FILTER = incident.load("filter")


def document(label: str, sent: int = 1, source: str = "firewall") -> dict[str, Any]:
    cell = {"source": source, "target": "ingress", "label": label, "cause": "F1", "confidence": "likely",
            "culprit": "vpc: saw the SYN last", "sent": sent}  # fmt: skip
    return {"cells": [cell]}


def at(timeline: Timeline, seconds: float) -> Timeline:
    timeline.began = time.monotonic() - seconds
    return timeline


def test_the_first_feed_that_says_it_counts() -> None:
    timeline = Timeline()
    at(timeline, 1).look("live", document("healthy"))
    at(timeline, 2).look("run", document("ingress-drop"))
    at(timeline, 3).look("live", document("ingress-drop"))
    (seconds,) = timeline.seconds(FILTER.expected).values()
    assert seconds is not None and 2 <= seconds < 2.5


def test_a_cell_that_never_says_it_has_no_time_and_one_that_may_be_healthy_is_not_asked() -> None:
    timeline = Timeline()
    timeline.look("live", document("healthy"))
    timeline.look("live", document("healthy", source="vm"))
    assert timeline.seconds(FILTER.expected) == {("firewall", "ingress"): None}


def test_a_cell_that_was_never_judged_says_nothing() -> None:
    timeline = Timeline()
    timeline.look("run", document("ingress-drop", sent=0))
    assert timeline.seconds(FILTER.expected) == {}


def test_only_what_changes_is_kept() -> None:
    timeline = Timeline()
    for _ in range(3):
        timeline.look("live", document("healthy"))
    assert [len(told) for told in timeline.said.values()] == [1]
