"""What earlier probes left at their responders: half-open sockets, and the bare ACKs by which a later SYN meets one.

A SYN that meets the socket of an older one of its four-tuple starts no handshake: the kernel answers it with a bare ACK
that acknowledges the *older* SYN, one in half a second, and else with nothing (tcp_check_req,
net/ipv4/tcp_minisocks.c; tcp_oow_rate_limited, net/ipv4/tcp_input.c). Times are the controller's monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec

from prober import observation as ob
from prober.handshake import STILL_OPEN
from prober.observation import Asked, Observation, Seen
from prober.probe import Kind
from prober.segment import IN, OUT
from prober.sighting import Where

Flow = tuple[str, int, str, int]
"""Source, its port, destination, its port."""

Row = tuple[str, tuple[Any, ...]]
"""An agent and a row of its sightings."""


def flow_of(asked: Asked) -> Flow:
    """The four-tuple of a probe's SYN as it left."""
    return asked.src, asked.sport, asked.dst, asked.dport


def in_flow(one: Seen, flows: AbstractSet[Flow]) -> bool:
    """An unsealed segment counts only with a four-tuple that the probe was seen to have, before or behind a NAT."""
    if one.kind in (Kind.SYN_ACK, Kind.REFUSAL, Kind.ICMP_SYN_ACK, Kind.CHALLENGE):
        return (one.dst, one.dport, one.src, one.sport) in flows
    return (one.src, one.sport, one.dst, one.dport) in flows


CLOSE_BY = 0.1
"""Seconds by which agents' mapped clocks may be off here; the next probe of a four-tuple comes later than that."""
MOST_ACKS, MOST_OPEN = 4096, 16_384
"""Bare ACKs, and four-tuples with a socket, that are remembered; the oldest are forgotten."""


class Leftovers:
    """The bare ACKs seen lately, and which SYNs were taken of which no RST was seen to close the socket."""

    def __init__(self) -> None:
        self._acks: dict[Row, tuple[float, Flow, Seen]] = {}
        self._open: dict[Flow, dict[int, float]] = {}

    def challenged(self, row: Row, interface: str, frame: bytes, at: float) -> Flow:
        """A bare ACK was seen: the four-tuple of the SYN that it answers."""
        one = ob.seen(*row, interface, frame, 0.0)
        flow = (one.dst, one.dport, one.src, one.sport)
        self._acks[row] = (at, flow, one)
        while len(self._acks) > MOST_ACKS:
            del self._acks[next(iter(self._acks))]
        return flow

    def met(self, flows: AbstractSet[Flow], sent: float, done: float, inner: str) -> Iterator[Seen]:
        """The bare ACKs to a probe of these four-tuples, in the order of time. To `inner`, see `joiner`."""
        for at, flow, one in sorted(self._acks.values(), key=lambda told: (told[0], told[2].agent)):
            if flow in flows and sent - CLOSE_BY <= at <= done + CLOSE_BY:
                where = Where.POD if one.agent == inner and one.where == Where.NIC else one.where
                yield msgspec.structs.replace(one, where=where, after_ms=round((at - sent) * 1e3, 3))

    def held(self, number: int, asked: Asked, sent: float) -> float | None:
        """How long before this probe the SYN of its four-tuple was sent whose socket may be there still."""
        earlier = self._open.get(flow_of(asked), {}).items()
        ages = [sent - then for other, then in earlier if other != number]
        return min((round(age, 3) for age in ages if 0.0 < age < STILL_OPEN), default=None)

    def leave(self, o: Observation) -> None:
        """Remember whether this probe's SYN was taken and its socket not seen to be closed.

        Where it was taken, whatever an earlier one had left was gone.
        """
        flow, there = flow_of(o.asked), (Where.POD if o.pod else Where.NIC)
        took = [one for one in o.saw(Kind.SYN_ACK, way=OUT) if one.agent in o.responders]
        took += [one for one in o.saw(Kind.SYN, where=Where.STACK) if one.agent in o.untapped]
        if not took:
            return
        left = {number: sent for number, sent in self._open.pop(flow, {}).items() if sent > o.sent}
        if not any(one.agent in o.responders for one in o.saw(Kind.RST, way=IN, where=there)):
            left[o.probe] = o.sent
        if left:
            self._open[flow] = left
        while len(self._open) > MOST_OPEN:
            del self._open[next(iter(self._open))]
