"""The words themselves, and that docs/verdicts.md says the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest

from prober.confusion import handbook
from prober.verdict import (
    CONFIDENCES,
    DECIDES,
    LABELS,
    TITLES,
    Cause,
    Confidence,
    Culprit,
    Label,
    Verdict,
    document,
    revised,
    same,
)

ROOT = Path(__file__).parent.parent
RULES = [
    *((ROOT / "prober" / name) for name in ("classify.py", "facts.py", "flows.py")),
    *sorted((ROOT / "prober").glob("rules_*.py")),
]


def test_only_healthy_and_detour_let_traffic_through():
    assert [label for label in Label if label.passes] == [Label.HEALTHY, Label.DETOUR]


def test_every_word_has_its_meaning():
    assert (set(LABELS), set(CONFIDENCES), set(TITLES)) == (set(Label), set(Confidence), set(Cause))
    assert Cause.R1B.meaning == "another node's pod block covers the prober's address"


def test_what_decides_is_said_of_exactly_the_causes_that_a_rule_names():
    named = {Cause[name] for file in RULES for name in re.findall(r"Cause\.([A-Z]\w*)\b", file.read_text())}
    assert named == set(DECIDES)


def test_the_document_is_what_the_code_says():
    measured = (json.loads((ROOT / "docs" / name).read_text()) for name in ("lab.json", "lab-agentless.json"))
    assert (ROOT / "docs" / "verdicts.md").read_text() == handbook(*measured), "run: make handbook"


@pytest.mark.parametrize("cause", Cause)
def test_the_document_has_every_cause_once(cause):
    assert len(re.findall(rf"^\| {re.escape(cause)} \|", document(), re.MULTILINE)) == 1


def test_a_culprit_says_where_it_is():
    assert str(Culprit("route", "node19", "node1 routes 10.19.0.0/16")) == "node19: node1 routes 10.19.0.0/16"
    assert str(Culprit("hop", "", "10.0.0.1")) == "10.0.0.1"


def test_a_verdict_survives_json():
    told = Verdict(
        Label.LOCAL, Confidence.LIKELY, "x.", Cause.R1B_SILENT, Culprit("hop", "a", "b"), ("m",), "s", ("e",), 2
    )
    assert msgspec.json.decode(msgspec.json.encode(told), type=Verdict) == told


def test_a_revision_says_that_it_is_one_and_what_was_said_first():
    first = Verdict(
        Label.INGRESS_DROP, Confidence.LIKELY, "It never arrived.", Cause.F1, evidence=("A's NIC out: seen",)
    )
    better = Verdict(
        Label.INGRESS_DROP, Confidence.LIKELY, "The node is down.", Cause.F6, evidence=("A's NIC out: seen",)
    )
    told = revised(first, better)
    assert told.revision == 1
    assert told.evidence[-1] == "revised: before more was seen it was ingress-drop F1 likely"
    assert same(told, better) and not same(told, first)
    assert revised(told, first).evidence[-1].endswith("it was ingress-drop F6 likely")
