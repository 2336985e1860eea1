"""When a full matrix would cost too much: every pair is asked once in so many rounds, by representatives in turn.

A round is as long as a probe's ``every``. In each round one target is asked by another part of a zone's sources (by one
at most, where there are as many rounds as sources), and no round holds more than its part of the pairs. Nothing is
drawn by chance and nothing is agreed on: the document says it all, so controller and agents come to the same rounds.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import ceil

from prober.declared import Probe, Targets

PACKETS_A_FLOW = 3
"""SYN, SYN-ACK and the RST that closes it (RFC 9293, 3.5.1); a flow that fails costs fewer."""
SPARE = 0.1
"""The part of the policy's packets a second that turns leave for finding out how far a failure goes."""
LONGEST = 86_400.0
"""Seconds within which every pair must be asked: an agent takes no longer period."""


@dataclass(frozen=True, slots=True)
class Block:
    """The pairs of one probe from one zone: how many, how often each is to be asked, and packets a second of each."""

    pairs: int
    every: float
    each: float

    def packets(self, rounds: int) -> float:
        """Packets a second at most, in any round."""
        return ceil(self.pairs / rounds) * self.each


def blocks(zones: Mapping[str, str], probes: Iterable[Probe]) -> list[Block]:
    """All of them; ``zones`` are the agents'."""
    return [
        Block(sources * len(probe.targets), probe.every, PACKETS_A_FLOW * probe.flows / probe.every)
        for probe in probes
        for sources in Counter(zones[name] for name in probe.sources).values()
    ]


def rounds(several: Iterable[Block], limit: float) -> int:
    """How many rounds it takes to ask every pair once: 1 where the full matrix keeps to `limit` packets a second.

    Turns leave `SPARE` of it. Where not even one pair of each block at a time does, as many as the largest block has
    pairs.
    """
    told = list(several)
    if sum(one.packets(1) for one in told) <= limit:
        return 1
    limit *= 1.0 - SPARE
    low, high = 1, max((one.pairs for one in told), default=1)
    while low < high:
        middle = (low + high) // 2
        if sum(one.packets(middle) for one in told) <= limit:
            high = middle
        else:
            low = middle + 1
    return low


def impossible(several: Iterable[Block], limit: float) -> str | None:
    """Why no rotation keeps to `limit` packets a second, or None."""
    told = list(several)
    least = sum(one.each for one in told)
    if least > limit * (1.0 - SPARE) and rounds(told, limit) > 1:
        return f"one pair of each probe and zone at a time makes {least:g} packets a second"
    longest = rounds(told, limit) * max((one.every for one in told), default=0.0)
    if longest > LONGEST:
        return f"it would take {longest / 3600.0:.0f} hours to ask every pair once"
    return None


def spread(targets: Targets) -> Targets:
    """The document with its probes as often as the policy's packets a second let them be asked, in how many rounds.

    A probe's ``every`` is from here on what it takes to ask each of its pairs once: all rounds.
    """
    many = rounds(
        blocks({one.name: one.zone for one in targets.agents}, targets.probes), targets.policy.max_packets_per_second
    )
    if many == 1:
        return targets
    probes = tuple(replace(one, every=one.every * many) for one in targets.probes)
    return replace(targets, probes=probes, rounds=many)


@dataclass(frozen=True, slots=True)
class Turns:
    """One probe's part of a rotation of so many ``rounds``: in which of them each pair is asked."""

    probe: Probe
    rounds: int
    rank: dict[str, int] = field(default_factory=dict)
    many: dict[str, int] = field(default_factory=dict)
    place: dict[str, int] = field(default_factory=dict)

    def turn(self, source: str, target: str) -> int:
        """The round of this pair, from 0.

        The pairs of a zone are put in a row, each source's targets together, and the row is cut into rounds: so the
        sources of one target lie evenly apart. Which source comes first goes by the target: so do one source's targets.
        """
        sources, column = self.many[source], self.place[target]
        row = (self.rank[source] + column) % sources
        count = len(self.place)
        return (row * count + column) * self.rounds // (sources * count)


def turns(targets: Targets, probe: Probe) -> Turns:
    """`Turns` of one probe of a document that was `spread`."""
    zone, seen, rank = {agent.name: agent.zone for agent in targets.agents}, Counter[str](), dict[str, int]()
    for name in probe.sources:
        rank[name] = seen[zone[name]]
        seen[zone[name]] += 1
    place = {name: number for number, name in enumerate(probe.targets)}
    return Turns(probe, targets.rounds, rank, {name: seen[zone[name]] for name in probe.sources}, place)


def phases(targets: Targets, agent: str) -> Iterator[tuple[Probe, dict[str, float]]]:
    """For each probe of this agent when each target is asked: seconds after a multiple of the probe's ``every``.

    Within its round a pair has a moment of its own, so that a round is no burst. Nothing where there is no rotation.
    """
    for probe in targets.probes if targets.rounds > 1 else ():
        if agent in probe.sources:
            one, length = turns(targets, probe), probe.every / targets.rounds
            yield probe, {name: (one.turn(agent, name) + _moment(agent, name)) * length for name in probe.targets}


def _moment(source: str, target: str) -> float:
    """In [0, 1), and the same for the same pair."""
    digest = hashlib.sha256(f"{source}\0{target}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48
