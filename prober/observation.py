"""Both ends of one probe joined: each place *seen*, *not seen while watched*, or *not watched*.

An `Observation` is everything that `classify` may look at. It is a value: it can be written down, and judged again
next year. Nothing in it depends on what any agent's clock shows, only on how long things took on one clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Any

import msgspec

from prober import segment
from prober.handshake import REFUSED_ONCE, State
from prober.probe import Kind
from prober.report import Route
from prober.segment import IN, OUT
from prober.sighting import SIGHTING, Where


class Place(StrEnum):
    """The places of the vector, in the order a handshake passes them."""

    A_SENT = "A sent"
    A_NIC_OUT = "A's NIC out"
    A_NODE_OUT = "A's node out"
    B_NIC_IN = "B's NIC in"
    B_POD_IN = "B's pod in"
    B_STACK = "B's stack took it"
    B_POD_OUT = "B's pod out"
    B_NIC_OUT = "B's NIC out"
    A_NIC_IN = "A's NIC in"


class Sight(StrEnum):
    """What is known of a place. Only an agent's statement that it was capturing makes a *not seen*."""

    SEEN = "seen"
    NOT_SEEN = "not seen"
    NOT_WATCHED = "not watched"


class Seen(msgspec.Struct, frozen=True):
    """One sighting in words: which agent saw which segment where. ``after_ms`` since the probe was sent.

    ``outer_src`` and ``outer`` are the ends of the tunnel that it was met in, ``vni`` that tunnel's virtual network.
    """

    agent: str
    kind: Kind
    where: Where
    way: int
    interface: str
    src: str
    dst: str
    sport: int
    dport: int
    flags: int
    ttl: int
    seq: int
    ack: int
    neighbour: str = ""
    sealed: bool = True
    icmp_type: int = 0
    icmp_code: int = 0
    icmp_from: str = ""
    after_ms: float = 0.0
    frame: bytes = b""
    outer_src: str = ""
    outer: str = ""
    vni: int = 0

    def text(self) -> str:
        """The segment as tcpdump would say it, shortened."""
        if self.icmp_type:
            return f"ICMP {self.icmp_type}/{self.icmp_code} from {self.icmp_from}"
        name = segment.flags_text(self.flags)
        tunnel = f" in a tunnel {self.outer_src} > {self.outer}" if self.outer else ""
        return f"{name} {_end(self.src, self.sport)} > {_end(self.dst, self.dport)} ttl {self.ttl}{tunnel}"


def _end(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class Asked(msgspec.Struct, frozen=True):
    """The prober's own record of the probe: four-tuple, how it ended, the send's errno, RTT in milliseconds."""

    src: str
    dst: str
    sport: int
    dport: int
    state: State
    error: int = 0
    rtt_ms: float | None = None


class Usual(msgspec.Struct, frozen=True):
    """How this cell's packets went when it was first healthy: a detour is a change from it, not a shape.

    ``ttl`` of the reply at the prober; ``exits`` how it left the responder ("node1 eth0 02:…"), ``entries`` how the
    SYN came to it; ``witnesses`` carried the reply, ``forwarders`` the SYN. Only an agent that was ``watched`` then
    can be said to be new on the way.
    """

    ttl: int
    exits: tuple[str, ...] = ()
    witnesses: tuple[str, ...] = ()
    forwarders: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()


class Observation(msgspec.Struct, frozen=True):
    """One probe, every vantage. ``source`` and the agents in it are names; ``names`` maps addresses to agents.

    ``sent`` is when, in the controller's monotonic seconds. ``pod`` is the pod's address where the target is one,
    ``subnet`` the source zone's network ("firewall 10.19.0.0/24").
    ``counters`` are the responder's, by how much they moved around the probe; where a connect() never heard its
    answer they are the prober's own. ``missing`` says what was not watched.

    ``inner`` is the agent inside the target's pod, beside its node's; ``home`` the agent of the node behind which the
    prober itself is a pod. ``untapped`` responders capture nothing: only their table of half-open sockets is read.
    ``answering`` are the other sources that this target answered since, having answered before. ``held``: an earlier
    SYN of the same four-tuple, sent so many seconds before, was answered there, and nothing was seen to close it.
    ``steady`` are the agents whose route back was told before the probe's end, and the same after it.
    ``partial`` agents saw some of this probe and did not capture throughout: what they did not see may have been there.
    """

    probe: int
    source: str
    target: str
    asked: Asked
    responders: tuple[str, ...]
    places: dict[Place, Sight]
    seen: tuple[Seen, ...] = ()
    run: str = ""
    sent: float = 0.0
    pod: str = ""
    subnet: str = ""
    through: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    counters: dict[str, int] = {}
    usual: Usual | None = None
    names: dict[str, str] = {}
    missing: tuple[str, ...] = ()
    inner: str = ""
    home: str = ""
    untapped: tuple[str, ...] = ()
    answering: tuple[str, ...] = ()
    held: float | None = None
    steady: tuple[str, ...] = ()
    partial: tuple[str, ...] = ()

    def at(self, place: Place) -> Sight:
        """What is known of `place`."""
        return self.places.get(place, Sight.NOT_WATCHED)

    def saw(self, *kinds: Kind, by: str = "", way: int = 0, where: Where | None = None) -> tuple[Seen, ...]:
        """The sightings of these kinds, optionally of one agent, way and kind of place."""
        return tuple(
            one
            for one in self.seen
            if one.kind in kinds
            and by in ("", one.agent)
            and way in (0, one.way)
            and where in (None, one.where)
        )  # fmt: skip

    def witnesses(self, *kinds: Kind) -> tuple[Seen, ...]:
        """Sightings by an agent that is neither end nor on the declared way, of segments that *came in* there."""
        ends = {self.source, *self.responders, *self.through, self.home}
        return tuple(one for one in self.saw(*kinds, way=IN) if one.agent not in ends)

    def route_of(self, agent: str) -> Route | None:
        """The route that `agent` said the reply (for the prober: the SYN) takes."""
        inwards = self.pod if agent in self.responders and agent != self.source else ""
        return next(
            (one for one in reversed(self.routes) if one.agent == agent and one.dst != inwards and not one.port), None
        )

    def route_inwards(self) -> Route | None:
        """The route that the pod's node said it has to the pod."""
        nodes = [name for name in self.responders if name != self.inner]
        return next(
            (one for one in reversed(self.routes) if one.agent in nodes and one.dst == self.pod and not one.port), None
        )

    def listens(self) -> bool | None:
        """Whether something listens on the target's port, as the agent that shares its namespace said; None: nobody."""
        return next((one.listening for one in reversed(self.routes) if one.port), None)

    def name(self, address: str) -> str:
        """The agent that has an address, or ''."""
        return self.names.get(address, "")

    @property
    def failed(self) -> bool:
        """Not answered, or not at once (`handshake.REFUSED_ONCE`)."""
        return self.asked.state != State.ANSWERED or self.asked.error == REFUSED_ONCE


ANSWERS = (Kind.SYN_ACK, Kind.REFUSAL)
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


ANSWERS_IN = 0.1
"""Seconds in which a host that answers at all has answered, and in which agents' mapped clocks agree."""
STACK_LOOKS = 0.6
"""Seconds in which an agent looks at its half-open sockets at least twice."""


def passage(one: Seen) -> str:
    """Where a segment passed a NIC: agent, interface, the neighbour's address, and the other end of its tunnel."""
    end = one.outer if one.way == OUT else one.outer_src
    return f"{one.agent} {one.interface} {one.neighbour}" + (f"{TUNNEL}{end}" if end else "")


TUNNEL = " in a tunnel with "
"""What stands before a tunnel's other end in a passage."""


def exits(observation: Observation) -> set[str]:
    """How the reply left the responders: agent, interface and next hop's address each, and a tunnel's other end."""
    return _passed(observation, OUT, Kind.SYN_ACK)


def entries(observation: Observation) -> set[str]:
    """How the SYN came to the responders: agent, interface and the address of who handed it over."""
    return _passed(observation, IN, Kind.SYN)


def _passed(observation: Observation, way: int, kind: Kind) -> set[str]:
    return {
        passage(one) for one in observation.saw(kind, way=way, where=Where.NIC) if one.agent in observation.responders
    }


def usual(observation: Observation, watching: frozenset[str], before: Usual | None = None) -> Usual | None:
    """How an answered probe went, as far as ``before``, from earlier ones, does not say it already."""
    arrived = observation.saw(Kind.SYN_ACK, by=observation.source, way=IN)
    if before is None:
        if not arrived:
            return None
        before = Usual(arrived[0].ttl)
    ways = entries(observation)
    if before.entries:  # equal ways in may be many: each by which the answer went back as well is as usual
        ways &= exits(observation)
    came = _with(before.entries, ways)
    new = watching - set(before.watched) - _blind(observation)
    if not new:
        return before if came == before.entries else msgspec.structs.replace(before, entries=came)
    left = {one for one in exits(observation) if one.split()[0] in new}
    carried = {one.agent for one in observation.witnesses(Kind.SYN_ACK)} & new
    forwarded = {one.agent for one in observation.witnesses(Kind.SYN)} & new
    return Usual(
        before.ttl, _with(before.exits, left), _with(before.witnesses, carried),
        _with(before.forwarders, forwarded), _with(before.watched, new), came,
    )  # fmt: skip


def _blind(observation: Observation) -> set[str]:
    """The responders, where none of them saw the answer leave that arrived: they say that they watched, and did not."""
    beside = {observation.source, observation.home} & set(observation.responders)
    return set() if beside or exits(observation) else set(observation.responders)


def _with(known: tuple[str, ...], more: AbstractSet[str]) -> tuple[str, ...]:
    return tuple(sorted({*known, *more}))


_INDEX = {name: index for index, name in enumerate(SIGHTING.names or ())}


def seen(agent: str, row: tuple[Any, ...], interface: str, frame: bytes, after_ms: float) -> Seen:
    """One row of a `SIGHTING` array (as ``tolist`` gives it) in words."""

    def column(name: str) -> int:
        return int(row[_INDEX[name]])

    def address(name: str) -> str:
        return str(segment.address(column(f"{name}_hi"), column(f"{name}_lo")))

    icmp, wrapped = column("icmp_type"), bool(column("outer_hi") or column("outer_lo"))
    return Seen(
        agent=agent, kind=Kind(column("kind")), where=Where(column("where")), way=column("way"), interface=interface,
        src=address("src"), dst=address("dst"), sport=column("sport"), dport=column("dport"),
        flags=column("flags"), ttl=column("ttl"), seq=column("seq"), ack=column("ack"),
        neighbour=segment.mac_text(column("neighbour")), sealed=bool(column("sealed")), icmp_type=icmp,
        icmp_code=column("icmp_code"), icmp_from=address("icmp") if icmp else "", after_ms=round(after_ms, 3),
        frame=frame, outer_src=address("outer_src") if wrapped else "", outer=address("outer") if wrapped else "",
        vni=column("vni"),
    )  # fmt: skip
