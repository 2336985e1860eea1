"""Incidents, numbered."""

from __future__ import annotations

from typing import Any

from prober.store.engine import Store
from prober.store.incidents import Row, get, keep, last, opened, prune


def row(name: str, opened_ns: int, closed_ns: int | None = None, **given: Any) -> Row:
    told = {
        "because": "healed" if closed_ns else "", "into": "", "label": "return-path-misroute", "cause": "R1b",
        "confidence": "proven", "culprit": "node19: node1 routes …", "element": "node19", "kind": "node",
        "route": None, "sentence": "…", "next_step": "Take node19 out.", "zones": ["firewall", "pods"], "cells": 2,
        "failing": 0 if closed_ns else 2, "body": b"\x00\x01",
    }  # fmt: skip
    return Row(id=name, opened_ns=opened_ns, closed_ns=closed_ns, **(told | given))


def test_an_incident_comes_back_as_it_was_kept_last(store: Store) -> None:
    keep(store, [row("a", 1_700_000_000_000_001_000), row("b", 5, cause=None, confidence=None, culprit=None)])
    keep(store, [row("a", 1_700_000_000_000_001_000, 1_700_000_060_000_000_000, cells=9)])
    assert get(store, "a") == row("a", 1_700_000_000_000_001_000, 1_700_000_060_000_000_000, cells=9)
    assert get(store, "b") == row("b", 5, cause=None, confidence=None, culprit=None)
    assert get(store, "c") is None
    assert [one.id for one in opened(store)] == ["b"]


def test_they_are_read_newest_first_and_from_a_number_on(store: Store) -> None:
    keep(store, [row("a", 1), row("b", 2, 3), row("c", 3)])
    keep(store, [row("a", 1, cells=7)])
    assert [one.id for _, one in last(store)] == ["c", "b", "a"], "a change leaves it in its place"
    ((number, first),) = last(store, limit=1)
    assert [one.id for _, one in last(store, before=number)] == ["b", "a"]
    assert first.id == "c"


def test_open_ones_and_those_that_are_over_are_read_apart(store: Store) -> None:
    keep(store, [row("a", 1), row("b", 2, 3), row("c", 3)])
    assert [one.id for _, one in last(store, is_open=True)] == ["c", "a"]
    assert [one.id for _, one in last(store, is_open=False)] == ["b"]


def test_those_that_were_closed_long_ago_go_and_open_ones_stay(store: Store) -> None:
    keep(store, [row("a", 1), row("b", 2, 100), row("c", 3, 200)])
    assert prune(store, 200) == 1
    assert [one.id for _, one in last(store)] == ["c", "a"]
