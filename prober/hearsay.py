"""What was told of a pair's last probes, where nobody told of this one.

A router sends an address about one ICMP error a second (``icmp_ratelimit``, icmp(7); net/ipv4/icmp.c), so of several
SYNs that it loses it tells of few. What it said seconds ago of the same pair, with no pass since, holds for this probe;
so does what it says shortly afterwards, with no pass in between.

That goes for a SYN that is known to be lost on its way in, and for one of which nothing is known because nobody watches
the target: silence after an error is what the limit looks like. There only an error that quotes the pair's own SYN
counts. A second fault, on the way back, that began within these seconds and without a pass in between would be hidden.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from prober.rules_forward import is_quoted
from prober.verdict import Cause, Confidence, Label, Verdict

LATELY = 10.0
"""Seconds for which what was told of one probe is taken for the next."""
TOLD = (Cause.F2, Cause.F3, Cause.F4, Cause.F6)
"""Causes that an ICMP error names; a SYN that is lost in silence is an F1."""
_MARK = "told of a probe"


Told = tuple[float, Verdict]
"""When a probe was sent, and what was said of it."""
MOST = 16
"""Handshakes of a pair's experiments that an ICMP error answered, of which is remembered what it said."""


class Tried:
    """By pair, those handshakes of experiments that an error answered."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], deque[Told]] = {}

    def add(self, key: tuple[str, str], sent: float, said: Verdict) -> None:
        self._told.setdefault(key, deque(maxlen=MOST)).append((sent, said))

    def of(self, key: tuple[str, str]) -> Sequence[Told]:
        return self._told.get(key, ())


def completed(verdict: Verdict, sent: float, others: Iterable[Told], tried: Iterable[Told] = ()) -> Verdict:
    """`verdict` on a probe sent at `sent`, with the cause that was told of another one of the pair shortly before it.

    Another label, a pass or too long a time in between end the search. `others` are in any order. `tried` are those
    handshakes of experiments that an error answered: they take a router's few errors away from the pair's own.

    A verdict `unknown` must be that of a SYN that met silence at a target that nobody watches (`infer.wanted`).
    """
    if verdict.label != Label.UNKNOWN and not is_silent(verdict):
        return verdict
    told = sorted([*others, *tried], key=lambda one: one[0])
    before, after = [one for one in reversed(told) if one[0] <= sent], [one for one in told if one[0] > sent]
    for several in (before, after):
        found = _first(verdict, sent, several)
        if found is not None:
            return _as(found[1], verdict, sent - found[0])
    return verdict


def _first(verdict: Verdict, sent: float, nearest_first: Iterable[Told]) -> Told | None:
    """The nearest that names a cause by itself, with nothing in between that says otherwise."""
    unknown = verdict.label == Label.UNKNOWN
    for then, said in nearest_first:
        if unknown and said.label == Label.UNKNOWN:
            continue
        if said.label != Label.INGRESS_DROP or abs(sent - then) > LATELY:
            return None
        told = is_quoted(said) if unknown else said.cause in TOLD
        if told and not _is_hearsay(said):
            return then, said
    return None


def is_silent(said: Verdict) -> bool:
    """True where a SYN was lost on its way in, and nobody told why."""
    return (said.label, said.cause) == (Label.INGRESS_DROP, Cause.F1)


def is_source(said: Verdict) -> bool:
    """True where it names a cause by an error of its own, and not by what was told of another probe."""
    return said.label == Label.INGRESS_DROP and said.cause in TOLD and not _is_hearsay(said)


def _is_hearsay(said: Verdict) -> bool:
    return any(one.startswith(_MARK) for one in said.evidence)


def is_told(said: Verdict) -> bool:
    """True where an ICMP error answered this handshake and names a cause; a TTL that ran out may have been meant to."""
    return is_quoted(said) and said.cause is not None


def _as(said: Verdict, verdict: Verdict, ago: float) -> Verdict:
    when = f"{abs(ago):.1f} s {'before' if ago >= 0 else 'after'}"
    sentence = f"{said.sentence} (Told of a probe {when} this one; routers send few such errors.)"
    sure = Confidence.INFERRED if verdict.label == Label.UNKNOWN else verdict.confidence
    return msgspec.structs.replace(
        verdict, label=said.label, confidence=sure, cause=said.cause, culprit=said.culprit, sentence=sentence,
        next_step=said.next_step, evidence=(*verdict.evidence, f"{_MARK} {when}"),
    )  # fmt: skip
