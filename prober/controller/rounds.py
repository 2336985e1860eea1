"""A plan for each agent, and runs on demand: who is asked for what, and when a run is over.

Continuous probing needs no rounds from here: an agent keeps to its plan while the controller is away. A run is a
set of one-off tasks handed out with the next orders; its probes carry the run's name.
"""

from __future__ import annotations

import hashlib
import heapq
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from prober import relay, rotation
from prober.address import Address
from prober.matrix import Matrix
from prober.plan import Pair, askable, asked_by, select, tasks, whole
from prober.report import OFTEN, Plan, Task, report_every
from prober.targets import Targets

RUN_PATIENCE = 10.0
"""Seconds beyond its own length after which a run is over, whoever has not answered."""
FETCH_WITHIN = 3.0
"""Seconds within which a living agent has fetched its part of a run, beyond those between two of its reports; nobody
waits longer for one that has not."""
RELAYS = 8
"""Peers at most through which an agent's reports may go."""


@dataclass(slots=True)
class Run:
    """One matrix run. ``state`` is running, finished or cancelled; times in monotonic seconds.

    ``fetched``: the agents that fetched their part, once that has been looked at.
    """

    id: str
    asked_by: str
    pairs: tuple[Pair, ...]
    flows: int
    created: float
    created_wall: float
    matrix: Matrix
    deadline: float
    state: str = "running"
    finished_wall: float | None = None
    fetched: set[str] | None = None
    fetch_within: float = FETCH_WITHIN

    def judged(self) -> int:
        """Probes judged so far."""
        return sum(cell.sent for cell in self.matrix.cells.values())

    def expected(self) -> int:
        return sum(pair.flows * pair.attempts for pair in self.pairs)

    def over(self, now: float) -> bool:
        """Whether nothing more is to come: all is judged, or what living agents fetched is, or time is up."""
        if now >= self.deadline:
            return True
        coming = self.pairs
        if now >= self.created + self.fetch_within and self.fetched is not None:
            coming = tuple(pair for pair in self.pairs if pair.source in self.fetched)
        return self.judged() >= sum(pair.flows * pair.attempts for pair in coming)

    def document(self, now: float, at: str) -> dict[str, Any]:
        """The run as the API shows it: its state beside a matrix of the cells so far."""
        started = [cell for cell in self.matrix.cells.values() if cell.recent]
        shown = list(self.matrix.cells.values()) if self.state == "finished" else started
        told = now if self.state == "running" else self.created
        return {
            "id": self.id, "state": self.state, "pairs": len(self.pairs), "probes": self.expected(),
            "judged": self.judged(), "asked_by": self.asked_by, **self.matrix.document(told, at, shown),
        }  # fmt: skip


def new_run(
    run_id: str, targets: Targets, sources: list[str], names: list[str], flows: int | None, asked_by: str, now: float,
    wall: float,
) -> Run:  # fmt: skip
    """A run of these names. Raises `Refused` for names that mean nothing, no pair, or more than the policy allows."""
    pairs = select(targets, sources, names, flows)
    pace = max(0.2, targets.policy.syns_per_second)
    asked = 2  # SYNs a flow: one that is refused is sent again, and counts
    longest = max(pair.attempts * (asked * pair.flows / pace + pair.timeout + 1.0) for pair in pairs)
    matrix = Matrix((pair.source, pair.target, 1e9) for pair in pairs)
    later = report_every(len(targets.agents)) - OFTEN
    until, within = now + longest + RUN_PATIENCE + later, FETCH_WITHIN + later
    return Run(run_id, asked_by, pairs, flows or 1, now, wall, matrix, until, fetch_within=within)


def run_parts(run: Run) -> dict[str, list[Task]]:
    """What each agent is to do for a run."""
    parts: dict[str, list[Task]] = {}
    for pair in run.pairs:
        parts.setdefault(pair.source, []).append(_task(pair, run.id))
    return parts


@lru_cache(4096)
def _written(address: Address) -> str:
    """A target's address is written into the plans of all who ask it."""
    return str(address)


def _task(pair: Pair, run: str = "") -> Task:
    every = 0.0 if run else pair.every
    return Task(pair.target, _written(pair.address), pair.port, every, pair.flows, pair.timeout, pair.attempts, run)


class Continuous:
    """The tasks that agents of one document go on with.

    Who has the same probes is asked for the same, but for itself: the tasks are made once, not a thousand times.
    """

    def __init__(self, targets: Targets) -> None:
        self.targets, self._table = targets, askable(targets)
        self._made: dict[tuple[int, ...], list[Task]] = {}

    def of(self, name: str) -> list[Task]:
        """One agent's, each with its moment where pairs take turns."""
        if self.targets.rounds > 1:
            return self._in_turns(name)
        probes = tuple(at for at, probe in enumerate(self.targets.probes) if name in probe.sources)
        if probes not in self._made:
            self._made[probes] = [_task(pair) for pair in asked_by(self.targets, probes, self._table)]
        own = {name, *(str(address) for address in self.targets.agent(name).addresses)}
        return [one for one in self._made[probes] if one.target not in own and one.address not in own]

    def _in_turns(self, name: str) -> list[Task]:
        moments: dict[tuple[str, float, int], float] = {}
        for probe, phases in rotation.phases(self.targets, name):
            moments |= {(target, probe.every, probe.flows): phase for target, phase in phases.items()}
        return [
            msgspec.structs.replace(_task(pair), phase=moments.get((pair.target, pair.every, pair.flows), -1.0))
            for pair in tasks(self.targets, name, self._table)
        ]


def relays(targets: Targets, name: str) -> list[tuple[str, str, int]]:
    """The peers through which this agent's reports may go, `RELAYS` at most: name, address, port.

    Those of other zones first, for what cuts an agent off often cuts off its whole zone; and one of each zone before a
    second of any, in an order of each agent's own, so that not all of a fleet lean on the same few.
    """
    own = targets.agent(name)
    versions, in_turn, order = {one.version for one in own.addresses}, dict[str, int](), []
    taking = [one for one in targets.agents if one.relay]
    for peer in sorted(taking, key=lambda one: hashlib.sha256(f"{name}\0{one.name}".encode()).digest()):
        address = next((one for one in peer.addresses if one.version in versions), None)
        if peer.name == name or address is None or peer.relay is None:
            continue
        nth = in_turn[peer.zone] = in_turn.get(peer.zone, 0) + 1
        order.append(((peer.zone == own.zone, nth), (peer.name, str(address), peer.relay)))
    return [way for _, way in heapq.nsmallest(RELAYS, order, key=lambda one: one[0])]


def plan_for(
    targets: Targets, name: str, number: int, keys: list[bytes], paused: bool = False,
    continuous: Continuous | None = None, secret: bytes = b"",
) -> Plan:  # fmt: skip
    """What this agent does until it hears otherwise. `continuous`: of the same targets, for whoever makes many;
    `secret`: see `relay.key_of`."""
    agent = targets.agent(name)
    policy, ways = targets.policy, relays(targets, name) if secret else []
    plan = Plan(
        version="", number=number, keys=keys,
        allow=[(str(a.network), r.start, r.stop - 1) for a in policy.allow for r in a.ports],
        tasks=[] if paused else (continuous or Continuous(targets)).of(name),
        addresses=[str(a) for a in agent.addresses], pods=[str(n) for n in agent.pods], listen=agent.listen or 0,
        syns_per_second=policy.syns_per_second, connects=policy.experiments, whole=whole(targets),
        relay=agent.relay or 0, relays=ways, relay_key=relay.key_of(secret, name) if ways else b"",
    )  # fmt: skip
    digest = hashlib.sha256(msgspec.msgpack.encode(plan)).hexdigest()[:16]
    return msgspec.structs.replace(plan, version=digest)


class Plans:
    """Which plan each agent is to go by. Only its version is kept: an agent that goes by it needs no more."""

    def __init__(self, secret: bytes = b"") -> None:
        self.secret = secret
        self._versions: dict[str, tuple[tuple[Targets, int, tuple[bytes, ...]], str]] = {}
        self._continuous: Continuous | None = None

    def of(
        self, targets: Targets, agent: str, number: int, keys: list[bytes], holds: str = ""
    ) -> tuple[str, Plan | None]:
        """The plan's version, and the plan itself for an agent that `holds` another version."""
        source = (targets, number, tuple(keys))
        known = self._versions.get(agent)
        if known is not None and known[0] == source and known[1] == holds:
            return holds, None
        if self._continuous is None or self._continuous.targets is not targets:
            self._continuous = Continuous(targets)
        plan = plan_for(targets, agent, number, keys, continuous=self._continuous, secret=self.secret)
        self._versions[agent] = (source, plan.version)
        return plan.version, None if plan.version == holds else plan

    def version(self, targets: Targets, agent: str, number: int, keys: list[bytes]) -> str:
        """The version of the plan by which an agent is to go."""
        known = self._versions.get(agent)
        same = known is not None and known[0] == (targets, number, tuple(keys))
        return known[1] if known is not None and same else self.of(targets, agent, number, keys)[0]
