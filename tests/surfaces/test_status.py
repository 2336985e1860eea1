"""Cells as one status: nothing averaged away, nothing unknown passes, no address where none may be told."""

from __future__ import annotations

from typing import Any

import pytest

from prober.matrix import Cell, Group
from prober.surfaces import status
from prober.verdict import Confidence, Label, Verdict

AT = "2026-11-23T03:12:07Z"


def cell(label: str, target: str = "ingress", at: float = 100.0) -> Cell:
    made = Cell("firewall", target, 1.0)
    made.take(1, at, Verdict(Label(label), Confidence.PROVEN, f"the SYN-ACK left 10.4.76.34: {label}"), 0.3)
    return made


def told(*cells: Cell, now: float = 101.0, addresses: bool = True) -> dict[str, Any]:
    return status.answer("all", [Group(1, one.age(now), one) for one in cells], now, AT, addresses)


@pytest.mark.parametrize("label", [one.value for one in Label])
def test_each_label_has_its_status(label: str) -> None:
    expected = {"healthy": "pass", "detour": "warn"}.get(label, "fail")
    assert told(cell(label))["status"] == expected


@pytest.mark.parametrize("label", [one.value for one in Label])
def test_no_label_brings_an_address_where_none_may_be_told(label: str) -> None:
    document = told(cell(label), cell("healthy", "pod2"), addresses=False)
    assert "10.4.76.34" not in str(document)
    assert document["culprit"] is None


def test_one_failure_among_a_thousand_fails() -> None:
    document = told(*(cell("healthy", f"t{i}") for i in range(999)), cell("target"))
    assert (document["status"], document["pairs_total"], document["pairs_failed"]) == ("fail", 1000, 1)


def test_a_failure_is_told_before_a_stale_pair_and_both_are_counted() -> None:
    document = told(cell("healthy", "old", at=50.0), cell("target"), cell("unknown", "dark"))
    assert (document["reason"], document["target"], document["age_seconds"]) == ("failing", "ingress", 51.0)
    assert (document["pairs_failed"], document["pairs_stale"], document["pairs_unknown"]) == (3, 1, 1)


def test_a_stale_pair_fails_though_it_was_healthy() -> None:
    document = told(cell("healthy"), now=107.0)
    assert (document["status"], document["reason"], document["label"]) == ("fail", "stale", "unknown")


def test_nothing_to_probe_is_no_pass() -> None:
    document = told()
    assert (document["status"], document["reason"], document["pairs_total"]) == ("fail", "no pairs", 0)


def test_every_status_has_the_same_keys() -> None:
    assert (
        told().keys() == told(cell("healthy")).keys() == told(cell("target"), cell("healthy"), addresses=False).keys()
    )


def test_names_cannot_rewrite_a_terminal() -> None:
    assert "\x1b" not in str(told(cell("target", "in\x1b[2Jgress"), addresses=False))
