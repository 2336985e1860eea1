"""The shipped incidents that one test judges by what their own files expect, network by network."""

from __future__ import annotations

from prober import targets
from prober.lab import incident
from prober.lab.incident import Incident

Call = tuple[str, str, int]
"""Who dials which address and port."""


def by_network() -> dict[str, list[str]]:
    """The names of incidents on mesh, on overlay, and of all in IPv6; by network and family."""
    groups: dict[str, list[str]] = {}
    for name in incident.names():
        told = incident.load(name)
        six = any(net.version == 6 for nets in told.network.subnets.values() for net in nets)
        first = "mesh" if "fw-a" in told.network.hosts else "overlay" if "node8" in told.network.hosts else ""
        if six or first:
            groups.setdefault(f"{first or 'azure'} in IPv{6 if six else 4}", []).append(name)
    return groups


def names() -> set[str]:
    """All of them."""
    return {name for several in by_network().values() for name in several}


def cells(told: Incident) -> dict[tuple[str, str], Call]:
    """What is dialled for each cell that is probed."""
    document = targets.parse(told.targets_text(), told.name)
    asked = [
        (one, other) for probe in document.probes for one in probe.sources for other in probe.targets if one != other
    ]
    known = {name: document.target(name) for _, name in asked}
    return {(one, other): (one, str(known[other].address), known[other].port) for one, other in asked}


def must_connect(told: Incident, source: str, target: str) -> bool | None:
    """What the expected label says of a plain connect(); None where several labels say both."""
    passes = {label.passes for label in told.expected(source, target).label}
    return passes.pop() if len(passes) == 1 else None
