"""The faults of the trials: shipped incidents, each at one of four places of the same network."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from prober.lab import incident
from prober.lab.incident import Incident
from prober.lab.timeline import Pair
from prober.verdict import Label

KINDS = (
    "incident", "filter", "return-filter", "closed-port", "missing-route", "no-return-route", "return-blackhole",
    "forward-misroute", "pod-firewall", "reject", "own-block", "return-reject", "incident-blackhole", "local-no-route",
    "return-prohibited", "host-firewall",
)  # fmt: skip
"""Shipped incidents: routes and filters, in both directions, the prober's own host, and the target's."""

CLIENT = {"firewall": "remote", "10.19.0.": "10.50.0."}
SERVER = {"ingress": "pod2", "node1": "node2", "10.4.76.34": "10.5.12.9", "10.4.": "10.5.", "10.224.0.4": "10.224.0.5"}
"""What the other client and the other server are called where the incidents say firewall, and ingress on node1."""
PLACES: tuple[Mapping[str, str], ...] = ({}, CLIENT | SERVER, CLIENT, SERVER)


def elsewhere(one: Incident, names: Mapping[str, str]) -> Incident:
    """The same incident with `names` and what they stand for exchanged, in its steps and in what is expected.

    The balancer leads to `ingress` alone: what it says of the path through there is left out at the other server.
    """
    both = {**names, **{there: here for here, there in names.items()}}
    if not both:
        return one
    told = one.model_dump(mode="json", include={"break_steps", "heal_steps", "expect"})
    if "ingress" in both:
        told["expect"] = [entry for entry in told["expect"] if "ingress-via-lb" not in entry["target"]]
    words = "|".join(map(re.escape, sorted(both, key=len, reverse=True)))
    moved = json.loads(re.sub(rf"(?<![\w.-])({words})(?![a-z-]|(?<!\.)\d)", lambda m: both[m[1]], json.dumps(told)))
    given = {**one.model_dump(mode="json", exclude={"break_steps", "heal_steps", "expect"}), "expect": moved["expect"]}
    return Incident.model_validate({**given, "break": moved["break_steps"], "heal": moved["heal_steps"]})


def queue(count: int) -> list[Incident]:
    """So many faults: every kind in turn, and the places in turn with them."""
    order = [(n % len(KINDS), (n + n // len(KINDS)) % len(PLACES)) for n in range(count)]
    return [elsewhere(incident.load(KINDS[kind]), PLACES[place]) for kind, place in order]


def cells(one: Incident) -> dict[Pair, tuple[Label, ...]]:
    """The cells that it breaks, each with the labels that are right."""
    return {
        (source, target): expected.label
        for expected in one.expect
        for source in expected.source
        for target in expected.target
        if not any(label.passes for label in expected.label)
    }
