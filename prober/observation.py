"""Both ends of one probe joined: what was asked, what everybody saw, and the places it passed (`places`).

An `Observation` is everything that `classify` may look at. It is a value: it can be written down, and judged again
next year. Nothing in it depends on what any agent's clock shows, only on how long things took on one clock.
"""

from __future__ import annotations

from collections import namedtuple
from enum import StrEnum
from typing import Any

import msgspec

from prober import segment
from prober.handshake import REFUSED_ONCE, State
from prober.probe import Kind
from prober.report import Route
from prober.segment import IN
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


_of: Any = namedtuple("_Sighting", SIGHTING.names or ())._make  # type: ignore[attr-defined]  # noqa: PYI024  # the array's names


def seen(agent: str, row: tuple[Any, ...], interface: str, frame: bytes, after_ms: float) -> Seen:
    """One row of a `SIGHTING` array (as ``tolist`` gives it) in words."""
    one = _of(row)
    wrapped, text = bool(one.outer_hi or one.outer_lo), segment.address_text
    return Seen(
        agent=agent, kind=Kind(one.kind), where=Where(one.where), way=one.way, interface=interface,
        src=text(one.src_hi, one.src_lo), dst=text(one.dst_hi, one.dst_lo), sport=one.sport, dport=one.dport,
        flags=one.flags, ttl=one.ttl, seq=one.seq, ack=one.ack, neighbour=segment.mac_text(one.neighbour),
        sealed=one.sealed, icmp_type=one.icmp_type, icmp_code=one.icmp_code,
        icmp_from=text(one.icmp_hi, one.icmp_lo) if one.icmp_type else "", after_ms=round(after_ms, 3), frame=frame,
        outer_src=text(one.outer_src_hi, one.outer_src_lo) if wrapped else "",
        outer=text(one.outer_hi, one.outer_lo) if wrapped else "", vni=one.vni,
    )  # fmt: skip
