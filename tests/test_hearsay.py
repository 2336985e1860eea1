"""A router that limits its errors names the cause for the probes of which it told nothing."""

from __future__ import annotations

import msgspec
import pytest

from prober.hearsay import completed
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

SILENT = Verdict(
    Label.INGRESS_DROP, Confidence.LIKELY, "Lost on the way in.", Cause.F1, evidence=("B's NIC in: not seen",)
)
TOLD = Verdict(
    Label.INGRESS_DROP, Confidence.LIKELY, "vpc has no route there.", Cause.F3, Culprit("hop", "vpc", "ICMP 3/0")
)
PASSED = Verdict(Label.HEALTHY, Confidence.PROVEN, "It answers.")


def test_what_was_told_seconds_before_names_the_cause_and_says_of_what_it_was_told() -> None:
    said = completed(SILENT, 10.0, [(9.0, SILENT), (8.5, TOLD)])
    assert (said.label, said.cause, said.culprit, said.confidence) == (
        Label.INGRESS_DROP, Cause.F3, TOLD.culprit, Confidence.LIKELY,
    )  # fmt: skip
    assert said.sentence.startswith("vpc has no route there. (Told of a probe 1.5 s before")
    assert said.evidence == ("B's NIC in: not seen", "told of a probe 1.5 s before")


@pytest.mark.parametrize(
    "before",
    [
        [],
        [(9.0, SILENT)],
        [(10.5, TOLD)],
        [(-0.5, TOLD)],
        [(9.0, PASSED), (8.0, TOLD)],
        [(9.0, msgspec.structs.replace(TOLD, label=Label.RETURN_PATH_LOSS, cause=Cause.R2))],
    ],
    ids=["nothing before", "silence before", "told later", "told too long ago", "a pass between", "another label"],
)
def test_anything_else_leaves_it_as_it_is(before: list[tuple[float, Verdict]]) -> None:
    assert completed(SILENT, 10.0, before) == SILENT


def test_hearsay_is_no_source_of_hearsay() -> None:
    heard = completed(SILENT, 10.0, [(4.0, TOLD)])
    assert completed(SILENT, 16.0, [(10.0, heard), (4.0, TOLD)]) == SILENT


@pytest.mark.parametrize("verdict", [PASSED, TOLD, msgspec.structs.replace(SILENT, cause=Cause.F8)])
def test_a_verdict_with_a_story_of_its_own_keeps_it(verdict: Verdict) -> None:
    assert completed(verdict, 10.0, [(9.0, TOLD)]) == verdict
