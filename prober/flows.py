"""Many handshakes of one cell looked at together: flows x attempts -> a dead leg, a band of ports, or random loss.

A *flow* is a source port, an *attempt* one handshake of it. A dead leg of an equal-cost path loses all attempts of a
flow or none, for routers choose the leg by the five-tuple (RFC 2992; net/ipv4/route.c, fib_multipath_hash); random
loss hits some attempts of most flows. Which of the two, and in which direction, is told from the verdicts of the
single handshakes and by exact odds (`odds`), never by a threshold on the loss rate.

**Error bound.** Random loss, at whatever rate, is called a leg or a band with a probability of at most `SURE` (1e-5)
each time that a cell is looked at, for the odds are exact and conditional on the number of losses; at most `LOOKS`
(three) looks at one experiment make that 3e-5. A leg, which takes flows as its hash does, is called a band with a
probability below `PLAUSIBLE` (1e-3): its dead ports would have to lie side by side. A dead leg is called random loss
only where something else mixes three of its flows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec

from prober import facts, odds
from prober.handshake import STILL_OPEN
from prober.observation import Observation
from prober.odds import Tally
from prober.probe import Kind
from prober.segment import IN
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

SURE = 1e-5
"""Odds below which a pattern is no chance."""
LOOKS = 3
"""How often one experiment's results are looked at for a pattern: once a round of attempts."""
PLAUSIBLE = 1e-3
"""Odds above which a pattern may well be chance."""
LEAST = 8
"""Attempts without which nothing is said."""
FEW = 3
"""Mixed flows that make random loss, and losses that make a direction."""


class Side(StrEnum):
    """Where an attempt was lost, in the words of a sentence."""

    IN = "way in"
    TARGET = "target"
    BACK = "way back"
    UNTOLD = "way there or back"


SIDES = {
    Label.INGRESS_DROP: Side.IN, Label.TARGET: Side.TARGET, Label.RETURN_PATH_LOSS: Side.BACK,
    Label.RETURN_PATH_MISROUTE: Side.BACK, Label.UNKNOWN: Side.UNTOLD,
}  # fmt: skip


class Shape(StrEnum):
    """What the losses on one side look like."""

    LEG = "the same source ports always, the others never"
    BAND = "all source ports of one range, and none outside"
    RANDOM = "some attempts of most source ports"
    UNSURE = "too few to tell a dead leg from random loss"


class Trial(msgspec.Struct, frozen=True):
    """One attempt. ``lost`` is None where it passed; ``sent`` the controller's seconds."""

    probe: int
    port: int
    sent: float
    lost: Side | None
    verdict: Verdict


class Losses(msgspec.Struct, frozen=True):
    """What one side did to the attempts that came that far: per source port (attempts, lost)."""

    side: Side
    ports: dict[int, Tally]
    shape: Shape

    @property
    def sent(self) -> int:
        return sum(n for n, _ in self.ports.values())

    @property
    def lost(self) -> int:
        return sum(k for _, k in self.ports.values())

    @property
    def dead(self) -> list[int]:
        """The source ports of which nothing passed."""
        return sorted(port for port, (n, k) in self.ports.items() if k == n)


class Finding(msgspec.Struct, frozen=True):
    """What is said of a cell, and of which attempts: the last was sent at ``upto``, this part of them was lost."""

    verdict: Verdict
    losses: tuple[Losses, ...]
    upto: float
    rate: float

    @property
    def decided(self) -> bool:
        """True where each side's pattern is told."""
        return all(one.shape != Shape.UNSURE for one in self.losses)

    @property
    def by_chance(self) -> bool:
        """True where all losses are random."""
        return all(one.shape == Shape.RANDOM for one in self.losses)


Judged = tuple[Observation, Verdict]


def trials(judged: Iterable[Judged]) -> tuple[Trial, ...]:
    """The attempts that say something of the network, by when they were sent; the prober's own troubles do not.

    Left out, too, is an attempt that met a half-open socket: an earlier SYN of the same four-tuple was at the
    responder, no RST closed it there, and the kernel answers the new SYN with a challenge ACK (RFC 9293, 3.10.7.4).
    """
    result: list[Trial] = []
    open_since: dict[tuple[str, int, str, int], float] = {}
    for o, verdict in sorted(judged, key=lambda one: (one[0].sent, one[0].probe)):
        flow = (o.asked.src, o.asked.sport, o.asked.dst, o.asked.dport)
        held = facts.syn_arrived(o) and facts.answer_left(o) is None
        still = o.held is not None or o.sent - open_since.get(flow, float("-inf")) < STILL_OPEN
        spoilt = (held and still) or (bool(o.saw(Kind.CHALLENGE)) and facts.answer_left(o) is None)
        if facts.syn_arrived(o) and not spoilt:
            closed = any(one.agent in o.responders for one in o.saw(Kind.RST, way=IN))
            open_since[flow] = float("-inf") if closed else o.sent
        if not spoilt and (verdict.label.passes or verdict.label in SIDES):
            result.append(Trial(o.probe, o.asked.sport, o.sent, SIDES.get(verdict.label), verdict))
    return tuple(result)


def judge(source: str, target: str, told: Sequence[Trial]) -> Finding | None:
    """What the attempts of one cell say together; None where all passed, all were lost, or they are too few.

    None, too, where it only broke or healed meanwhile: before a moment all were one thing, after it all the other.
    """
    known = [one for one in told if one.lost != Side.UNTOLD]
    untold = len(told) - len(known)
    if untold and not any(one.lost for one in known):
        known = list(told)  # nobody can tell where: then at least how
    lost = [one for one in known if one.lost]
    if len(known) < LEAST or len(lost) < 2 or len(lost) == len(known) or _changed([one.lost is None for one in known]):
        return None
    sides = [losses for side in Side if (losses := _losses(known, side)).lost]
    shown = [one for one in sides if one.lost >= FEW] or [max(sides, key=lambda one: one.lost)]
    verdict = _verdict(source, target, shown, [one.verdict for one in lost], len(known))
    return Finding(verdict, tuple(shown), max(one.sent for one in known), len(lost) / len(known))


def _changed(passed: Sequence[bool]) -> bool:
    """Whether one moment parts them, or two (it broke and healed) that chance would not make."""
    spells = odds.spells(passed)
    return spells <= 2 or (spells == 3 and odds.of_spells(passed) < PLAUSIBLE)


def _losses(told: Sequence[Trial], side: Side) -> Losses:
    """The attempts that came as far as `side`, by source port."""
    before = {Side.BACK: (Side.IN, Side.TARGET), Side.TARGET: (Side.IN,)}.get(side, ())
    came = sorted((one for one in told if one.lost not in before), key=lambda one: one.sent)
    ports: dict[int, Tally] = {}
    for one in came:
        sent, lost = ports.get(one.port, (0, 0))
        ports[one.port] = (sent + 1, lost + (one.lost == side))
    return Losses(side, ports, _shape(ports, [one.lost != side for one in came]))


def losses_of(side: Side, ports: dict[int, Tally]) -> Losses:
    """Losses counted by somebody else, per source port, and no matter when."""
    return Losses(side, ports, _shape(ports, []))


def recast(found: Finding, source: str, target: str, copies: Losses) -> Finding:
    """A finding of random loss on the way back, once the responder has sent copies of its answers.

    Raw copies of one five-tuple all take one leg, the kernel's own answers a leg each: where a socket sends, the hash
    is its own and drawn anew for each SYN-ACK (sk->sk_txhash, net/ipv4/tcp_output.c, tcp_make_synack).
    """
    back = next((one for one in found.losses if one.side == Side.BACK), None)
    if back is None or back.shape != Shape.RANDOM or copies.shape not in (Shape.LEG, Shape.BAND):
        return found
    words = f"copies from {_listed(copies.dead)} always lost, from {len(copies.ports) - len(copies.dead)} others never"
    sentence = (
        f"{source} → {target}: {back.lost} of {back.sent} answers were lost on the way back ({_percent(back)}),"
        f" whatever the source port; copies of them, sent again by the responder, are always lost for the same"
        f" {len(copies.dead)} of {len(copies.ports)} source ports: one leg of an equal-cost path is dead there, and the"
        " responder's kernel takes another leg for each answer."
    )
    culprit = Culprit("hop", "", f"{Side.BACK}: a dead leg, {words}")
    verdict = msgspec.structs.replace(
        found.verdict, sentence=sentence, cause=Cause.R8, culprit=culprit, next_step=_step(copies),
        evidence=(*found.verdict.evidence, words),
    )  # fmt: skip
    return msgspec.structs.replace(found, verdict=verdict)


def _shape(ports: dict[int, Tally], passed: Sequence[bool]) -> Shape:
    """`passed` is in the order of sending: what fails for a while and then does not is neither a leg nor chance."""
    tallies = list(ports.values())
    mixed = sum(map(odds.is_mixed, tallies))
    dead = sorted(port for port, (n, k) in ports.items() if k == n)
    alive = [port for port, (_, k) in ports.items() if k == 0]
    pure, in_time = odds.of_purity(tallies), odds.of_spells(passed)
    if in_time < min(SURE, pure):
        return Shape.UNSURE
    if not mixed and dead and alive and pure < SURE:
        beside = not any(dead[0] < port < dead[-1] for port in alive)
        return Shape.BAND if beside and odds.of_neighbours(len(ports), len(dead)) < PLAUSIBLE else Shape.LEG
    return Shape.RANDOM if mixed >= FEW and pure > PLAUSIBLE else Shape.UNSURE


# -- in words ----------------------------------------------------------------------------------------------------

CAUSES: dict[tuple[Shape, Side], Cause] = {
    (Shape.LEG, Side.IN): Cause.F5, (Shape.LEG, Side.BACK): Cause.R8,
    (Shape.BAND, Side.IN): Cause.F1, (Shape.BAND, Side.BACK): Cause.R5B,
    (Shape.RANDOM, Side.IN): Cause.B1, (Shape.RANDOM, Side.BACK): Cause.B1, (Shape.RANDOM, Side.UNTOLD): Cause.B1,
}  # fmt: skip
"""What a pattern on one side is the mark of. Where the side is not told, a leg or a band has no cause's name."""

_RANK = [Confidence.AMBIGUOUS, Confidence.INFERRED, Confidence.LIKELY]


def _verdict(source: str, target: str, shown: list[Losses], failures: list[Verdict], known: int) -> Verdict:
    cause = next((found for one in shown if (found := CAUSES.get((one.shape, one.side)))), None)
    least = min((_RANK.index(min(one.confidence, Confidence.LIKELY, key=_order)) for one in failures), default=0)
    confidence = _RANK[min(least, 1)] if any(one.shape == Shape.UNSURE for one in shown) else _RANK[least]
    lost = len(failures)
    sentence = f"{source} → {target}: {lost} of {known} handshakes failed. " + " ".join(map(_told, shown))
    culprit = Culprit(_KINDS[shown[0].shape], "", "; ".join(f"{one.side}: {_short(one)}" for one in shown))
    if all(one.shape == Shape.UNSURE for one in shown):
        culprit = failures[-1].culprit or culprit
    missing = tuple(dict.fromkeys(words for one in failures for words in one.missing))
    if any(one.shape == Shape.UNSURE for one in shown):
        missing += ("enough attempts to tell a dead leg from random loss, or from what comes and goes",)
    evidence = tuple(_short(one) for one in shown)
    return Verdict(Label.INTERMITTENT, confidence, sentence, cause, culprit, missing, _step(shown[0]), evidence)


def _order(one: Confidence) -> int:
    return [*_RANK, Confidence.PROVEN].index(one)


_KINDS = {Shape.LEG: "hop", Shape.BAND: "rule", Shape.RANDOM: "hop", Shape.UNSURE: "hop"}
_WHAT = {Side.IN: "SYNs", Side.TARGET: "SYNs", Side.BACK: "answers", Side.UNTOLD: "handshakes"}


def _told(one: Losses) -> str:
    """The pattern on one side as a sentence."""
    rate, dead, others = _percent(one), one.dead, len(one.ports) - len(one.dead)
    if one.shape == Shape.LEG:
        return (
            f"On the {one.side} the {_WHAT[one.side]} of {len(dead)} of {len(one.ports)} source ports are always lost"
            f" ({_listed(dead)}) and those of the other {others} never: one leg of an equal-cost path is dead there."
        )
    if one.shape == Shape.BAND:
        return (
            f"On the {one.side} the {_WHAT[one.side]} of source ports {dead[0]} to {dead[-1]} are always lost and those"
            f" of the {others} others never: a filter there goes by the port."
        )
    told = f"On the {one.side} {one.lost} of {one.sent} {_WHAT[one.side]} were lost ({rate})"
    if one.side == Side.TARGET:
        told = f"The target left {one.lost} of {one.sent} SYNs unanswered or refused them ({rate})"
    hit = sum(k > 0 for _, k in one.ports.values())
    if one.shape == Shape.RANDOM:
        return f"{told}, over {hit} of {len(one.ports)} source ports and at no time in particular: at random."
    return f"{told}; whether the same source ports always is not told yet."


def _short(one: Losses) -> str:
    """The pattern on one side in a few words, for the culprit and the evidence."""
    dead = one.dead
    if one.shape == Shape.LEG:
        return f"a dead leg, source ports {_listed(dead)} always lost, {len(one.ports) - len(dead)} others never"
    if one.shape == Shape.BAND:
        return f"source ports {dead[0]}-{dead[-1]} always lost, {len(one.ports) - len(dead)} others never"
    how = " at random" if one.shape == Shape.RANDOM else ""
    return f"{one.lost} of {one.sent} {_WHAT[one.side]} lost{how} ({_percent(one)})"


def _percent(one: Losses) -> str:
    return f"{100 * one.lost / one.sent:.0f} %"


def _listed(ports: Sequence[int]) -> str:
    return ", ".join(map(str, ports[:6])) + (f" and {len(ports) - 6} more" if len(ports) > 6 else "")


def _step(one: Losses) -> str:
    ports = _listed(one.dead)
    if one.shape == Shape.LEG:
        return (
            f"On the routers of the {one.side}, look at routes with several next hops (`ip route`, `show ip cef`):"
            f" one next hop, or what lies behind it, is dead. Source port {one.dead[0]} shows it again."
        )
    if one.shape == Shape.BAND:
        return (
            f"Look for a rule on the {one.side} that names ports {one.dead[0]} to {one.dead[-1]}, or a range over them."
        )
    if one.shape == Shape.RANDOM:
        return (
            f"Look at drop and error counters of the links on the {one.side} (`ip -s link`, `nft list ruleset`,"
            " `conntrack -S`): a full queue, a policer, a bad link."
        )
    which = f": the source ports that failed were {ports}" if ports else ""
    return f"Ask again with more flows{which}."
