"""A cell's changes worth telling: people are told of flips, not of states, and never because of one lost packet."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Mapping
from dataclasses import dataclass

Cell = tuple[str, str]
"""``(source, target)``."""

QUIET = frozenset({"healthy", "unknown"})
"""Labels that are no news for a cell that was never judged before."""


@dataclass(frozen=True, slots=True)
class Flip:
    """A cell's label changed; ``before`` is None for a cell never judged before. ``at`` is unix seconds."""

    at: float
    source: str
    target: str
    before: str | None
    after: str
    sentence: str


def sentence(source: str, target: str, before: str | None, after: str, detail: str = "") -> str:
    """What happened, as one sentence; `detail` is the verdict's own, when there is one."""
    if after == "healthy":
        said = f"{source} → {target} is healthy again, it was {before}"
    elif after == "unknown":
        said = f"{source} → {target} can no longer be judged, it was {before}"
    else:
        said = f"{source} → {target} is {after}" + (f", it was {before}" if before else "")
    return f"{said}. {detail}" if detail else f"{said}."


def flips(before: Mapping[Cell, str], after: Mapping[Cell, str], at: float = 0.0) -> tuple[Flip, ...]:
    """What changed between two matrices (cell -> label), in the order of `after`.

    A cell that is new is told only when something is wrong with it; one that is gone was taken out of the plan.
    """
    found = (_flip(at, cell, before.get(cell), label, "") for cell, label in after.items())
    return tuple(flip for flip in found if flip)


def _flip(at: float, cell: Cell, before: str | None, after: str, detail: str) -> Flip | None:
    if after == before or (before is None and after in QUIET):
        return None
    source, target = cell
    return Flip(at, source, target, before, after, sentence(source, target, before, after, detail))


class Debounce:
    """Tells a flip when `n` of a cell's last `m` judgements agree on another label than the one told last."""

    def __init__(self, n: int = 2, m: int = 3, told: Mapping[Cell, str] | None = None) -> None:
        if not m / 2 < n <= m:
            raise ValueError(f"{n} of {m}: n must be more than half of m, or two labels could win at once")
        self.n, self.m = n, m
        self.told: dict[Cell, str] = dict(told or {})
        self._recent: dict[Cell, deque[str]] = {}

    def judge(self, at: float, source: str, target: str, label: str, detail: str = "") -> Flip | None:
        """Take one judgement; the flip it completes, if any."""
        cell = (source, target)
        recent = self._recent.setdefault(cell, deque(maxlen=self.m))
        recent.append(label)
        before = self.told.get(cell)
        if label == before or recent.count(label) < self.n:
            return None
        if before is not None or label != "unknown":  # a start without vantage is no state to come back from
            self.told[cell] = label
        return _flip(at, cell, before, label, detail)

    def keep(self, cells: Container[Cell]) -> None:
        """Forget every cell that is not in `cells`: it was taken out of the plan."""
        for gone in [cell for cell in self.told.keys() | self._recent.keys() if cell not in cells]:
            self.forget(gone)

    def forget(self, cell: Cell) -> None:
        self.told.pop(cell, None)
        self._recent.pop(cell, None)

    def rest(self, cell: Cell) -> None:
        """The cell is well and not looked at any more: what was told of it stays, unless that is no news."""
        self._recent.pop(cell, None)
        if self.told.get(cell) in QUIET:
            del self.told[cell]
