"""The same incident with nobody at the target's side: who covers the first expectation's targets is not started.

What must be said follows from the incident's own expectation: the direction right, or `unknown`; never another one.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from prober.lab.incident import Expected, Incident
from prober.lab.network import Host
from prober.targets import parse
from prober.verdict import Confidence, Label

WEAK = (Confidence.LIKELY, Confidence.INFERRED, Confidence.AMBIGUOUS)


def without_agents(incident: Incident) -> Incident | None:
    """The incident without those agents; None where it is about agents that fall silent, or nobody would be left."""
    about = next((one for one in incident.expect if Label.HEALTHY not in one.label), None)
    if about is None or incident.stop_agents:
        return None
    known = parse(incident.targets_text(), incident.name)
    gone = {agent.name for target in about.target for agent in known.responders(target)}
    left = [name for name in incident.network.agents if name not in gone]
    if not gone or set(about.source) <= gone:
        return None
    bare = {t.name for t in known.targets if {agent.name for agent in known.responders(t.name)} & gone}
    listening = {agent.name: agent.listen for agent in known.agents if agent.name in gone and agent.listen}
    hosts = {name: _listening(host, listening.get(name)) for name, host in incident.network.hosts.items()}
    network = incident.network.model_copy(update={"agents": tuple(left), "hosts": hosts})
    expect = tuple(two for one in incident.expect if (two := _expected(one, gone, bare)))
    kept = {name: zone for name, zone in known.names.agents.items() if name not in gone}
    meant = {name for name in known.names.known() if known.names.expand((name,), kept)}
    document = _document(incident.targets or incident.network.targets, gone, meant)
    update = {"network": network, "targets": document, "expect": expect}
    return incident.model_copy(update=update)


def _listening(host: Host, port: int | None) -> Host:
    """Somebody must still listen where the agent did."""
    return host.model_copy(update={"listen": (*host.listen, port)}) if port else host


def _expected(one: Expected, gone: set[str], bare: set[str]) -> Expected | None:
    """The same direction or unknown, and nothing proven where nobody stands at the target any more."""
    sources = tuple(name for name in one.source if name not in gone)
    if not sources:
        return None
    ways = {label.direction for label in one.label}
    labels = tuple(label for label in Label if label.direction in ways or label == Label.UNKNOWN)
    first = tuple(dict.fromkeys((*one.label, *labels)))
    confidence = WEAK if set(one.target) <= bare else ()
    return Expected(source=sources, target=one.target, label=first, confidence=confidence)


def _document(document: Mapping[str, Any], gone: set[str], meant: set[str]) -> dict[str, Any]:
    """targets.yaml without these agents; what they listened on stays a target. ``meant``: names that still ask."""
    agents = [one for one in document["agents"] if one["name"] in gone and one.get("listen")]
    kept = [one for one in document["agents"] if one["name"] not in gone]
    bare = [
        {"name": one["name"], "zone": one["zone"], "address": _first(one["addresses"]), "port": one["listen"]}
        for one in agents
    ]

    def asking(one: Mapping[str, Any]) -> list[str]:
        return [name for name in _listed(one.get("from", ["all"])) if name in meant]

    probes = [{**one, "from": asking(one)} for one in document.get("probes", []) if asking(one)]
    objectives = [{**one, "from": asking(one)} for one in document.get("objectives", []) if asking(one)]
    return {
        **document, "agents": kept, "targets": [*document.get("targets", []), *bare], "probes": probes,
        "objectives": objectives,
    }  # fmt: skip


def _listed(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


def _first(addresses: Any) -> str:
    return str(ipaddress.ip_address(_listed(addresses)[0]))
