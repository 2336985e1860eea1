"""What comes and goes in time."""

from __future__ import annotations

import random

import pytest

from prober import spells
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

GOOD = Verdict(Label.HEALTHY, Confidence.PROVEN, "it answers.")
LOST = Verdict(Label.INGRESS_DROP, Confidence.LIKELY, "It is lost.", Cause.F1, Culprit("hop", "vpc", "saw it last"))
BACK = Verdict(Label.RETURN_PATH_LOSS, Confidence.LIKELY, "It is lost on its way back.", Cause.R5)


def told(pattern: str) -> list[spells.Said]:
    """Four a second: ``+`` passed, ``-`` was lost on the way in, ``<`` on the way back."""
    return [(number / 4, {"+": GOOD, "-": LOST, "<": BACK}[mark]) for number, mark in enumerate(pattern)]


def test_spells_of_failure_are_told_with_their_cause() -> None:
    said = spells.judge("a", "b", told(("+" * 8 + "-" * 8) * 4))
    assert said is not None
    assert (said.label, said.cause, said.confidence) == (Label.INTERMITTENT, Cause.F1, Confidence.LIKELY)
    assert said.culprit == LOST.culprit
    assert said.sentence == (
        "a → b comes and goes: 4 spells of failure in 16 s, of 1.8 s each. While one lasts: It is lost."
    )  # fmt: skip
    assert said.next_step.startswith("What changes every 4 s or so?")


@pytest.mark.parametrize("pattern", ["+" * 20 + "-" * 20, "+" * 20 + "-" * 20 + "+" * 20, "+-" * 20, "+" * 40, ""])
def test_a_break_a_heal_and_chance_are_no_coming_and_going(pattern: str) -> None:
    assert spells.judge("a", "b", told(pattern)) is None


def test_random_loss_is_not() -> None:
    dice = random.Random(3)
    for _ in range(200):
        assert spells.judge("a", "b", told("".join("-" if dice.random() < 0.3 else "+" for _ in range(80)))) is None


def test_failures_that_disagree_have_no_common_cause() -> None:
    assert spells.judge("a", "b", told(("+" * 8 + "-" * 8 + "+" * 8 + "<" * 8) * 2)) is None
    assert spells.judge("a", "b", told(("+" * 8 + "-" * 8) * 4 + "+<")) is not None
