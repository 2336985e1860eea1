"""The figures, written down: docs/performance.md for people, bench/figures.json for the README and whoever compares."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.figures import Figure

ROOT = Path(__file__).parent.parent

Entry = dict[str, Any]
"""A figure in figures.json: the `Figure`, its group, when and on what it was measured."""

HEAD = """# How fast it is, and how that was measured

Written by `make bench`; no number here was typed. Both sides of a comparison run in turns (A B A B …) in the same pair
of closed network namespaces joined by a veth pair; the far side is this machine's kernel, listening on every address of
198.19.0.0/16. A ratio is the median of the rounds' own ratios, its spread their lowest and highest; above 1 prober is
better. Sending rates are counted at the receiver's interface, not by the tool. `make bench WORKS="sweep start"`
measures some works anew and leaves the others as they are. `make soak` kills with `kill -9`, and an oracle outside
counts what is lost and doubled. How soon a fault is told is measured in the incident's lab, by
`python -m bench.watch --trials 50 --ambient 60`.

"""

TABLE = ("| work | unit | prober | peer | | ratio | spread | must |", "|---|---|---|---|---|---|---|---|")


def number(value: float) -> str:
    """Three figures or so, and thousands apart."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def line(figure: Figure) -> str:
    """One figure in a line of text."""
    low, high = figure.spread
    must = f", must be ≥ {figure.must:g}" if figure.must else ""
    told = f"{figure.work} [{figure.unit}]: {number(figure.ours)} against {number(figure.peer)} ({figure.peer_name})"
    return f"{told}: {figure.ratio:.3g} ({low:.3g} to {high:.3g}{must}){' — ' + figure.note if figure.note else ''}"


def entries(group: str, figures: Sequence[Figure], measured: Mapping[str, Any]) -> list[Entry]:
    """Figures as figures.json keeps them; `group` is the work's name on the command line."""
    return [
        {"work": one.work, "unit": one.unit, "ours": one.ours, "peer": one.peer, "peer_name": one.peer_name,
         "ratio": one.ratio, "spread": list(one.spread), "must": one.must, "note": one.note, "group": group, **measured}
        for one in figures
    ]  # fmt: skip


def merged(kept: Sequence[Entry], new: Sequence[Entry], order: Sequence[str]) -> list[Entry]:
    """`new` in the place of what was measured of the same groups before, in the `order` of groups."""
    again = {one["group"] for one in new}
    rows = [one for one in kept if one["group"] in order and one["group"] not in again]
    return sorted([*rows, *new], key=lambda one: order.index(one["group"]))


def document(rows: Sequence[Entry]) -> str:
    """docs/performance.md."""
    table = [
        f"| {one['work']} | {one['unit']} | {number(one['ours'])} | {number(one['peer'])} | {one['peer_name']} "
        f"| **{one['ratio']:.3g}** | {one['spread'][0]:.3g} to {one['spread'][1]:.3g} "
        f"| {_must(one['must'])} |"
        for one in rows
    ]
    notes = [f"- {one['work']}, {one['unit']}: {one['note']}." for one in rows if one["note"]]
    runs: dict[str, list[str]] = {}
    for one in rows:
        groups = runs.setdefault(f"{one['date']}, {one['rounds']} rounds, {one['machine']}", [])
        if one["group"] not in groups:
            groups.append(one["group"])
    told = [f"- {', '.join(groups)}: {run}" for run, groups in runs.items()]
    return HEAD + "\n".join([*TABLE, *table, "", *notes, "", "## When, and on what", "", *told, ""])


def _must(ratio: float) -> str:
    return f"≥ {ratio:g}" if ratio else ""


def keep(group: str, figures: Sequence[Figure], rounds: int, versions: Mapping[str, str], order: Sequence[str]) -> None:
    """Both files, with this group's figures anew and the others' as they were."""
    measured = {"rounds": rounds, "date": time.strftime("%Y-%m-%d", time.gmtime()), "machine": _machine(versions)}
    path = ROOT / "bench" / "figures.json"
    before = json.loads(path.read_text()) if path.exists() else []
    rows = merged(before, entries(group, figures, measured), order)
    path.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    (ROOT / "docs" / "performance.md").write_text(document(rows))


def _machine(versions: Mapping[str, str]) -> str:
    libraries = {name: importlib.metadata.version(name) for name in ("numpy", "scapy")}
    named = ", ".join(f"{name} {version}" for name, version in {**versions, **libraries}.items())
    python, system = ".".join(map(str, sys.version_info[:3])), os.uname()
    return f"{os.cpu_count()} processors, Linux {system.release} ({system.machine}), Python {python}; {named}"
