"""What a matrix document says in words: the sentence of the whole, and a line for each finding.

Which cells are one finding is said by `prober.localise`; here it is put so that somebody on call understands it: what
to look at first, then what it breaks, then what speaks against it. The page shows what `told` adds to the document.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from prober import localise
from prober.localise import Element
from prober.surfaces.glyphs import Look, counted, look, rank, shown

CONFIDENCES = ("proven", "likely", "inferred", "ambiguous")


class Finding(NamedTuple):
    """Cells with one element in common, in words."""

    look: Look
    """Of the worst label among them."""
    paths: str
    """``firewall → ingress, pod2; node1, node2 → firewall``."""
    also: tuple[str, ...]
    """The words of its other labels."""
    confidence: str | None
    culprit: str | None
    """What the worst of its cells blames, with its route."""
    element: Element
    route: str
    cells: tuple[dict[str, Any], ...]
    against: tuple[dict[str, Any], ...]

    @property
    def line(self) -> str:
        """The finding in one line: the culprit first, then what fails because of it, then what speaks against it."""
        sure = f" ({self.confidence})" if self.confidence else ""
        head = f"{self.blamed}{sure}" if self.culprit else ""
        fails = _breaks(self.cells, named=bool(self.culprit))
        parts = [f"{head}: {fails}" if head else f"{fails}{sure}", *self._against()]
        return ". ".join(parts)

    @property
    def blamed(self) -> str:
        """The culprit as a head of a sentence: ``node19, node1 and node2 route 10.19.0.0/16 via 10.224.0.23``."""
        culprit = self.culprit or ""
        who = _routers(self.cells, self.route)
        if len(who) < 2:
            return culprit
        return f"{shown(self.element.name)}, where {_names(who, ' and ')} route {shown(self.route)}"

    def _against(self) -> list[str]:
        """What passes through the same element; of a single path its neighbours are no news."""
        who, name = self.element.kind, shown(self.element.name)
        sources = list(dict.fromkeys(shown(cell["source"]) for cell in self.against if cell["target"] == name))
        targets = list(dict.fromkeys(shown(cell["target"]) for cell in self.against if cell["source"] == name))
        if who in (localise.NODE, localise.TARGET) and sources:
            return [f"{name} still answers {_names(sources, ' and ', 3)}"]
        if who in (localise.NODE, localise.SOURCE) and targets:
            return [f"{name} still reaches {_names(targets, ' and ', 3)}"]
        if who in (localise.SOURCE_ZONE, localise.TARGET_ZONE) and self.against:
            return [f"{_paths(list(self.against), 1)} still {'pass' if len(self.against) > 1 else 'passes'}"]
        return []


def findings(document: dict[str, Any]) -> list[Finding]:
    """Whatever is not healthy, worst first. Cells are those of ``GET /api/v1/matrix``, ``zones`` the document's."""
    found = [_finding(one) for one in localise.localise(document["cells"], document.get("zones"))]
    return sorted(found, key=lambda one: (rank(one.cells[0]["label"]), -len(one.cells), one.paths))


def told(document: dict[str, Any]) -> dict[str, Any]:
    """The document with what it says in words: ``sentence``, and ``findings`` with their first cell to look at."""
    rows = [
        {
            "line": one.line, "label": one.cells[0]["label"], "confidence": one.confidence, "culprit": one.culprit,
            "element": one.element.name, "kind": one.element.kind, "route": one.route or None, "paths": one.paths,
            "cells": len(one.cells), "against": len(one.against), "source": one.cells[0]["source"],
            "target": one.cells[0]["target"],
        }
        for one in findings(document)
    ]  # fmt: skip
    return {**document, "sentence": sentence(document), "findings": rows}


def sentence(document: dict[str, Any]) -> str:
    """The state of the whole network in one sentence, e.g. ``1 of 58 paths fail: firewall → ingress is …``."""
    labels = counted(document)
    if not labels:
        return "Nothing has been measured yet"
    failing = [one for one in findings(document) if one.look.fails]
    failed = sum(count for label, count in labels.items() if look(label).fails)
    if not failing:
        return _calm(labels)
    first = failing[0]
    more = f", and {_count(len(failing) - 1, 'other finding')}" if len(failing) > 1 else ""
    count = f"{failed} of {_count(labels.total(), 'path')} fail"
    if len(first.cells) == 1:
        return f"{count}: {first.paths} {first.look.phrase}{more}"
    return f"{count}: {first.look.word}, {_paths(list(first.cells), 1)}{more}"


def _calm(labels: Counter[str]) -> str:
    """The sentence when nothing fails; unknown is never counted as healthy."""
    total, healthy, detours = labels.total(), labels["healthy"], labels["detour"]
    if healthy == total:
        return f"All {_count(total, 'path')} are healthy" if total > 1 else "The one path is healthy"
    rest = total - healthy - detours
    parts = [f"{healthy} of {_count(total, 'path')} healthy"]
    parts += [f"{detours} by a detour"] if detours else []
    parts += [f"{rest} unknown"] if rest else []
    return "No path is known to fail: " + ", ".join(parts)


def _finding(one: localise.Finding) -> Finding:
    group = sorted(one.cells, key=lambda cell: rank(cell["label"]))  # stable: the document's order among equals
    looks = list(dict.fromkeys(look(cell["label"]) for cell in group))
    culprits = [shown(cell["culprit"]) for cell in group if cell.get("culprit")]
    given = {cell.get("confidence") for cell in group}
    confidence = next((word for word in CONFIDENCES if word in given), None)
    first = next((text for text in culprits if one.route and one.route in text), culprits[0] if culprits else None)
    also = tuple(word.word for word in looks[1:])
    cells = tuple(map(dict, group))
    return Finding(
        looks[0], _paths(list(cells)), also, confidence, first, one.element, one.route, cells,
        tuple(map(dict, one.against)),
    )  # fmt: skip


def _routers(cells: tuple[dict[str, Any], ...], route: str) -> list[str]:
    """The nodes whose routing tables hold the route that is blamed."""
    texts = [shown(cell["culprit"]).partition(": ")[2] for cell in cells if cell.get("culprit")]
    named = [text.partition(" routes ")[0] for text in texts if localise.route_text(text) == route and route]
    return list(dict.fromkeys(named))


def _breaks(cells: tuple[dict[str, Any], ...], named: bool) -> str:
    """``return-path misroute on firewall → ingress, pod2; ingress drop on node1 → firewall``."""
    by_label: dict[str, list[dict[str, Any]]] = {}
    for cell in cells:
        by_label.setdefault(cell["label"], []).append(cell)
    if not named:
        return "; ".join(f"{_paths(several)}: {look(label).word}" for label, several in by_label.items())
    return "; ".join(f"{look(label).word} on {_paths(several)}" for label, several in by_label.items())


def _paths(cells: list[dict[str, Any]], most: int = 4) -> str:
    """Sources with the same targets share one arrow; after `most` arrows the paths left are counted."""
    targets: dict[str, list[str]] = {}
    for cell in cells:
        targets.setdefault(shown(cell["source"]), []).append(shown(cell["target"]))
    sources: dict[tuple[str, ...], list[str]] = {}
    for source, names in targets.items():
        sources.setdefault(tuple(names), []).append(source)
    arrows = [f"{_names(left)} → {_names(list(right))}" for right, left in sources.items()]
    rest = sum(len(right) * len(left) for right, left in list(sources.items())[most:])
    return "; ".join(arrows[:most]) + (f" and {_count(rest, 'other path')}" if rest else "")


def _names(names: list[str], last: str = ", ", most: int = 6) -> str:
    if len(names) > most:
        return ", ".join(names[: most - 1]) + f" and {len(names) - most + 1} more"
    return last.join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
