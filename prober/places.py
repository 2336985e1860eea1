"""The vector of an observation: each place *seen*, *not seen while watched*, or *not watched*."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from prober.handshake import State
from prober.observation import ANSWERS, Asked, Place, Seen, Sight
from prober.probe import Kind
from prober.segment import IN, OUT
from prober.sighting import Where

_OUTWARD = (*ANSWERS, Kind.CHALLENGE)
"""What says that a place on the way back let something of this probe through: its TCP's bare ACK does, too."""

PATTERN: dict[Place, tuple[bool, tuple[Kind, ...], Where, int]] = {
    Place.A_NIC_OUT: (True, (Kind.SYN,), Where.NIC, OUT),
    Place.B_NIC_IN: (False, (Kind.SYN,), Where.NIC, IN),
    Place.B_POD_IN: (False, (Kind.SYN,), Where.POD, IN),
    Place.B_STACK: (False, (Kind.SYN,), Where.STACK, IN),
    Place.B_POD_OUT: (False, _OUTWARD, Where.POD, OUT),
    Place.B_NIC_OUT: (False, _OUTWARD, Where.NIC, OUT),
    Place.A_NIC_IN: (True, _OUTWARD, Where.NIC, IN),
}
"""What must be seen for a place to be *seen*: at the prober?, which kinds, where, which way."""

ANSWERS_IN = 0.1
"""Seconds in which a host that answers at all has answered, and in which agents' mapped clocks agree."""

STACK_LOOKS = 0.6
"""Seconds in which an agent looks at its half-open sockets at least twice."""


class Beside(msgspec.Struct, frozen=True):
    """Who stands beside the ends: `inner` inside the target's pod, `home` on the node whose pod the prober is.

    `tables` are the agents that captured nothing, and read their half-open sockets throughout.
    """

    inner: str = ""
    home: str = ""
    tables: frozenset[str] = frozenset()


ALONE = Beside()


def places(
    asked: Asked, source: str, responders: tuple[str, ...], seen: tuple[Seen, ...], watching: frozenset[str], pod: bool,
    lasted: float, others: Beside = ALONE,
) -> dict[Place, Sight]:  # fmt: skip
    """The vector. `watching` are the agents that captured throughout; pods' places count only where the target is one.

    A negative that a packet contradicts does not count: whoever missed that packet may have missed others.
    The stack is looked at a few times a second: a probe that ``lasted`` less than `STACK_LOOKS` may have been missed.
    """
    result = {Place.A_SENT: Sight.NOT_SEEN if asked.state == State.NOT_SENT else Sight.SEEN}
    same_host = source in responders or others.home in responders
    nodes = tuple(name for name in responders if name != others.inner)
    for place, (at_prober, kinds, where, way) in PATTERN.items():
        beside = (where is Where.POD and not pod) or (where is Where.NIC and source in responders)
        beside |= where is Where.NIC and same_host and not at_prober
        beside |= where is Where.STACK and ((pod and not others.inner) or same_host or lasted < STACK_LOOKS)
        if beside:
            result[place] = Sight.NOT_WATCHED  # not on this probe's way
            continue
        inside = bool(others.inner) and where is not Where.NIC
        agents = (source,) if at_prober else (others.inner,) if inside else nodes
        known = agents if at_prober or where is Where.STACK else responders
        hit = any(s.agent in known and s.kind in kinds and s.where == where and s.way == way for s in seen)
        able = watching | others.tables if where is Where.STACK else watching
        result[place] = _sight(hit, bool(agents) and able.issuperset(agents))
    if others.home and not same_host:
        left = any(
            s.agent == others.home and s.kind == Kind.SYN and s.where == Where.NIC and s.way == OUT for s in seen
        )
        result[Place.A_NODE_OUT] = _sight(left, others.home in watching)
    if not pod and not same_host and (result[Place.B_NIC_OUT] == Sight.SEEN or _answer_quoted(seen, responders)):
        result[Place.B_STACK] = Sight.SEEN  # it answered
    for place in (*_passed_unseen(asked, source, responders, seen), *_no_time_for(seen, responders, lasted)):
        if result[place] == Sight.NOT_SEEN:
            result[place] = Sight.NOT_WATCHED
    return result


def _answer_quoted(seen: tuple[Seen, ...], responders: tuple[str, ...]) -> bool:
    """An ICMP error about an answer shows that there was one; it also ends the half-open socket before it is seen."""
    return any(one.agent in responders and one.kind == Kind.ICMP_SYN_ACK for one in seen)


def _sight(seen: bool, watched: bool) -> Sight:
    return Sight.SEEN if seen else Sight.NOT_SEEN if watched else Sight.NOT_WATCHED


def _passed_unseen(asked: Asked, source: str, responders: tuple[str, ...], seen: tuple[Seen, ...]) -> Iterator[Place]:
    """Places that a packet met further on must have passed: who says *not seen* there was not really watching.

    Whatever another agent saw of this probe, and whatever came in from elsewhere, began with a SYN that left.
    """
    if any(one.agent != source or (one.way == IN and one.icmp_from != asked.src) for one in seen):
        yield Place.A_NIC_OUT
    answers = [one for one in seen if one.kind in (Kind.SYN_ACK, Kind.CHALLENGE)]
    if answers:
        yield Place.B_STACK
    if answers or any(one.kind == Kind.ICMP_SYN_ACK for one in seen):
        yield from (Place.B_NIC_IN, Place.B_POD_IN)
    if any(one.where != Where.POD or one.agent not in responders for one in answers):
        yield Place.B_POD_OUT
    there = [one for one in seen if one.agent in responders]
    if any(one.kind == Kind.SYN and one.where != Where.NIC for one in there):
        yield Place.B_NIC_IN
    refusals = [one for one in there if one.kind == Kind.REFUSAL and one.way == OUT]
    if refusals:
        yield Place.B_NIC_IN
    if any(one.where == Where.POD for one in refusals):
        yield Place.B_POD_IN
    came = bool(refusals) or any(one.kind == Kind.SYN and one.way == IN for one in there)
    refused = [one for one in seen if one.kind == Kind.REFUSAL and came]
    if refused and not refusals:
        yield from (Place.B_POD_IN, Place.B_STACK)
    if any(one.agent not in responders or (one.where, one.way) == (Where.NIC, IN) for one in answers + refused):
        yield Place.B_NIC_OUT


def _no_time_for(seen: tuple[Seen, ...], responders: tuple[str, ...], lasted: float) -> Iterator[Place]:
    """Where an answer would have left, of a SYN that came there only as the prober gave up."""
    for where, place in ((Where.NIC, Place.B_NIC_OUT), (Where.POD, Place.B_POD_OUT)):
        came = [s.after_ms for s in seen if (s.kind, s.where, s.way) == (Kind.SYN, where, IN) and s.agent in responders]
        if came and min(came) > (lasted - ANSWERS_IN) * 1e3:
            yield place
