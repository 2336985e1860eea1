"""What was told of a pair's last probes, where nobody told of this one.

A router sends an address about one ICMP error a second (``icmp_ratelimit``, icmp(7); net/ipv4/icmp.c), so of several
SYNs that it loses it tells of few. What it said seconds ago of the same pair, with no pass since, holds for this probe.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from prober.verdict import Cause, Label, Verdict

LATELY = 10.0
"""Seconds for which what was told of one probe is taken for the next."""
TOLD = (Cause.F2, Cause.F3, Cause.F4, Cause.F6)
"""Causes that an ICMP error names; a SYN that is lost in silence is an F1."""
_MARK = "told of a probe"


def completed(verdict: Verdict, sent: float, before: Iterable[tuple[float, Verdict]]) -> Verdict:
    """`verdict` on a probe sent at `sent`, with the cause that was told of one before it; `before`: ``(sent, verdict)``
    of the pair's other probes, the newest first. Another label, a pass or too long a time in between end the search."""
    if (verdict.label, verdict.cause) != (Label.INGRESS_DROP, Cause.F1):
        return verdict
    for then, said in before:
        if then > sent:
            continue
        if said.label != verdict.label or sent - then > LATELY:
            return verdict
        if said.cause in TOLD and not any(one.startswith(_MARK) for one in said.evidence):
            return _as(said, verdict, sent - then)
    return verdict


def _as(said: Verdict, verdict: Verdict, ago: float) -> Verdict:
    sentence = f"{said.sentence} (Told of a probe {ago:.1f} s before this one; routers send few such errors.)"
    evidence = (*verdict.evidence, f"{_MARK} {ago:.1f} s before")
    return msgspec.structs.replace(
        verdict, cause=said.cause, culprit=said.culprit, sentence=sentence, next_step=said.next_step, evidence=evidence
    )
