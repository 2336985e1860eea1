"""The figures, written down: docs/performance.md for people, bench/figures.json for the README and whoever compares."""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.figures import Figure

ROOT = Path(__file__).parent.parent

HEAD = """# How fast it is, and how that was measured

Written by `make bench`; no number here was typed. Both sides of a comparison run in turns (A B A B …), {rounds} rounds,
in the same pair of closed network namespaces joined by a veth pair; the far side is this machine's kernel, listening on
every address of 198.19.0.0/16. A ratio is the median of the rounds' own ratios, its spread their lowest and highest;
above 1 prober is better. Sending rates are counted at the receiver's interface, not by the tool.

{machine}

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


def document(figures: Sequence[Figure], rounds: int, machine: str) -> str:
    """docs/performance.md."""
    rows = [
        f"| {one.work} | {one.unit} | {number(one.ours)} | {number(one.peer)} | {one.peer_name} | **{one.ratio:.3g}** "
        f"| {one.spread[0]:.3g} to {one.spread[1]:.3g} | {f'≥ {one.must:g}' if one.must else ''} |"
        for one in figures
    ]
    notes = [f"- {one.work}, {one.unit}: {one.note}." for one in figures if one.note]
    return HEAD.format(rounds=rounds, machine=machine) + "\n".join([*TABLE, *rows, "", *notes, ""])


def write(figures: Sequence[Figure], rounds: int, versions: Mapping[str, str], system: os.uname_result) -> None:
    """Both files."""
    libraries = {name: importlib.metadata.version(name) for name in ("numpy", "scapy")}
    named = ", ".join(f"{name} {version}" for name, version in {**versions, **libraries}.items())
    python = ".".join(map(str, sys.version_info[:3]))
    machine = f"{os.cpu_count()} processors, Linux {system.release} ({system.machine}), Python {python}; {named}."
    (ROOT / "docs" / "performance.md").write_text(document(figures, rounds, machine))
    told = [
        {"work": one.work, "unit": one.unit, "ours": one.ours, "peer": one.peer, "peer_name": one.peer_name,
         "ratio": one.ratio, "spread": list(one.spread)} for one in figures
    ]  # fmt: skip
    (ROOT / "bench" / "figures.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
