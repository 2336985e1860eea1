"""A router that limits its errors names the cause for the probes of which it told nothing."""

from __future__ import annotations

import msgspec
import pytest

from prober.hearsay import MOST, Tried, completed, is_silent, is_source, is_told
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
        [(20.5, TOLD)],
        [(10.5, PASSED), (11.0, TOLD)],
        [(-0.5, TOLD)],
        [(9.0, PASSED), (8.0, TOLD)],
        [(9.0, msgspec.structs.replace(TOLD, label=Label.RETURN_PATH_LOSS, cause=Cause.R2))],
    ],
    ids=[
        "nothing before",
        "silence before",
        "told too late",
        "a pass before it was told",
        "told too long ago",
        "a pass between",
        "another label",
    ],
)
def test_anything_else_leaves_it_as_it_is(before: list[tuple[float, Verdict]]) -> None:
    assert completed(SILENT, 10.0, before) == SILENT


def test_what_is_told_of_the_next_probe_names_the_cause_of_the_one_before_it() -> None:
    said = completed(SILENT, 10.0, [(9.0, SILENT), (10.5, SILENT), (11.5, TOLD)])
    assert (said.label, said.cause, said.culprit) == (Label.INGRESS_DROP, Cause.F3, TOLD.culprit)
    assert said.evidence[-1] == "told of a probe 1.5 s after"
    assert is_silent(SILENT) and not is_silent(said)
    assert is_source(TOLD) and not is_source(said), "it was told of another probe"


def test_what_experiments_were_told_is_remembered_by_pair_and_not_for_ever() -> None:
    tried = Tried()
    for at in range(2 * MOST):
        tried.add(("firewall", "ingress"), float(at), TOLD)
    assert [at for at, _ in tried.of(("firewall", "ingress"))] == [float(at) for at in range(MOST, 2 * MOST)]
    assert tried.of(("lb", "ingress")) == ()


def test_hearsay_is_no_source_of_hearsay() -> None:
    heard = completed(SILENT, 10.0, [(4.0, TOLD)])
    assert completed(SILENT, 16.0, [(10.0, heard), (4.0, TOLD)]) == SILENT


NOBODY = Verdict(Label.UNKNOWN, Confidence.AMBIGUOUS, "No.", missing=("no agent covers ingress",))
QUOTED = msgspec.structs.replace(
    TOLD, confidence=Confidence.INFERRED, evidence=("the error quotes the SYN with ttl 63",), missing=NOBODY.missing
)


def test_silence_at_a_target_that_nobody_watches_is_what_an_error_before_it_said() -> None:
    said = completed(NOBODY, 10.0, [(9.5, NOBODY), (9.0, QUOTED), (1.0, PASSED)])
    assert (said.label, said.cause, said.confidence) == (Label.INGRESS_DROP, Cause.F3, Confidence.INFERRED)
    assert said.missing == NOBODY.missing


def test_what_an_experiment_begun_a_second_later_was_told_serves_too_unless_something_passed_in_between() -> None:
    said = completed(NOBODY, 10.0, [(10.5, NOBODY)], [(11.5, QUOTED)])
    assert (said.label, said.cause) == (Label.INGRESS_DROP, Cause.F3)
    assert said.evidence == ("told of a probe 1.5 s after",)
    assert completed(NOBODY, 10.0, [(10.5, PASSED)], [(11.5, QUOTED)]) == NOBODY
    assert completed(NOBODY, 10.0, [], [(20.5, QUOTED)]) == NOBODY


def test_a_ttl_that_ran_out_in_a_sweep_is_no_loop() -> None:
    assert is_told(QUOTED) and not is_told(msgspec.structs.replace(QUOTED, cause=None)) and not is_told(TOLD)


@pytest.mark.parametrize(
    "before",
    [
        [(9.0, TOLD)],
        [(9.5, PASSED), (9.0, QUOTED)],
        [(9.5, msgspec.structs.replace(TOLD, label=Label.RETURN_PATH_LOSS, cause=Cause.R5)), (9.0, QUOTED)],
        [(-0.5, QUOTED)],
        [(9.0, completed(NOBODY, 9.0, [(8.0, QUOTED)]))],
    ],
    ids=["no error quoted its own SYN", "a pass between", "another direction between", "too long ago", "hearsay"],
)
def test_silence_at_a_target_that_nobody_watches_stays_unknown(before: list[tuple[float, Verdict]]) -> None:
    assert completed(NOBODY, 10.0, before) == NOBODY


@pytest.mark.parametrize("verdict", [PASSED, TOLD, msgspec.structs.replace(SILENT, cause=Cause.F8)])
def test_a_verdict_with_a_story_of_its_own_keeps_it(verdict: Verdict) -> None:
    assert completed(verdict, 10.0, [(9.0, TOLD)]) == verdict
