"""A host's way to the prober, read from its own link by an agent that does not stand on that host.

A host that forwards has the same routes for what it is handed as for what it answers. So an agent on its link hands it
a SYN of the agent's own for the prober, by the host's link-layer address instead of the router's. What becomes of it is
told by the prober's tap, which misses it, and by whoever answers: the host that has no way there, the wrong next hop
whose turn it is when the TTL runs out, or somebody who answers in the prober's name.

Only what is told counts. A host that forwards nothing, a network that looks at addresses and not at link-layer ones and
a filter are all silent, so silence says nothing; nor does a SYN that arrives, for it may have been taken another way.
What a rule against forwarding would say as well counts only where the host hands on what is for another.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from prober import icmp
from prober.handshake import State
from prober.icmp import Error
from prober.observation import Observation, Place, Sight
from prober.probe import Kind
from prober.segment import IN, OUT
from prober.verdict import Cause, Culprit, Label

FULL, BEYOND = 64, 2
"""A SYN's TTL, and the one that runs out at whom the host hands it to: the host takes one (ip_forward, net/ipv4)."""


class Way(StrEnum):
    """How a SYN of the helper's went to the prober, or by the host to another, or by its router to the target."""

    STRAIGHT = "straight"
    FIRST = "straight, one hop far"
    BY = "by way of the host"
    NEXT = "by way of the host, one hop beyond it"
    OTHER = "by way of the host, to another"
    ROUND = "by way of the router, to the target"


class Told(msgspec.Struct, frozen=True):
    """An ICMP error that quotes a shot: what it means, its type and code, who sent it, the TTL that it quotes."""

    error: Error
    code: str
    by: str
    ttl: int


class Shot(msgspec.Struct, frozen=True):
    """One SYN: how it ended for the helper, whether it left, whether the prober's tap saw it, what was told of it."""

    way: Way
    state: State
    left: bool
    arrived: Sight
    told: tuple[Told, ...] = ()


class Byway(msgspec.Struct, frozen=True):
    """What `helper` was told of SYNs to `prober` (at `address`) by way of the `host`, an address.

    ``usual`` are those whom the host handed them to while all was well, as far as they spoke.
    """

    prober: str
    address: str
    helper: str
    host: str
    shots: tuple[Shot, ...] = ()
    usual: frozenset[str] = frozenset()

    def of(self, way: Way) -> tuple[Shot, ...]:
        """The shots that went this way."""
        return tuple(one for one in self.shots if one.way == way)


class Reading(msgspec.Struct, frozen=True):
    """What that says: always of the way back. ``words`` is what happened, ``evidence`` what was seen."""

    label: Label
    cause: Cause | None
    culprit: Culprit
    words: str
    step: str
    evidence: tuple[str, ...]


def shot(way: Way, o: Observation) -> Shot:
    """What became of one SYN."""
    errors = sorted(icmp.errors_to_prober(o), key=lambda one: one.after_ms)
    told = (Told(icmp.meaning(o, s), f"{s.icmp_type}/{s.icmp_code}", s.icmp_from, s.ttl) for s in errors)
    left = bool(o.saw(Kind.SYN, by=o.source, way=OUT))
    return Shot(way, o.asked.state, left, o.at(Place.B_NIC_IN), tuple(told))


def host(far: Iterable[tuple[int, Observation]]) -> str:
    """The address of the only router between a helper and a target, by SYNs with their TTLs; '' where there is none.

    It told that a TTL of 1 ran out; with 2 the target answered, and its answer came by the same link-layer address.
    """
    near, answered = set[str](), False
    for ttl, o in far:
        if ttl == 1:
            near |= {one.icmp_from for one in icmp.errors_to_prober(o) if icmp.meaning(o, one) == Error.LOOP}
        elif ttl == BEYOND and o.asked.state == State.ANSWERED:
            to = {one.neighbour for one in o.saw(Kind.SYN, by=o.source, way=OUT)}
            back = {one.neighbour for one in o.saw(Kind.SYN_ACK, by=o.source, way=IN)}
            answered |= bool(to) and to == back and "" not in to
    return next(iter(near)) if answered and len(near) == 1 else ""


def router(one: Byway) -> str:
    """The helper's own next hop on its way to the prober, or ''."""
    told = {told.by for shot in one.of(Way.FIRST) for told in shot.told if told.error == Error.LOOP}
    return next(iter(told)) if len(told) == 1 else ""


def beyond(one: Byway) -> frozenset[str]:
    """Whom the host hands SYNs to: who tells that the TTL runs out one hop beyond it."""
    told = (told for shot in one.of(Way.NEXT) for told in shot.told)
    return frozenset(told.by for told in told if told.error == Error.LOOP and told.by != one.host)


def arrives(one: Byway) -> bool:
    """True where the host handed one on to the prober: while its cell fails nothing is to be learnt then."""
    handed = (*one.of(Way.BY), *one.of(Way.NEXT))
    return any(shot.arrived == Sight.SEEN or shot.state == State.ANSWERED for shot in handed)


def reading(one: Byway) -> Reading | None:
    """What it says, or None. The helper's own way must be well, and the prober's tap must have missed what went by the
    host, watching throughout."""
    handed = (*one.of(Way.BY), *one.of(Way.NEXT))
    straight = any(_arrived(shot) for shot in one.of(Way.STRAIGHT))
    missed = all(shot.left and shot.arrived == Sight.NOT_SEEN for shot in handed)
    if not straight or not missed or arrives(one) or len(one.of(Way.BY)) < 2:
        return None
    return _kept(one) or _handed_to(one) or _another_answers(one)


def _own(one: Byway, told: Told) -> bool:
    """Whether the host itself says so, if from another of its addresses: nobody had lowered the TTL before it."""
    return told.by == one.host or told.ttl >= FULL - (told.error == Error.NO_HOST)


def _arrived(shot: Shot) -> bool:
    """Answered: of a handshake that is complete a large fleet does not tell the packets."""
    return shot.state == State.ANSWERED


def _kept(one: Byway) -> Reading | None:
    """The host itself says that it has no way.

    Its ARP for the next hop failed, which no rule says three seconds late; but its usual next hop must be well and
    reach it, or the two may not see each other at all. Or its route refuses: a route speaks before the TTL is touched,
    a rule of the FORWARD chain after (ip_error and ip_forward, net/ipv4), and for a rule further up what is for another
    would be refused as well.
    """
    told = [told for shot in one.of(Way.BY) for told in shot.told if told.error != Error.LOOP and _own(one, told)]
    if not told:
        return None
    first, hands_on = told[0], any(_arrived(shot) for shot in one.of(Way.OTHER))
    if not (_sees_its_router(one) if first.error == Error.NO_HOST else first.ttl == FULL and hands_on):
        return None
    cause = {Error.NO_ROUTE: Cause.R2, Error.REFUSES: Cause.R6, Error.REJECTED: Cause.R6}.get(first.error)
    says = "its route says so" if first.error == Error.REJECTED else first.error
    what = f"no way to {one.address}: ICMP {first.code}, {says}"
    more = (f"ICMP {first.code} from {one.host}, quoting ttl {first.ttl}",)
    return _said(one, Label.RETURN_PATH_LOSS, cause, what, more)


def _sees_its_router(one: Byway) -> bool:
    """Whether the host's usual next hop is the helper's own, which is well, and what that hands to the host arrives."""
    reached = any(shot.state == State.ANSWERED for shot in one.of(Way.ROUND))
    return reached and one.usual == {router(one)}


def _handed_to(one: Byway) -> Reading | None:
    """Somebody speaks up who is not on the helper's own way to the prober, and was not on the host's: it hands him what
    is for it. As long as it hands on as ever, whoever loses it may lose the SYN as well, and first."""
    ordinary = {told.by for shot in one.of(Way.FIRST) for told in shot.told} | one.usual | {one.host}
    spoke = [told for shot in one.of(Way.NEXT) for told in shot.told if told.error == Error.LOOP]
    spoke += [told for shot in one.of(Way.BY) for told in shot.told if not _own(one, told)]
    spoke = [told for told in spoke if told.by not in ordinary]
    if not spoke or not one.usual or not any(shot.told for shot in one.of(Way.FIRST)):
        return None
    what = f"hands what is for {one.address} to {spoke[0].by}, where it is lost"
    more = (f"ICMP {spoke[0].code} from {spoke[0].by}",)
    return _said(one, Label.RETURN_PATH_MISROUTE, Cause.R1B, what, more)


def _another_answers(one: Byway) -> Reading | None:
    """Who refuses in the prober's name is behind the host, and not the prober, whose tap saw nothing."""
    refused = [shot for shot in one.of(Way.BY) if shot.state == State.REFUSED]
    hands_on = any(_arrived(shot) for shot in one.of(Way.OTHER))
    if len(refused) < 2 or not hands_on:
        return None
    what = f"hands what is for {one.address} to somebody else, who refuses it"
    return _said(one, Label.RETURN_PATH_MISROUTE, Cause.R1C, what, (f"an RST in {one.prober}'s name",))


def _said(one: Byway, label: Label, cause: Cause | None, what: str, evidence: tuple[str, ...]) -> Reading:
    words = (
        f"{one.helper}, on the same link, handed {one.host} SYNs of its own for {one.prober}, and {one.prober} saw none"
        f" of them; those that {one.helper} sent straight arrived. {one.host} {'has ' * what.startswith('no ')}{what}"
    )
    step = f"On {one.host}: `ip route get {one.address}` and `ip rule`; its answers to {one.prober} take that way."
    return Reading(label, cause, Culprit("route", one.host, what), words, step, evidence)


def result(one: Byway) -> str:
    """What came of it, in a sentence."""
    if (found := reading(one)) is not None:
        return f"{one.host}, asked by {one.helper}: {found.culprit.what}"
    if arrives(one):
        return f"what {one.helper} sent to {one.prober} by way of {one.host} arrived"
    return f"what {one.helper} sent to {one.prober} by way of {one.host} told nothing"
