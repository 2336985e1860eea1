"""Who asks whom, how often, and what that costs; nothing is sent here.

Pure: the same ``Targets`` gives the same pairs on the controller and on every agent, and policy is asked again.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from prober.address import Address
from prober.declared import Agent, Probe, Target, Targets
from prober.errors import Refused
from prober.rotation import PACKETS_A_FLOW
from prober.segment import Batch


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
    return _declared(targets, targets.probes, askable(targets))


def _declared(targets: Targets, probes: Iterable[Probe], table: Mapping[str, Target]) -> tuple[Pair, ...]:
    return _chosen(probes, table, lambda source: targets.agent(source).addresses)


def _chosen(
    probes: Iterable[Probe], table: Mapping[str, Target], addresses: Callable[[str], tuple[Address, ...]]
) -> tuple[Pair, ...]:
    chosen: dict[tuple[str, str], Pair] = {}
    for probe in probes:
        shape = (probe.every, probe.flows, probe.timeout, probe.attempts)
        for source in probe.sources:
            own = addresses(source)
            for name in probe.targets:
                pair = _pair(source, own, table.get(name), shape)
                if pair and (pair.key not in chosen or _keener(pair, chosen[pair.key])):
                    chosen[pair.key] = pair
    return tuple(chosen.values())


def _keener(one: Pair, other: Pair) -> bool:
    return (-one.every, one.flows) > (-other.every, other.flows)


ONCE = (10.0, 1, 1.0, 1)
"""How a pair is asked that no probe declares: ``every``, ``flows``, ``timeout``, ``attempts``."""


def askable(targets: Targets) -> dict[str, Target]:
    """The targets that have an address which policy permits, by name: for whoever needs them more than once."""
    return {one.name: one for one in targets.targets if _may_be_asked(targets, one)}


def _may_be_asked(targets: Targets, target: Target) -> bool:
    return target.address is not None and targets.policy.permits(target.address, target.port)


def _pair(
    source: str, own: tuple[Address, ...], target: Target | None, shape: tuple[float, int, float, int]
) -> Pair | None:
    if target is None or target.address is None or target.address in own or target.name == source:
        return None
    return Pair(source, target.name, *shape, target.address, target.port)


def cells(targets: Targets) -> list[tuple[str, str, float]]:
    """What a matrix has: source, target and ``every`` of each pair, and of those that wait for a host name."""
    waiting, found = frozenset(unresolved(targets)), {pair.key: pair.every for pair in pairs(targets)}
    for probe in targets.probes:
        for key in product(probe.sources, (name for name in probe.targets if name in waiting)):
            found[key] = min(probe.every, found.get(key, probe.every))
    return [(source, target, every) for (source, target), every in found.items() if source != target]


def tasks(targets: Targets, agent: str, table: Mapping[str, Target] | None = None) -> tuple[Pair, ...]:
    """What one agent has to ask; none for a name that no probe has among its sources. `table`: see `askable`."""
    mine = (replace(probe, sources=(agent,)) for probe in targets.probes if agent in probe.sources)
    return _declared(targets, mine, askable(targets) if table is None else table)


def asked_by(targets: Targets, probes: Iterable[int], table: Mapping[str, Target]) -> tuple[Pair, ...]:
    """What an agent has to ask that is a source of these probes and itself none of the targets; of no name."""
    nobody = (replace(targets.probes[at], sources=("",)) for at in probes)
    return _chosen(nobody, table, lambda _: ())


def pair(targets: Targets, source: str, target: str) -> Pair | None:
    """The pair of these two, where probes declare it."""
    shared = (one for one in targets.probes if source in one.sources and target in one.targets)
    probes = [replace(one, sources=(source,), targets=(target,)) for one in shared]
    if not probes:
        return None
    one = targets.target(target)
    return next(iter(_declared(targets, probes, {target: one} if _may_be_asked(targets, one) else {})), None)


def between(targets: Targets, source: str, target: str) -> Pair | None:
    """The pair of this agent and this target, declared or not; None where policy has none, or a name means nothing.

    What `select` says of two names, without a look at all the others.
    """
    try:
        own, one = targets.agent(source).addresses, targets.target(target)
    except KeyError:
        return None
    permitted = one if _may_be_asked(targets, one) else None
    return pair(targets, source, target) or _pair(source, own, permitted, ONCE)


def periods(targets: Targets) -> tuple[list[str], list[str], Batch]:
    """All `cells` at once: sources, targets, and ``every`` as float32, a row a source, a column a target.

    Both sides are in the order of their zones, so that a pair of zones is a rectangle; a pair that nobody declares
    has an infinite period.
    """
    waiting = frozenset(unresolved(targets))
    table = {one.name: one for one in targets.targets if one.name in waiting or _may_be_asked(targets, one)}
    asking = {source for probe in targets.probes for source in probe.sources}
    asked = {name for probe in targets.probes for name in probe.targets if name in table}
    sources = _by_zone(targets, [one for one in targets.agents if one.name in asking])
    names = _by_zone(targets, [one for one in targets.targets if one.name in asked])
    row, column = ({name: at for at, name in enumerate(side)} for side in (sources, names))
    every = np.full((len(sources), len(names)), np.inf, np.float32)
    for probe in targets.probes:
        where = np.ix_([row[one] for one in probe.sources], [column[one] for one in probe.targets if one in column])
        every[where] = np.minimum(every[where], probe.every)
    at = {table[name].address: table[name].name for name in names}
    for source in sources:
        own = [at[address] for address in targets.agent(source).addresses if address in at]
        every[row[source], [column[name] for name in (*own, source) if name in column]] = np.inf
    return sources, names, every


def _by_zone(targets: Targets, side: Sequence[Agent | Target]) -> list[str]:
    order = {zone.name: at for at, zone in enumerate(targets.zones)}
    return [one.name for one in sorted(side, key=lambda one: order[one.zone])]


WHOLE_A_SECOND = 100.0
"""Complete handshakes a second of which both ends tell everything; beyond that only one of so many."""


def whole(targets: Targets) -> int:
    """1 of so many complete handshakes is told with all its packets; 1: each one. Both ends know which
    (`probe.is_whole`).

    Of the others the prober says that they were answered, and when; of what is not complete everything is told.
    """
    rate = sum(_flows_a_second(probe) for probe in targets.probes)
    return max(1, math.ceil(rate / WHOLE_A_SECOND)) if rate > EACH_UP_TO else 1


EACH_UP_TO = 1000.0
"""Handshakes a second of a fleet in which each one is told with all its packets."""


def _flows_a_second(probe: Probe) -> float:
    return len(probe.sources) * len(probe.targets) * probe.flows / probe.every


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
    declared = {pair.key: pair for pair in _declared(targets, _among(targets, froms, tos), askable(targets))}
    chosen = _crossed(targets, froms, tos, declared) if wanted and asked else tuple(declared.values())
    if not chosen:
        raise Refused(_nothing(targets, wanted, asked))
    if len(chosen) > targets.policy.max_pairs:
        raise Refused(f"{len(chosen)} pairs, and policy.max_pairs is {targets.policy.max_pairs}; name fewer")
    if flows is not None and not 1 <= flows <= 64:
        raise Refused(f"{flows} flows; a pair has 1 to 64")
    return tuple(replace(pair, flows=flows) for pair in chosen) if flows else chosen


def _among(targets: Targets, sources: Collection[str], names: Collection[str]) -> Iterator[Probe]:
    """The probes, as far as they are between these: a million pairs are not made to find one."""
    froms, tos = frozenset(sources), frozenset(names)
    for probe in targets.probes:
        asking = tuple(one for one in probe.sources if one in froms)
        yield replace(probe, sources=asking, targets=tuple(one for one in probe.targets if one in tos))


def _crossed(
    targets: Targets, sources: tuple[str, ...], names: tuple[str, ...], declared: dict[tuple[str, str], Pair]
) -> tuple[Pair, ...]:
    table = askable(targets)
    found: list[Pair] = []
    for source in sources:
        own = targets.agent(source).addresses
        for name in names:
            pair = declared.get((source, name)) or _pair(source, own, table.get(name), ONCE)
            found += [pair] if pair else []
    return tuple(found)


def _nothing(targets: Targets, sources: tuple[str, ...], names: tuple[str, ...]) -> str:
    waiting = set(unresolved(targets)) & set(targets.expand_targets(names or ("all",)))
    if waiting:
        what = f"the host name of {', '.join(sorted(waiting))} has not been resolved, so there is nothing to ask"
        return f"{what}; the controller's log says what its resolver answers"
    who, whom = ", ".join(sources) or "all", ", ".join(names) or "all"
    if sources and names:
        return f"no pair from {who} to {whom} is left to ask: an agent does not ask itself, nor outside policy"
    return f"no probe is declared from {who} to {whom}; name both sources and targets to ask all the same"
