"""Who stands before a target that nobody watches: its own address, on its link, or the only router before it.

A pod's node tells when a TTL of 1 runs out there (`prober.byway.host`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from prober import byway
from prober.address import Address
from prober.declared import Agent, Targets
from prober.observation import Observation
from prober.plan import Pair, between
from prober.report import BYWAY, Task

HELPERS = 3
"""Agents that look who stands before a target."""
NEAR, STANDS = 3.0, 30.0
"""Seconds after which nobody waits for what they see; and for which it is taken to stay the same."""
TIMEOUT = 1.0


@dataclass(slots=True)
class Approach:
    """A target as seen from a helper: the SYNs asked for, by run, with their TTLs, and what was seen of them."""

    helper: str
    until: float
    ttls: dict[str, int]
    seen: list[tuple[int, Observation]] = field(default_factory=list)

    def over(self, now: float) -> bool:
        return now >= self.until or len(self.seen) >= len(self.ttls)


@dataclass(slots=True)
class Approaches:
    """``known``: since when, and by helper, which hosts are known to stand before a target; ``near``: looked for."""

    known: dict[str, tuple[float, dict[str, str]]] = field(default_factory=dict)
    near: dict[str, list[Approach]] = field(default_factory=dict)

    def begin(
        self, source: str, target: str, targets: Targets, alive: Callable[[str], bool], now: float
    ) -> list[tuple[str, Task]]:
        """What the helpers are to send, where it is not known who stands before this target."""
        self.known = {name: one for name, one in self.known.items() if now < one[0] + STANDS}
        if target in self.known or target in self.near:
            return []
        fit = [one for one in targets.agents if one.name != source and alive(one.name)]
        address = targets.target(target).address
        if beside := [one for one in fit if address is not None and on_one_link(targets, one, address)]:
            self.known[target] = now, {one.name: str(address) for one in beside}
            return []
        self.near[target], tasks = [], []
        for one in sorted(fit, key=lambda one: not one.pods)[:HELPERS]:  # who has pods has routes to others' pods
            if (pair := between(targets, one.name, target)) is None:
                continue
            runs = {f"{BYWAY}{now:.3f}-{one.name}-{target}-{ttl}-{n}": ttl for ttl in (1, byway.BEYOND) for n in (1, 2)}
            self.near[target].append(Approach(one.name, now + NEAR, runs))
            tasks += [(one.name, task(pair, run, ttl)) for run, ttl in runs.items()]
        return tasks

    def take(self, o: Observation) -> None:
        """A judged SYN; the same one again where something came late."""
        for one in (one for several in self.near.values() for one in several if o.run in one.ttls):
            one.seen.append((one.ttls[o.run], o))

    def hosts(self, target: str, now: float) -> dict[str, str] | None:
        """Who stands before a target, by helper; None while that is being looked for."""
        if target in self.near:
            looking = self.near[target]
            found = {one.helper: host for one in looking if (host := byway.host(one.seen))}
            if not found and not all(one.over(now) for one in looking):
                return None
            self.known[target] = now, found
            del self.near[target]
        return self.known[target][1] if target in self.known else {}


def on_one_link(targets: Targets, agent: Agent, address: Address) -> bool:
    """Whether they are in one declared network; pods are not on one link. The agent itself will know."""
    networks = [network for zone in targets.zones if zone.kind != "pods" for network in zone.cidrs]
    return any(address in one and any(mine in one for mine in agent.addresses) for one in networks)


def task(pair: Pair, run: str, ttl: int, via: str = "") -> Task:
    """One SYN."""
    return Task(pair.target, str(pair.address), pair.port, 0.0, 1, TIMEOUT, run=run, ttl=ttl, via=via)
