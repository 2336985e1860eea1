"""The sentence of the whole, and one finding a culprit."""

from __future__ import annotations

import pytest

from prober.surfaces.findings import findings, sentence, told
from tests.surfaces import documents
from tests.surfaces.documents import cell


def of(*cells: documents.Document) -> documents.Document:
    """A document of these cells."""
    return {"at": documents.AT, "sources": [], "targets": [], "cells": list(cells)}


def test_routes_of_two_nodes_to_one_culprit_are_one_finding() -> None:
    (one,) = findings(documents.incident())
    assert one.paths == "firewall → node1, node2, ingress, pod2; node1, node2 → firewall"
    assert (one.look.label, one.also) == ("return-path-misroute", ("ingress drop",))
    assert (one.confidence, one.route) == ("proven", "10.19.0.0/16 via 10.224.0.23")
    assert len(one.cells) == 6


def test_the_line_says_what_to_look_at_then_what_it_breaks_then_what_speaks_against_it() -> None:
    (one,) = findings(documents.incident())
    assert one.line == (
        "node19, where node1 and node2 route 10.19.0.0/16 via 10.224.0.23 (proven): return-path misroute on firewall → "
        "node1, node2, ingress, pod2; ingress drop on node1, node2 → firewall. node19 still answers firewall, lb and 4 "
        "more"
    )


@pytest.mark.parametrize(
    ("cells", "line"),
    [
        ([cell("a", "b", "ingress-drop", confidence="likely", culprit="vpc: saw the SYN last")],
         "vpc: saw the SYN last (likely): ingress drop on a → b"),
        ([cell("a", "t", "target"), cell("b", "t", "target"), cell("c", "t")],
         "a, b → t: target (proven). t still answers c"),
        ([cell("a", "t", "local"), cell("a", "u", "local"), cell("a", "v")],
         "a → t, u: local (proven). a still reaches v"),
        ([cell("a", "b", "target", culprit="10.0.0.1 answers")], "10.0.0.1 answers (proven): target on a → b"),
    ],
)  # fmt: skip
def test_lines(cells: list[documents.Document], line: str) -> None:
    assert [one.line for one in findings(of(*cells))] == [line]


def test_what_is_told_with_the_document_is_the_same() -> None:
    document = told(documents.incident())
    assert document["sentence"] == sentence(document)
    (row,) = document["findings"]
    assert row["line"] == findings(document)[0].line
    assert (row["element"], row["kind"], row["cells"], row["against"]) == ("node19", "node", 6, 15)
    assert (row["source"], row["target"]) == ("firewall", "node1")


def test_a_silent_agent_is_one_finding_and_no_failure() -> None:
    cells = [cell(name, "node1", "unknown", confidence="ambiguous") for name in "abcdefgh"]
    (one,) = findings(of(*cells))
    assert one.line == "a, b, c, d, e and 3 more → node1: unknown (ambiguous)"
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
        ([cell("a", "b", "target"), cell("c", "d", "target")],
         "2 of 2 paths fail: a → b fails at the target, and 1 other finding"),
        ([cell("a", "b", "target"), cell("c", "b", "target")], "2 of 2 paths fail: target, a, c → b"),
        ([cell("a", "b", "brand-new")], "No path is known to fail: 0 of 1 path healthy, 1 unknown"),
    ],
)  # fmt: skip
def test_the_sentence_of_the_whole(cells: list[documents.Document], expected: str) -> None:
    assert sentence(of(*cells)) == expected
