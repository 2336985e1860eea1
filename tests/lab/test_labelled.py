"""The kernel's own connect() fares in each broken network as the expected labels say, and each heal leaves no trace."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from typing import Any

import labelled
import pytest
from children import Sealed
from dialling import dial

from prober.lab import incident, namespaces
from prober.lab.incident import Incident
from prober.lab.topology import Lab

GROUPS = labelled.by_network()
ASKED = (
    "ip -j route show table all", "ip -6 -j route show table all", "ip -j rule", "ip -6 -j rule", "ip -j link",
    "bridge -j fdb show", "nft -n list ruleset",
)  # fmt: skip
MOVING = {"expires", "used", "updated", "flags"}


def trace(lab: Lab, places: Iterable[str]) -> dict[str, list[Any]]:
    """Routes, rules, links, forwarding tables and filters of these places, without what moves by itself."""

    def look() -> list[str]:
        return [subprocess.run(one.split(), capture_output=True, text=True, check=True).stdout for one in ASKED]

    return {place: [_still(text) for text in namespaces.inside(lab.namespaces[place], look)] for place in places}


def _still(text: str) -> Any:
    if not text.startswith("["):
        return text
    rows = [{key: value for key, value in row.items() if key not in MOVING} for row in json.loads(text)]
    return sorted(json.dumps(row, sort_keys=True) for row in rows if row.get("type") != "multicast")


def fares(lab: Lab, one: Incident) -> dict[tuple[str, str], str]:
    """How each cell's connect() fares."""
    cells = labelled.cells(one)
    return dict(zip(cells, dial(lab, cells.values()), strict=True))


@pytest.mark.parametrize("group", GROUPS)
def test_the_kernel_agrees_with_what_each_file_expects_and_is_healed(group: str, sealed_child: Sealed) -> None:
    incidents = [incident.load(name) for name in GROUPS[group]]

    def live() -> dict[str, Any]:
        with Lab(incidents[0].network) as lab:
            lab.run({name: ["listen 7007"] for name in lab.network.agents})
            fares(lab, incidents[0])  # neighbours are learnt
            results: dict[str, Any] = {}
            for one in incidents:
                places = {*one.break_steps, *one.heal_steps}
                before = trace(lab, places)
                lab.run(one.break_steps)
                broken = fares(lab, one)
                lab.run(one.heal_steps)
                results[one.name] = broken, fares(lab, one), before, trace(lab, places)
            return results

    results = sealed_child(live)
    for one in incidents:
        broken, healed, before, after = results[one.name]
        wrong = {
            cell: how
            for cell, how in broken.items()
            if (must := labelled.must_connect(one, *cell)) is not None and must != (how == "connects")
        }
        assert wrong == {}, one.name
        assert set(healed.values()) == {"connects"}, (one.name, healed)
        assert after == before, one.name
