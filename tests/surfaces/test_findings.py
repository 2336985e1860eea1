"""The sentence of the whole, and one finding a culprit."""

from __future__ import annotations

import pytest

from prober.surfaces.findings import findings, sentence
from tests.surfaces import documents
from tests.surfaces.documents import cell


def of(*cells: documents.Document) -> documents.Document:
    """A document of these cells."""
    return {"at": documents.AT, "sources": [], "targets": [], "cells": list(cells)}


def test_routes_of_two_nodes_to_one_culprit_are_one_finding() -> None:
    (one,) = findings(documents.incident())
    assert one.paths == "firewall → node1, node2, ingress, pod2; node1, node2 → firewall"
    assert (one.look.label, one.also) == ("return-path-misroute", ("ingress drop",))
    assert (one.confidence, one.others) == ("proven", 1)
    assert len(one.cells) == 6


def test_a_silent_agent_is_one_finding_and_no_failure() -> None:
    cells = [cell(name, "node1", "unknown", confidence="ambiguous") for name in "abcdefgh"]
    (one,) = findings(of(*cells))
    assert one.line == "a, b, c, d, e and 3 more → node1: unknown · ambiguous"
    assert sentence(of(*cells, cell("a", "b"))) == "No path is known to fail: 1 of 9 paths healthy, 8 unknown"


def test_other_causes_are_other_findings_worst_first() -> None:
    found = findings(documents.every_label())
    assert [one.look.label for one in found] == [
        "return-path-misroute", "return-path-loss", "ingress-drop", "target", "local", "intermittent", "unknown",
        "detour",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([], "Nothing has been measured yet"),
        ([cell("a", "b")], "The one path is healthy"),
        ([cell("a", "b"), cell("b", "a")], "All 2 paths are healthy"),
        ([cell("a", "b", "detour"), cell("b", "a")], "No path is known to fail: 1 of 2 paths healthy, 1 by a detour"),
        ([cell("a", "b", "target"), cell("b", "a")], "1 of 2 paths fail: a → b fails at the target"),
        ([cell("a", "b", "target"), cell("b", "a", "local")],
         "2 of 2 paths fail: a → b fails at the target, and 1 other finding"),
        ([cell("a", "b", "target"), cell("c", "d", "target")], "2 of 2 paths fail: target, a → b and 1 other path"),
        ([cell("a", "b", "brand-new")], "No path is known to fail: 0 of 1 path healthy, 1 unknown"),
    ],
)  # fmt: skip
def test_the_sentence_of_the_whole(cells: list[documents.Document], expected: str) -> None:
    assert sentence(of(*cells)) == expected
