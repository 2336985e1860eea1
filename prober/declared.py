"""What ``targets.yaml`` declares, as values: zones, agents, targets, probes, objectives, policy, pools.

Everything here is frozen and checked by `prober.targets.parse` before it is made. Names are unique among agents
and targets; a zone or group may share a name with an agent, and then the name means the agent alone.
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from prober.address import Address, Network
from prober.errors import Refused

ALL = "all"
"""The name that stands for every agent (as a source) or every target."""


@dataclass(frozen=True, slots=True)
class Zone:
    """A part of the network; ``kind`` is firewall, load-balancer, node-pool, pods, services or other."""

    name: str
    cidrs: tuple[Network, ...]
    kind: str


@dataclass(frozen=True, slots=True)
class Agent:
    """A vantage point. ``pods`` are the pod blocks it can tap; ``listen`` the TCP port of its own responder, ``relay``
    that on which it takes other agents' reports for the controller."""

    name: str
    zone: str
    addresses: tuple[Address, ...]
    pods: tuple[Network, ...] = ()
    listen: int | None = None
    relay: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What is dialled: an address or a host name (pinned before use), and a TCP port.

    ``backends`` are the names of the targets behind a load balancer's address.
    """

    name: str
    zone: str
    address: Address | None
    hostname: str | None
    port: int
    backends: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """Who asks whom: names of agents and targets, expanded. ``every`` and ``timeout`` in seconds."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    every: float
    flows: int
    timeout: float
    attempts: int


RECEIVERS = ("slack", "alertmanager", "pagerduty", "webhook")
"""Where alerts go."""


@dataclass(frozen=True, slots=True)
class Objective:
    """What is promised: ``availability`` in 0..1 over ``window`` seconds, answers within ``latency_ms``.

    ``alerts`` are the `RECEIVERS` that are told when its budget burns.
    """

    name: str
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    availability: float
    latency_ms: float | None
    window: float
    alerts: tuple[str, ...] = RECEIVERS


@dataclass(frozen=True, slots=True)
class Allowed:
    """A network and the TCP ports in it that may be probed."""

    network: Network
    ports: tuple[range, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """What may be probed; nothing else is. ``syns_per_second`` caps what one agent sends to one target.

    ``max_packets_per_second``: of all continuous probing; where the full matrix costs more, its pairs take turns.

    ``experiments``: a cell that fails is looked into by itself, with more handshakes of the same pair.
    """

    allow: tuple[Allowed, ...] = ()
    max_pairs: int = 10_000
    runs_per_hour: int = 60
    syns_per_second: float = 1.0
    experiments: bool = True
    max_packets_per_second: float = math.inf

    def permits(self, address: Address, port: int) -> bool:
        """Whether a SYN to this address and port may be sent at all."""
        return forbidden(address) is None and any(
            address in one.network and any(port in ports for ports in one.ports) for one in self.allow
        )


@dataclass(frozen=True, slots=True)
class Chat:
    """Who in chat may start runs and who may only look: ``slack:U024BE7LH``, ``mattermost:`` and an id, or ``slack:*``
    for everybody there. Ids, since a name can be changed, and then be somebody else's."""

    operators: tuple[str, ...] = ()
    viewers: tuple[str, ...] = ()

    def role(self, who: str) -> str:
        """What `who` is here: operator, viewer, or none."""
        meant = {who, who.partition(":")[0] + ":*"}
        if not meant.isdisjoint(self.operators):
            return "operator"
        return "none" if meant.isdisjoint(self.viewers) else "viewer"


@dataclass(frozen=True, slots=True)
class Pool:
    """Who hands out pod blocks: ``kind`` is cilium-cluster-pool, kubernetes or static; ``mask`` a block's length."""

    name: str
    kind: str
    cidrs: tuple[Network, ...]
    mask: int | None = None


@dataclass(frozen=True, slots=True)
class Names:
    """The names that ``from`` and ``to`` may use. ``agents`` and ``targets`` map a name to its zone."""

    zones: tuple[str, ...]
    agents: Mapping[str, str]
    targets: Mapping[str, str]
    groups: Mapping[str, tuple[str, ...]]

    def known(self) -> tuple[str, ...]:
        """Every name that means something, once each."""
        return tuple(dict.fromkeys([*self.zones, *self.groups, *self.agents, *self.targets, ALL]))

    def expand(self, names: Iterable[str], side: Mapping[str, str]) -> tuple[str, ...]:
        """The agents (`side` is ``agents``) or targets that `names` mean, in order, once each.

        A name's own agent or target comes before the group, and the group before the zone, of the same name.
        """
        found: dict[str, None] = {}
        waiting, seen = list(names)[::-1], set[str]()
        while waiting:
            name = waiting.pop()
            if name in side:
                found[name] = None
            elif name in self.groups and name not in seen:
                waiting.extend(reversed(self.groups[name]))
            elif name not in seen:
                found.update(dict.fromkeys(one for one, zone in side.items() if name in (zone, ALL)))
            seen.add(name)
        return tuple(found)


class _Index:
    """What is looked up for every probe. Where a name or an address stands twice the first one counts."""

    def __init__(self, agents: tuple[Agent, ...], targets: tuple[Target, ...]) -> None:
        self.agents = {one.name: one for one in reversed(agents)}
        self.targets = {one.name: one for one in reversed(targets)}
        self.stands_at = {address: one for one in reversed(agents) for address in one.addresses}
        self.blocks = [(net, one) for one in agents for net in one.pods]


@dataclass(frozen=True, slots=True)
class Targets:
    """The whole document. ``targets`` holds the agents' own listeners too.

    ``chat`` is None where anybody who can use the command in chat may start runs.
    ``rounds``: in how many every pair is asked once (`prober.rotation`), each of a probe's ``every`` divided by them.
    """

    zones: tuple[Zone, ...]
    agents: tuple[Agent, ...]
    targets: tuple[Target, ...]
    probes: tuple[Probe, ...]
    objectives: tuple[Objective, ...]
    policy: Policy
    pools: tuple[Pool, ...]
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    rounds: int = 1
    chat: Chat | None = None
    _index: _Index = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", _Index(self.agents, self.targets))

    def agent(self, name: str) -> Agent:
        """The agent of that name; KeyError when there is none."""
        return self._index.agents[name]

    def target(self, name: str) -> Target:
        """The target of that name; KeyError when there is none."""
        return self._index.targets[name]

    def covering(self, address: Address) -> Agent | None:
        """The agent that stands where `address` is: its own, else the longest of the agents' pod blocks."""
        if own := self._index.stands_at.get(address):
            return own
        blocks = [(net.prefixlen, agent) for net, agent in self._index.blocks if address in net]
        return max(blocks, key=lambda block: block[0])[1] if blocks else None

    def node_of(self, agent: Agent) -> Agent | None:
        """The agent of the node behind which `agent` runs in a pod, or None."""
        blocks = [
            (net.prefixlen, one)
            for net, one in self._index.blocks
            if one is not agent and any(address in net for address in agent.addresses)
        ]
        return max(blocks, key=lambda block: block[0])[1] if blocks else None

    def responders(self, target_name: str, dialled: Address | None = None) -> tuple[Agent, ...]:
        """The agents at the target's side: the one that covers its address, or those of its backends.

        `dialled`: the address at which it was asked, where that may not be the one that it has now.
        """
        found: dict[str, Agent] = {}
        waiting, seen = [target_name], set[str]()
        while waiting:
            name = waiting.pop(0)
            target = self.target(name)
            address = dialled if dialled is not None and name == target_name else target.address
            agent = None if target.backends or address is None else self.covering(address)
            if agent:
                found[agent.name] = agent
            waiting.extend(one for one in target.backends if one not in seen)
            seen.add(name)
        return tuple(found.values())

    @property
    def names(self) -> Names:
        """The names as ``from`` and ``to`` use them."""
        agents = {agent.name: agent.zone for agent in self.agents}
        targets = {target.name: target.zone for target in self.targets}
        return Names(tuple(zone.name for zone in self.zones), agents, targets, self.groups)

    def expand_sources(self, names: Iterable[str]) -> tuple[str, ...]:
        """The agents that names of agents, groups and zones (or ``all``) mean; Refused for one that means none."""
        return self._expand(names, self.names.agents, "agent")

    def expand_targets(self, names: Iterable[str]) -> tuple[str, ...]:
        """The targets that names of targets, groups and zones (or ``all``) mean; Refused for one that means none."""
        return self._expand(names, self.names.targets, "target")

    def _expand(self, names: Iterable[str], side: Mapping[str, str], what: str) -> tuple[str, ...]:
        known, wanted = self.names, tuple(names)
        for name in wanted:
            if not known.expand((name,), side):
                shown = name[:63] if name.isprintable() else ascii(name[:63])
                usable = [one for one in known.known() if known.expand((one,), side)]
                raise Refused(f"no {what} is meant by {shown}; there are: {', '.join(usable) or 'none'}")
        return known.expand(wanted, side)

    def pinned(self, name: str, address: Address) -> Targets:
        """The same document with the host name of target `name` resolved to `address`; Refused outside policy."""
        target = self.target(name)
        if not self.policy.permits(address, target.port):
            why = forbidden(address) or "lies outside policy.allow"
            raise Refused(f"target {name}: {target.hostname} is {address}, port {target.port}, which {why}")
        changed = (replace(one, address=address) if one.name == name else one for one in self.targets)
        return replace(self, targets=tuple(changed))

    @property
    def digest(self) -> str:
        """SHA-256 of what is declared, in hex; the same for documents that mean the same."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


_REFUSED = tuple(
    (ipaddress.ip_network(network), why)
    for network, why in (
        ("0.0.0.0/8", "is not a host's address (RFC 1122, 3.2.1.3)"),
        ("127.0.0.0/8", "is a loopback address"),
        ("169.254.0.0/16", "is a link-local address"),
        ("224.0.0.0/4", "is a multicast address"),
        ("255.255.255.255/32", "is the broadcast address"),
        ("240.0.0.0/4", "is reserved (RFC 1112, 4)"),
        ("::/128", "is not a host's address"),
        ("::1/128", "is a loopback address"),
        ("::ffff:0:0/96", "is an IPv4-mapped address"),
        ("fe80::/10", "is a link-local address"),
        ("ff00::/8", "is a multicast address"),
    )
)


def forbidden(address: Address) -> str | None:
    """Why no policy can allow probing `address` (``is a loopback address``), or None when one could."""
    return next((why for network, why in _REFUSED if address in network), None)
