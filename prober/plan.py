"""Who asks whom, how often, and what that costs; nothing is sent here.

Pure: the same ``Targets`` gives the same pairs on the controller and on every agent, and policy is asked again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from prober.declared import Objective, Target, Targets
from prober.errors import Refused
from prober.segment import Address

PACKETS_A_FLOW = 3
"""SYN, SYN-ACK and the RST that closes it (RFC 9293, 3.5.1); a flow that fails costs fewer."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One source asking one target; ``every`` and ``timeout`` in seconds, ``flows`` source ports at a time."""

    source: str
    target: str
    every: float
    flows: int
    timeout: float
    attempts: int
    address: Address
    port: int

    @property
    def key(self) -> tuple[str, str]:
        """``(source, target)``: the matrix cell."""
        return self.source, self.target


@dataclass(frozen=True, slots=True)
class Cost:
    """What the declared probes cost when every handshake succeeds.

    ``seconds``: until each pair has been asked once and had its answer or its timeout. ``by_agent``: packets a
    second that each agent sends and receives. ``unresolved``: targets whose host name is not pinned yet.
    """

    pairs: int
    packets_per_second: float
    seconds: float
    by_agent: dict[str, float]
    unresolved: tuple[str, ...] = ()


def pairs(targets: Targets) -> tuple[Pair, ...]:
    """The pairs that probes declare, once each, inside policy, never an agent and itself.

    Where two probes declare one pair, the more frequent stands, then the one with more flows. A target whose
    host name is not pinned has no address and so no pair: see `unresolved`.
    """
    table = _askable(targets)
    chosen: dict[tuple[str, str], Pair] = {}
    for probe in targets.probes:
        shape = (probe.every, probe.flows, probe.timeout, probe.attempts)
        for source in probe.sources:
            own = targets.agent(source).addresses
            for name in probe.targets:
                pair = _pair(source, own, table.get(name), shape)
                if pair and (pair.key not in chosen or _keener(pair, chosen[pair.key])):
                    chosen[pair.key] = pair
    return tuple(chosen.values())


def _keener(one: Pair, other: Pair) -> bool:
    return (-one.every, one.flows) > (-other.every, other.flows)


def _askable(targets: Targets) -> dict[str, Target]:
    """The targets that have an address which policy permits."""
    return {one.name: one for one in targets.targets if one.address and targets.policy.permits(one.address, one.port)}


def _pair(
    source: str, own: tuple[Address, ...], target: Target | None, shape: tuple[float, int, float, int]
) -> Pair | None:
    if target is None or target.address is None or target.address in own or target.name == source:
        return None
    return Pair(source, target.name, *shape, target.address, target.port)


def tasks(targets: Targets, agent: str) -> tuple[Pair, ...]:
    """What one agent has to ask; none for a name that no probe has among its sources."""
    return tuple(pair for pair in pairs(targets) if pair.source == agent)


def unresolved(targets: Targets) -> tuple[str, ...]:
    """The targets whose host name has not been pinned to an address."""
    return tuple(target.name for target in targets.targets if target.address is None)


def cost(targets: Targets) -> Cost:
    """What the declared probes cost."""
    declared = pairs(targets)
    by_agent = {agent.name: 0.0 for agent in targets.agents}
    for pair in declared:
        by_agent[pair.source] += PACKETS_A_FLOW * pair.flows / pair.every
    seconds = max((pair.every + pair.timeout * pair.attempts for pair in declared), default=0.0)
    return Cost(len(declared), sum(by_agent.values()), seconds, by_agent, unresolved(targets))


def offset(pair: Pair, seed: int | str) -> float:
    """When in its period a pair is asked, in [0, every): spread evenly, and the same for the same seed."""
    digest = hashlib.sha256(f"{seed}\0{pair.source}\0{pair.target}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48 * pair.every  # 48 bits: exact in a float, so never `every` itself


def objective_pairs(targets: Targets, objective: Objective) -> tuple[tuple[str, str], ...]:
    """The declared pairs that count for an objective."""
    sources, names = set(objective.sources), set(objective.targets)
    return tuple(pair.key for pair in pairs(targets) if pair.source in sources and pair.target in names)


def select(
    targets: Targets, sources: Iterable[str] = (), target_names: Iterable[str] = (), flows: int | None = None
) -> tuple[Pair, ...]:
    """The pairs of a run on demand, by names of agents, targets, groups and zones; nothing named means all.

    Named on one side or none: the pairs that probes declare. Named on both: every pair of the two, declared or
    not, as long as policy allows it. Refused (one sentence) for a name that means nothing, for no pair at all, and
    for more pairs or flows than policy allows.
    """
    wanted, asked = tuple(sources), tuple(target_names)
    froms = targets.expand_sources(wanted or ("all",))
    tos = targets.expand_targets(asked or ("all",))
    declared = {pair.key: pair for pair in pairs(targets) if pair.source in froms and pair.target in tos}
    chosen = _crossed(targets, froms, tos, declared) if wanted and asked else tuple(declared.values())
    if not chosen:
        raise Refused(_nothing(targets, wanted, asked))
    if len(chosen) > targets.policy.max_pairs:
        raise Refused(f"{len(chosen)} pairs, and policy.max_pairs is {targets.policy.max_pairs}; name fewer")
    if flows is not None and not 1 <= flows <= 64:
        raise Refused(f"{flows} flows; a pair has 1 to 64")
    return tuple(replace(pair, flows=flows) for pair in chosen) if flows else chosen


def _crossed(
    targets: Targets, sources: tuple[str, ...], names: tuple[str, ...], declared: dict[tuple[str, str], Pair]
) -> tuple[Pair, ...]:
    table = _askable(targets)
    found: list[Pair] = []
    for source in sources:
        own = targets.agent(source).addresses
        for name in names:
            pair = declared.get((source, name)) or _pair(source, own, table.get(name), (10.0, 1, 1.0, 1))
            found += [pair] if pair else []
    return tuple(found)


def _nothing(targets: Targets, sources: tuple[str, ...], names: tuple[str, ...]) -> str:
    waiting = set(unresolved(targets)) & set(targets.expand_targets(names or ("all",)))
    if waiting:
        return f"the host name of {', '.join(sorted(waiting))} has not been resolved, so there is nothing to ask"
    who, whom = ", ".join(sources) or "all", ", ".join(names) or "all"
    if sources and names:
        return f"no pair from {who} to {whom} is left to ask: an agent does not ask itself, nor outside policy"
    return f"no probe is declared from {who} to {whom}; name both sources and targets to ask all the same"
