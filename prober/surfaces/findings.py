"""What a matrix document says in words: the sentence of the whole, and one finding for each culprit.

A hundred cells with one culprit are one finding. A culprit reads ``node19: node1 routes 10.19.0.0/16 via …``: what
stands before the first colon is the element to blame, so the routes of several nodes towards it are one finding too.
`prober/surfaces/page/findings.js` says the same in the browser; a test keeps the two equal.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from prober.surfaces.glyphs import Look, look, rank, shown

CONFIDENCES = ("proven", "likely", "inferred", "ambiguous")


class Finding(NamedTuple):
    """Cells that share a culprit, or, where none is known, label and cause."""

    look: Look
    """Of the worst label among them."""
    paths: str
    """``firewall → ingress, pod2; node1, node2 → firewall``."""
    also: tuple[str, ...]
    """The words of its other labels."""
    confidence: str | None
    culprit: str | None
    others: int
    """How many more culprits with the same element there are."""
    cells: tuple[dict[str, Any], ...]

    @property
    def line(self) -> str:
        """The finding in one line."""
        word = " and ".join((self.look.word, *self.also))
        culprit = self.culprit and self.culprit + (
            f" (and {self.others} more at {element(self.culprit)})" if self.others else ""
        )
        return f"{self.paths}: " + " · ".join(part for part in (word, self.confidence, culprit) if part)


def findings(document: dict[str, Any]) -> list[Finding]:
    """Whatever is not healthy, worst first. Cells are those of ``GET /api/v1/matrix``."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for cell in document["cells"]:
        if cell["label"] != "healthy":
            groups.setdefault(_key(cell), []).append(cell)
    found = [_finding(group) for group in groups.values()]
    return sorted(found, key=lambda one: (rank(one.cells[0]["label"]), -len(one.cells), one.paths))


def sentence(document: dict[str, Any]) -> str:
    """The state of the whole network in one sentence, e.g. ``1 of 58 paths fail: firewall → ingress is …``."""
    cells = document["cells"]
    if not cells:
        return "Nothing has been measured yet"
    failing = [one for one in findings(document) if one.look.fails]
    failed = sum(look(cell["label"]).fails for cell in cells)
    if not failing:
        return _calm(cells)
    first = failing[0]
    more = f", and {_count(len(failing) - 1, 'other finding')}" if len(failing) > 1 else ""
    count = f"{failed} of {_count(len(cells), 'path')} fail"
    if len(first.cells) == 1:
        return f"{count}: {first.paths} {first.look.phrase}{more}"
    return f"{count}: {first.look.word}, {_paths(list(first.cells), 1)}{more}"


def _calm(cells: list[dict[str, Any]]) -> str:
    """The sentence when nothing fails; unknown is never counted as healthy."""
    labels = [cell["label"] for cell in cells]
    total, healthy, detours = len(labels), labels.count("healthy"), labels.count("detour")
    if healthy == total:
        return f"All {_count(total, 'path')} are healthy" if total > 1 else "The one path is healthy"
    rest = total - healthy - detours
    parts = [f"{healthy} of {_count(total, 'path')} healthy"]
    parts += [f"{detours} by a detour"] if detours else []
    parts += [f"{rest} unknown"] if rest else []
    return "No path is known to fail: " + ", ".join(parts)


def element(culprit: str) -> str:
    """What a culprit blames: the node before the colon."""
    return culprit.split(": ", 1)[0]


def _key(cell: dict[str, Any]) -> tuple[str, ...]:
    if cell.get("culprit"):
        return (element(cell["culprit"]),)
    return ("", str(cell["label"]), str(cell.get("cause")))


def _finding(group: list[dict[str, Any]]) -> Finding:
    group = sorted(group, key=lambda cell: rank(cell["label"]))  # stable: the document's order among equals
    looks = list(dict.fromkeys(look(cell["label"]) for cell in group))
    culprits = list(dict.fromkeys(shown(cell["culprit"]) for cell in group if cell.get("culprit")))
    given = {cell.get("confidence") for cell in group}
    confidence = next((one for one in CONFIDENCES if one in given), None)
    also = tuple(one.word for one in looks[1:])
    first = culprits[0] if culprits else None
    return Finding(looks[0], _paths(group), also, confidence, first, max(0, len(culprits) - 1), tuple(group))


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


def _names(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 6 else ", ".join(names[:5]) + f" and {len(names) - 5} more"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
