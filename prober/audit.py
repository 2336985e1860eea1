"""The address plan, read for the outage that it holds: which networks overlap, and how far each pool is from it.

A node takes the answers to every address in its pod block, for all others route the block to it. So a block that holds
part of another subnet cuts that subnet off from the cluster, and a pool that does will hand out such a block one day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prober.address import Network, holds
from prober.declared import Targets
from prober.room import Room, rooms


@dataclass(frozen=True, slots=True)
class Holding:
    """A network, and whose it is: ``sort`` is pool, agent (the block of its node's pods) or zone.

    ``pods``: pods may have their addresses here. ``zone``: that of an agent.
    """

    sort: str
    name: str
    network: Network
    pods: bool = True
    zone: str = ""

    def __str__(self) -> str:
        who = f"the pod block of {self.name}" if self.sort == "agent" else f"{self.sort} {self.name}"
        return f"{who} ({self.network})"


@dataclass(frozen=True, slots=True)
class Finding:
    """What is not as it should be, where, and what would be ``right``. A dangerous one is an outage, now or to come."""

    dangerous: bool
    what: str
    right: str
    between: tuple[Holding, ...]

    @property
    def sentence(self) -> str:
        """What, and what would be right, as a person reads them."""
        return f"{self.what}. {self.right}."


@dataclass(frozen=True, slots=True)
class Audit:
    """The plan, read; dangerous findings come first."""

    findings: tuple[Finding, ...]
    rooms: tuple[Room, ...]

    @property
    def dangerous(self) -> bool:
        """Whether the plan holds an outage."""
        return any(one.dangerous for one in self.findings)


def audit(targets: Targets) -> Audit:
    """The address plan of a document."""
    holdings = list(holdings_of(targets))
    found = [finding for pair in overlaps(holdings) if (finding := judged(*pair))]
    found += strays(holdings)
    blocks = [one.network for one in holdings if one.sort == "agent"]
    zones = {one.network: str(one) for one in holdings if not one.pods}
    left = tuple(room for pool in targets.pools for room in rooms(pool, blocks, zones))
    return Audit(tuple(sorted(found, key=lambda one: not one.dangerous)), left)


def holdings_of(targets: Targets) -> Iterator[Holding]:
    """Every network of the document, with whose it is."""
    for pool in targets.pools:
        yield from (Holding("pool", pool.name, net) for net in pool.cidrs)
    for agent in targets.agents:
        yield from (Holding("agent", agent.name, net, zone=agent.zone) for net in agent.pods)
    for zone in targets.zones:
        yield from (Holding("zone", zone.name, net, zone.kind == "pods") for net in zone.cidrs)


def overlaps(holdings: Iterable[Holding]) -> Iterator[tuple[Holding, Holding]]:
    """Every two that overlap, the larger first. Networks nest or are apart: each lies in those around it."""
    around = list[Holding]()
    for one in sorted(holdings, key=_place):
        while around and not holds(around[-1].network, one.network):
            around.pop()
        yield from ((outer, one) for outer in around)
        around.append(one)


def _place(one: Holding) -> tuple[int, int, int]:
    return one.network.version, int(one.network.network_address), one.network.prefixlen


def judged(outer: Holding, inner: Holding) -> Finding | None:
    """What follows from the overlap of two; None where it is meant to be so."""
    one, other = sorted((outer, inner), key=lambda it: ("pool", "agent", "zone").index(it.sort))
    shared = inner.network
    if one.sort == other.sort:
        return None if one.name == other.name and one.sort != "pool" else _alike(one, other, shared)
    if other.sort != "zone" or other.pods or one.zone == other.name:
        return None  # a pool holds its nodes' blocks, pods their zone's addresses, and some take theirs of the nodes'
    part = str(other) if shared == other.network else f"{shared} of {other}"
    if one.sort == "pool":
        what = f"{one} holds {part}: a node that is given a block there takes the answers to it"
        right = "Give the pool networks that overlap no zone; nodes keep their blocks, so replace them then"
    else:
        what = f"{one} holds {part}: {one.name} takes the answers to it"
        right = f"Take {one.name} out of the cluster, then give its pool networks that overlap no zone"
    return Finding(True, what, right, (one, other))


def _alike(one: Holding, other: Holding, shared: Network) -> Finding:
    """Two pools, two nodes' blocks or two zones."""
    both, between = f"{one} and {other} overlap", (one, other)
    if one.sort == "pool" and one.name == other.name:
        return Finding(False, f"pool {one.name} lists {shared} twice", f"Keep {one.network} alone", between)
    if one.sort == "pool":
        right = "Give each pool networks of its own"
        return Finding(True, f"{both}: two nodes may be given the same block of {shared}", right, between)
    if one.sort == "agent":
        right = "Take one of the two nodes out of the cluster, so that it comes back with another block"
        return Finding(True, f"{both}: answers to {shared} go to one of the two nodes only", right, between)
    if one.pods or other.pods:
        what = f"{both}: answers to {shared} go where the routes to the pods lead"
        return Finding(True, what, "Give the pods networks of their own", between)
    what = f"{both}: of an address in {shared} nobody can say in which of them it is"
    return Finding(False, what, "Declare the smaller networks, without the one around them", between)


def strays(holdings: Iterable[Holding]) -> Iterator[Finding]:
    """Blocks of no pool that is declared: of one that was replaced, most often."""
    held = list(holdings)
    pools = [one.network for one in held if one.sort == "pool"]
    for one in held:
        if one.sort == "agent" and pools and not any(holds(net, one.network) for net in pools):
            right = f"Declare the pool that it is from, or replace {one.name}, which then gets a block of one declared"
            yield Finding(False, f"{one} is of no pool", right, (one,))
