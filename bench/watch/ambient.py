"""A healthy network that loses one packet in a thousand on every link, both ways: whatever is told then is false."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.watch.ear import Ear
from prober.lab import commands, incident, namespaces
from prober.lab.incident import Incident
from prober.lab.network import SWITCH
from prober.lab.stage import Stage
from prober.lab.topology import Lab

ONE_IN = 1000
LOOK, TELL = 0.5, 60.0
"""Seconds between two looks, and between two lines for who looks on."""

_DROP = f"meta l4proto tcp numgen random mod {ONE_IN} == 0 counter drop"


@dataclass(frozen=True, slots=True)
class Ambient:
    """What came of it. ``lost`` are probes without an answer, ``dropped`` packets that the links lost."""

    minutes: float
    probes: int
    lost: int
    dropped: int
    flips: list[str]
    first: float | None
    """Minutes until the first flip."""
    troubles: list[str]

    def document(self) -> dict[str, Any]:
        return {"kind": "ambient", **asdict(self)}


def network(agents: Sequence[str]) -> Incident:
    """The incident's network, healthy, with these of its public agents alone; none named: with all."""
    one = incident.load("healthy")
    if not agents:
        return one
    told = dict(one.network.targets)
    told["agents"] = [agent for agent in told["agents"] if agent["name"] in agents]
    told["groups"] = {"public": list(agents)}
    told["probes"] = [probe for probe in told["probes"] if probe["from"] == "public"]
    told["objectives"] = [goal for goal in told["objectives"] if goal["from"] in agents]
    fewer = one.network.model_copy(update={"agents": tuple(agents)})
    return one.model_copy(update={"network": fewer, "targets": told})


def run(minutes: float, agents: Sequence[str], folder: Path, say: Callable[[str], None]) -> Ambient:
    """So many minutes of the incident's healthy network, with these agents (none named: all)."""
    with Stage(network(agents), folder) as stage:
        stage.await_judged()
        ear, before = Ear(stage.get), _counted(stage)
        lose(stage.lab)
        began = time.monotonic()
        flips: list[tuple[float, str]] = []
        told = began
        while (now := time.monotonic()) < began + 60.0 * minutes:
            flips += [((one.at - began) / 60.0, one.sentence) for one in ear.hear()]
            if now >= told + TELL or stage.gone():
                told = now
                probes, lost = (a - b for a, b in zip(_counted(stage), before, strict=True))
                say(f"{(now - began) / 60.0:.0f} min: {probes:,} probes, {lost:,} lost, {len(flips)} flips")
            if gone := stage.gone():
                return _ended(stage, began, before, flips, gone)
            time.sleep(LOOK)
        flips += [((one.at - began) / 60.0, one.sentence) for one in ear.hear()]
        return _ended(stage, began, before, flips, [])


def _ended(
    stage: Stage, began: float, before: tuple[int, int], flips: list[tuple[float, str]], troubles: list[str]
) -> Ambient:  # fmt: skip
    probes, lost = (a - b for a, b in zip(_counted(stage), before, strict=True))
    first = flips[0][0] if flips else None
    minutes = round((time.monotonic() - began) / 60.0, 2)
    return Ambient(minutes, probes, lost, dropped(stage.lab), [one for _, one in flips], first, troubles)


def _counted(stage: Stage) -> tuple[int, int]:
    """Probes judged so far, and those of them without an answer."""
    cells = stage.get("/api/v1/matrix")["cells"]
    return sum(one["sent"] for one in cells), sum(one["sent"] - one["answered"] for one in cells)


def lose(lab: Lab) -> None:
    """From here on every link loses: each subnet in its switch, each pod's link at either end.

    A tap at the sender has seen what a switch drops, as on a cable. A pod's link drops what leaves into it (the egress
    hook of nftables), before any tap: as if it had never been sent.
    """
    commands.run(SWITCH, lab.namespaces[SWITCH], "nft add table bridge loss")
    chain = "nft add chain bridge loss links '{ type filter hook forward priority 0 ; }'"
    commands.run(SWITCH, lab.namespaces[SWITCH], chain)
    commands.run(SWITCH, lab.namespaces[SWITCH], f"nft add rule bridge loss links {_DROP}")
    for place, device in pod_ends(lab):
        commands.run(place, lab.namespaces[place], "nft add table netdev loss")
        hook = f"{{ type filter hook egress device {device} priority 0 ; }}"
        commands.run(place, lab.namespaces[place], f"nft add chain netdev loss links '{hook}'")
        commands.run(place, lab.namespaces[place], f"nft add rule netdev loss links {_DROP}")


def pod_ends(lab: Lab) -> list[tuple[str, str]]:
    """Both ends of every pod's link: the place and its device."""
    pods = [(host, pod) for host, one in lab.network.hosts.items() for pod in one.pods]
    return [end for host, pod in pods for end in ((host, f"lxc{pod}"[:15]), (pod, "eth0"))]


def dropped(lab: Lab) -> int:
    """Packets that the links have lost, by the rules' own counters."""
    return sum(_dropped_at(lab.namespaces[place]) for place in (SWITCH, *(place for place, _ in pod_ends(lab))))


def _dropped_at(namespace: int) -> int:
    words = ["nft", "-j", "list", "ruleset"]
    told = namespaces.inside(namespace, lambda: subprocess.run(words, capture_output=True, text=True, check=True))
    rules = [one["rule"] for one in json.loads(told.stdout)["nftables"] if one.get("rule", {}).get("table") == "loss"]
    return sum(part["counter"]["packets"] for rule in rules for part in rule["expr"] if "counter" in part)
