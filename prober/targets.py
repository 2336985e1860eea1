"""``targets.yaml`` -> ``Targets``; or every mistake in it, each with its line, its path and what would be right.

Three steps: ``prober.document`` reads the text, the tables below read the fields (and make the JSON schema that
editors use), ``prober.crosscheck`` holds the parts against each other.
"""

from __future__ import annotations

import math
from typing import Any

from prober import document, rotation
from prober.crosscheck import check
from prober.declared import (
    ALL,
    RECEIVERS,
    Agent,
    Allowed,
    Chat,
    Names,
    Objective,
    Policy,
    Pool,
    Probe,
    Target,
    Targets,
    Zone,
    forbidden,
)
from prober.document import Mapping, Mistake, Node
from prober.errors import ConfigInvalid
from prober.fields import BAD, Field, Item, Kind, Log, described, list_of, mapping_of
from prober.scalars import (
    ADDRESS,
    AVAILABILITY,
    HOSTNAME,
    MEMBER,
    NAME,
    NETWORK,
    PORT,
    PORTS,
    YES_OR_NO,
    duration,
    number,
    one_of,
    whole_number,
)
from prober.sheet import Sheet

__all__ = [
    "ALL",
    "Agent",
    "Allowed",
    "Chat",
    "Mistake",
    "Names",
    "Objective",
    "Policy",
    "Pool",
    "Probe",
    "Target",
    "Targets",
    "Zone",
    "forbidden",
    "mistakes",
    "parse",
    "schema",
]

_NAMES = list_of(NAME, "names of zones, groups, agents or targets", at_least=1, lone=True)
_NETWORKS = list_of(NETWORK, "networks")

ZONE = {
    "name": Field(NAME, "how from and to call it", required=True),
    "kind": Field(
        one_of("firewall", "load-balancer", "node-pool", "pods", "services", "other"),
        "what stands there",
        default="other",
    ),
    "cidrs": Field(_NETWORKS, "its networks, such as [10.19.0.0/24]", default=()),
}
AGENT = {
    "name": Field(NAME, "what the agent is started with (--name)", required=True),
    "zone": Field(NAME, "the zone it stands in", required=True),
    "addresses": Field(list_of(ADDRESS, "addresses", 1), "its own addresses, such as [10.19.0.4]", required=True),
    "pods": Field(_NETWORKS, "the pod blocks on its node", default=()),
    "listen": Field(PORT, "the TCP port of its own responder; the agent is then a target too"),
    "relay": Field(PORT, "the TCP port on which it takes the reports of agents that can't reach the controller"),
}
TARGET = {
    "name": Field(NAME, "how from and to call it", required=True),
    "zone": Field(NAME, "the zone it stands in", required=True),
    "address": Field(ADDRESS, "its IPv4 or IPv6 address"),
    "hostname": Field(HOSTNAME, "its host name; the controller looks it up when it starts and at a reload"),
    "port": Field(PORT, "its TCP port, 1 to 65535", required=True),
    "backends": Field(list_of(NAME, "names of targets"), "the targets behind a load balancer's address", default=()),
}
PROBE = {
    "from": Field(_NAMES, "who asks: names of agents, groups or zones, or all", required=True),
    "to": Field(_NAMES, "whom: names of targets, groups or zones, or all", required=True),
    "every": Field(duration(0.1, 86400), "how often a pair is asked; 10s when left out", default=10.0),
    "flows": Field(whole_number(1, 64), "source ports a time; 1 when left out", default=1),
    "timeout": Field(duration(0.01, 60), "how long an answer may take; 1s when left out", default=1.0),
    "attempts": Field(whole_number(1, 10), "SYNs before it counts as failed; 1 when left out", default=1),
}
OBJECTIVE = {
    "name": Field(NAME, "how /status and /slos call it", required=True),
    "from": Field(_NAMES, "who asks; all when left out", default=(ALL,)),
    "to": Field(_NAMES, "whom; all when left out", default=(ALL,)),
    "availability": Field(AVAILABILITY, "the share of good handshakes, such as 99.9%", required=True),
    "latency": Field(duration(0.000001, 60), "a slower handshake is not a good one"),
    "window": Field(duration(3600, 366 * 86400), "over how long; 30d when left out", default=30 * 86400.0),
    "alerts": Field(
        list_of(one_of(*RECEIVERS), "receivers"),
        "who is told when the error budget burns too fast; every receiver when left out",
        default=RECEIVERS,
    ),
}
ALLOWED = {
    "network": Field(NETWORK, "a network that may be probed", required=True),
    "ports": Field(list_of(PORTS, "TCP ports", 1), "on these TCP ports, such as [80, 8000-8099]", required=True),
}
POLICY = {
    "allow": Field(
        list_of(mapping_of(ALLOWED, "policy.allow"), "{network, ports}", keep=True),
        "a list of {network, ports}; nothing else is probed",
        required=True,
    ),
    "max_pairs": Field(whole_number(1, 1_000_000), "pairs in one run on demand", default=10_000),
    "runs_per_hour": Field(whole_number(1, 100_000), "runs on demand in an hour", default=60),
    "syns_per_second": Field(number(0.001, 10_000), "SYNs a second from one agent to one target", default=1.0),
    "max_packets_per_second": Field(
        number(1, 100_000_000),
        "packets a second of all continuous probing; where all pairs cost more they are asked in turns",
        default=math.inf,
    ),
    "experiments": Field(YES_OR_NO, "whether a pair that fails is looked into; true when left out", default=True),
}
_MEMBERS = list_of(MEMBER, "members, such as slack:U024BE7LH")
CHAT = {
    "operators": Field(_MEMBERS, "who may start runs, and look", default=()),
    "viewers": Field(_MEMBERS, "who may look: status, why", default=()),
}
POOL = {
    "name": Field(NAME, "how reports call it", required=True),
    "kind": Field(one_of("cilium-cluster-pool", "kubernetes", "static"), "who hands out the blocks", required=True),
    "cidrs": Field(list_of(NETWORK, "networks", 1), "what the blocks are cut from", required=True),
    "mask": Field(whole_number(1, 128), "the prefix length of a block"),
}


def _read_groups(node: Node, log: Log) -> Any:
    if not isinstance(node, Mapping):
        log.add(node, f"{described(node)} stands here", "write name: [names of zones, agents, targets]")
        return BAD
    groups: dict[str, Item] = {}
    for name, members in node.entries.items():
        if NAME.read(node.keys[name], log) is not BAD:
            value = _NAMES.read(members, log)
            values = {} if value is BAD else {"members": value}
            groups[name] = Item(node.keys[name], values, {"members": members})
    return groups


_GROUPS = Kind(
    _read_groups,
    {"type": "object", "propertyNames": NAME.schema, "additionalProperties": _NAMES.schema},
)


def _section(fields: dict[str, Field], what: str, about: str, required: bool = False) -> Field:
    kind = list_of(mapping_of(fields, what), "mappings with " + ", ".join(fields), keep=True)
    return Field(kind, about, required, None if required else ())


DOCUMENT = {
    "zones": _section(ZONE, "a zone", "the parts of the network", required=True),
    "agents": _section(AGENT, "an agent", "the processes that probe, one in each subnet", required=True),
    "targets": _section(TARGET, "a target", "what they dial, besides each other"),
    "groups": Field(_GROUPS, "names for several zones, agents or targets", default={}),
    "probes": _section(PROBE, "a probe", "who asks whom, how often"),
    "objectives": _section(OBJECTIVE, "an objective", "what is promised"),
    "policy": Field(mapping_of(POLICY, "policy"), "what may be probed; nothing else is", required=True),
    "pools": _section(POOL, "a pool", "who hands out pod blocks"),
    "chat": Field(mapping_of(CHAT, "chat"), "who in chat may do what; when left out, whoever has the command may all"),
}
_ROOT = mapping_of(DOCUMENT, "the document")


def parse(text: str, filename: str = "targets.yaml") -> Targets:
    """The document's meaning. ConfigInvalid lists every mistake, one a line, in the order of the file."""
    sheet, found = _read(text, filename)
    if found or sheet is None:
        raise ConfigInvalid("\n".join(str(mistake) for mistake in found))
    return _build(sheet)


def mistakes(text: str, filename: str = "targets.yaml") -> list[Mistake]:
    """Everything that is wrong in the document, in the order of the file; empty when it is right."""
    return _read(text, filename)[1]


def schema() -> dict[str, Any]:
    """The JSON schema (2020-12) of the document; ``targets.schema.json`` beside this file holds it for editors."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "prober targets.yaml"}
    return head | _ROOT.schema


def _read(text: str, filename: str) -> tuple[Sheet | None, list[Mistake]]:
    root, found = document.load(text, filename)
    log, sheet = Log(filename, found), None
    if (isinstance(root, document.Scalar) and root.sort == "null") or (root is None and not found):
        found.append(Mistake(filename, 1, 1, "(document)", "is empty", "write zones, agents, targets and a policy"))
    elif root is not None:
        item = _ROOT.read(root, log)
        if item is not BAD:
            sheet = Sheet(item, log)
            check(sheet)
    return sheet, sorted(set(found))


def _build(sheet: Sheet) -> Targets:
    names = sheet.names
    targets = [Target(**item.values) for item in sheet.section("targets")]
    agents = tuple(Agent(**item.values) for item in sheet.section("agents"))
    targets += [Target(one.name, one.zone, one.addresses[0], None, one.listen) for one in agents if one.listen]
    declared = Targets(
        zones=tuple(Zone(**item.values) for item in sheet.section("zones")),
        agents=agents,
        targets=tuple(targets),
        probes=tuple(_probe(item.values, names) for item in sheet.section("probes")),
        objectives=tuple(_objective(item.values, names) for item in sheet.section("objectives")),
        policy=sheet.policy,
        pools=tuple(Pool(**item.values) for item in sheet.section("pools")),
        groups=dict(names.groups),
        chat=_chat(sheet),
    )
    return rotation.spread(declared)


def _chat(sheet: Sheet) -> Chat | None:
    item: Item | None = sheet.root.values["chat"]
    return None if item is None else Chat(**item.values)


def _probe(values: dict[str, Any], names: Names) -> Probe:
    sources, targets = names.expand(values["from"], names.agents), names.expand(values["to"], names.targets)
    return Probe(sources, targets, values["every"], values["flows"], values["timeout"], values["attempts"])


def _objective(values: dict[str, Any], names: Names) -> Objective:
    sources, targets = names.expand(values["from"], names.agents), names.expand(values["to"], names.targets)
    latency = None if values["latency"] is None else values["latency"] * 1000
    kept = {key: values[key] for key in ("name", "availability", "window", "alerts")}
    return Objective(sources=sources, targets=targets, latency_ms=latency, **kept)
