"""Handshakes of a cell in the order of time: a fault that comes and goes fails everything while it lasts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from prober import odds
from prober.flows import SURE
from prober.verdict import Confidence, Label, Verdict

LEAST = 4
"""Spells, passing and failing, without which a fault has not come and gone twice."""
MOSTLY = 0.8
"""The part of the failures that must be said to have one cause, for it to be the spells' cause."""
_RANK = [Confidence.AMBIGUOUS, Confidence.INFERRED, Confidence.LIKELY, Confidence.PROVEN]

Said = tuple[float, Verdict]
"""When a handshake was sent, in seconds, and what was said of it."""


def judge(source: str, target: str, told: Sequence[Said]) -> Verdict | None:
    """What comes and goes in time, beyond chance, with the cause that its failures have; else None."""
    passed = [verdict.label.passes for _, verdict in told]
    if odds.spells(passed) < LEAST or odds.of_spells(passed) >= SURE:
        return None
    failures = [verdict for _, verdict in told if not verdict.label.passes]
    worst = _commonest(failures)
    if worst is None:
        return None
    count, seconds = _spells(told)
    sentence = (
        f"{source} → {target} comes and goes: {count} spells of failure in {told[-1][0] - told[0][0]:.0f} s, of"
        f" {seconds:.1f} s each. While one lasts: {worst.sentence}"
    )
    confidence = min(worst.confidence, Confidence.LIKELY, key=_RANK.index)
    return msgspec.structs.replace(
        worst, label=Label.INTERMITTENT, confidence=confidence, sentence=sentence, revision=0,
        next_step=f"What changes every {2 * seconds:.0f} s or so? {worst.next_step}",
        evidence=(*worst.evidence, f"{count} spells of failure, {seconds:.1f} s each"),
    )  # fmt: skip


def _commonest(failures: Sequence[Verdict]) -> Verdict | None:
    """The last of the failures that most agree on; None where they do not."""
    [(said, many)] = Counter((one.label, one.cause) for one in failures).most_common(1)
    if many < MOSTLY * len(failures):
        return None
    return next(one for one in reversed(failures) if (one.label, one.cause) == said)


def _spells(told: Sequence[Said]) -> tuple[int, float]:
    """How many spells of failure there were, and how long they were on average, first to last failure."""
    spans: list[list[float]] = []
    before = True
    for sent, verdict in told:
        if not verdict.label.passes:
            spans = [*spans, [sent]] if before else [*spans[:-1], [*spans[-1], sent]]
        before = verdict.label.passes
    return len(spans), sum(one[-1] - one[0] for one in spans) / len(spans)
