"""A cell as it was when all was well: by which NICs, neighbours and tunnels packets passed, and who carried them."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import msgspec

from prober.observation import Observation, Seen, Usual
from prober.probe import Kind
from prober.segment import IN, OUT
from prober.sighting import Where

TUNNEL = " in a tunnel with "
"""What stands before a tunnel's other end in a passage."""


def passage(one: Seen) -> str:
    """Where a segment passed a NIC: agent, interface, the neighbour's address, and the other end of its tunnel."""
    end = one.outer if one.way == OUT else one.outer_src
    return f"{one.agent} {one.interface} {one.neighbour}" + (f"{TUNNEL}{end}" if end else "")


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
