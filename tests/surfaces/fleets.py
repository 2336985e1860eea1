"""Matrices that don't fit a panel: two faults in a fleet, with all cells and as the controller answers when large."""

from __future__ import annotations

from collections import Counter
from typing import Any

from prober.surfaces.glyphs import rank
from tests.surfaces import documents

Document = dict[str, Any]

CULPRIT = "node19: node1 routes 10.19.0.0/16 via 10.224.0.23 (node19)"


def fleet(zones: dict[str, int]) -> Document:
    """Every agent probes every other; `zones` says how many agents each has, in order.

    The second zone's first agent doesn't take SYNs; what the first zone's second and third send to the last zone is
    answered astray.
    """
    names = {f"{zone}-{at:03d}": zone for zone, many in zones.items() for at in range(many)}
    first, second, last = next(iter(zones)), list(zones)[1], list(zones)[-1]
    cells = [
        _cell(source, target, astray=source in (f"{first}-001", f"{first}-002") and names[target] == last,
              dropped=target == f"{second}-000")
        for source in names for target in names if source != target
    ]  # fmt: skip
    at = {"at": documents.AT, "sources": list(names), "targets": list(names)}
    return at | {"cells": cells, "zones": names}


def cut(document: Document, most: int = 500) -> Document:
    """The same with at most so many cells listed, none of them healthy, and its pairs of zones counted."""
    zones, pairs = document["zones"], {}
    for cell in document["cells"]:
        pairs.setdefault((zones[cell["source"]], zones[cell["target"]]), Counter())[cell["label"]] += 1
    wrong = [cell for cell in document["cells"] if cell["label"] != "healthy"]
    listed = sorted(wrong, key=lambda cell: rank(cell["label"]))[:most]
    left_out = Counter(cell["label"] for cell in document["cells"])
    left_out.subtract(cell["label"] for cell in listed)
    zone_pairs = [
        {"source_zone": source, "target_zone": target, "labels": dict(labels), "age_seconds": 0.8, "sent": 16,
         "answered": 16}
        for (source, target), labels in pairs.items()
    ]  # fmt: skip
    return document | {"cells": listed, "left_out": {label: n for label, n in left_out.items() if n},
                       "zone_pairs": zone_pairs}  # fmt: skip


def _cell(source: str, target: str, astray: bool, dropped: bool) -> Document:
    if astray:
        return documents.cell(source, target, "return-path-misroute", culprit=CULPRIT)
    return documents.cell(source, target, "ingress-drop" if dropped else "healthy")
