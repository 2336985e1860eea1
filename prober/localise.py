"""Many verdicts -> findings: cells that fail with one element in common are one finding that names it.

An element is what a fault can sit on: a node, a route, a prefix, a hop, a target, a source, their zones. The element
that explains the most cells takes them, then the next; so a hundred cells are one finding, and two faults are two. What
speaks against it is told with it: cells through the same element that pass. Cells are those of the matrix document.
"""

from __future__ import annotations

import heapq
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from prober.verdict import Label

Cell = Mapping[str, Any]

NODE, HOP, ROUTE, PREFIX, TARGET, SOURCE, TARGET_ZONE, SOURCE_ZONE, ALONE = (
    "node", "hop", "route", "prefix", "target", "source", "target zone", "source zone", "pair",
)  # fmt: skip
KINDS = (NODE, HOP, ROUTE, PREFIX, TARGET, SOURCE, TARGET_ZONE, SOURCE_ZONE, ALONE)
"""Kinds of elements; of two that explain as many cells the first is named."""

_ROUTE = re.compile(r"routes (?:(\w+) )?([0-9a-fA-F.:]+/\d+|default)(?: via ([0-9a-fA-F.:,]+)| dev (\S+))?")
_SEEN_LAST = re.compile(r"^(saw the .* last|got the SYN and )")


class Element(NamedTuple):
    """What cells have in common. ``about`` keeps apart what may not be one fault: a direction, or label and cause."""

    kind: str
    name: str
    about: str = ""


class Finding(NamedTuple):
    """Cells with one element in common; ``against`` are cells through the same element that pass.

    ``route`` is the route that most of its culprits name ("10.19.0.0/16 via 10.224.0.23"), or ''.
    """

    element: Element
    cells: tuple[Cell, ...]
    against: tuple[Cell, ...]
    route: str


def localise(cells: Iterable[Cell], zones: Mapping[str, str] | None = None) -> list[Finding]:
    """Every cell that is not healthy is in exactly one finding; the largest first. ``zones``: of sources and targets.

    A culprit comes from evidence, an endpoint in common is only a pattern: cells that name culprits are shared out by
    those, the others by what ends they have in common, and never across labels and causes.
    """
    wrong: list[Cell] = []
    passing, known = _Passing(zones or {}), zones or {}
    for cell in cells:
        if cell["label"] == Label.HEALTHY:
            passing.add(cell)
        else:
            wrong.append(cell)
    covered = _cover([tuple(_elements(cell, known)) for cell in wrong])
    return [_finding(element, [wrong[at] for at in members], passing) for element, members in covered]


class _Passing:
    """The cells that pass, by what they pass through."""

    def __init__(self, zones: Mapping[str, str]) -> None:
        self.zones = zones
        self.by: dict[tuple[str, str], list[Cell]] = {}

    def add(self, cell: Cell) -> None:
        for kind, zone_kind, end in ((SOURCE, SOURCE_ZONE, "source"), (TARGET, TARGET_ZONE, "target")):
            self.by.setdefault((kind, cell[end]), []).append(cell)
            if cell[end] in self.zones:
                self.by.setdefault((zone_kind, self.zones[cell[end]]), []).append(cell)

    def through(self, element: Element) -> tuple[Cell, ...]:
        """A node that still answers, or asks and is answered, is not down; nor is a target that others reach."""
        kinds = (SOURCE, TARGET) if element.kind == NODE else (element.kind,)
        return tuple(cell for kind in kinds for cell in self.by.get((kind, element.name), ()))


def _elements(cell: Cell, zones: Mapping[str, str]) -> Iterator[Element]:
    """What this cell's fault may sit on."""
    if cell.get("culprit"):
        yield from _blamed(str(cell["culprit"]), _direction(str(cell["label"])))
        return
    about = f"{cell['label']} {cell.get('cause')}"
    source, target = str(cell["source"]), str(cell["target"])
    yield Element(TARGET, target, about)
    yield Element(SOURCE, source, about)
    if target in zones:
        yield Element(TARGET_ZONE, zones[target], about)
    if source in zones:
        yield Element(SOURCE_ZONE, zones[source], about)
    yield Element(ALONE, f"{source} → {target}", about)


def _direction(label: str) -> str:
    """A label's direction; one that is not known here (a newer controller's) stands for itself."""
    return Label(label).direction if label in _LABELS else label


_LABELS = frozenset(label.value for label in Label)


def _blamed(culprit: str, direction: str) -> Iterator[Element]:
    """A culprit reads ``node19: node1 routes 10.19.0.0/16 via …``. Who only *saw* a packet last may have done so
    for two faults: such a hop stands for one direction."""
    node, colon, what = culprit.partition(": ")
    if not colon:
        node, what = "", culprit
    if _SEEN_LAST.match(what):
        yield Element(HOP, node, direction)
        return
    yield Element(NODE, node or what)
    route = _ROUTE.search(what)
    if route:
        yield Element(ROUTE, route_text(what))
        if route[2] != "default":
            yield Element(PREFIX, route[2])


def route_text(culprit: str) -> str:
    """The route that a culprit names, as ``ip route`` writes it, without its node; '' where it names none."""
    found = _ROUTE.search(culprit)
    if not found:
        return ""
    kind, prefix, via, dev = found.groups()
    hop = f" via {via}" if via else f" dev {dev}" if dev else ""
    return f"{kind + ' ' if kind else ''}{prefix}{hop}"


def _cover(elements: Sequence[tuple[Element, ...]]) -> Iterator[tuple[Element, list[int]]]:
    """Elements with the cells they take, the one that explains most of those left first.

    A heap with late corrections: a count that has become too high is put back lower, so each is looked at rarely.
    """
    having: dict[Element, set[int]] = {}
    for at, several in enumerate(elements):
        for element in several:
            having.setdefault(element, set()).add(at)
    heap = [(-len(cells), KINDS.index(one.kind), one) for one, cells in having.items()]
    heapq.heapify(heap)
    while heap:
        count, kind, element = heapq.heappop(heap)
        left = having[element]
        if not left:
            continue
        if len(left) < -count:
            heapq.heappush(heap, (-len(left), kind, element))
            continue
        members = sorted(left)
        for at in members:
            for other in elements[at]:
                having[other].discard(at)
        yield element, members


def _finding(element: Element, cells: list[Cell], passing: _Passing) -> Finding:
    against = passing.through(element)
    if element.kind in (TARGET, SOURCE) and len(cells) == 1:
        element = Element(ALONE, f"{cells[0]['source']} → {cells[0]['target']}", element.about)
    routes = Counter(text for cell in cells if (text := route_text(str(cell.get("culprit") or ""))))
    most = max(routes, key=lambda text: routes[text], default="")
    return Finding(element, tuple(cells), against, most)
