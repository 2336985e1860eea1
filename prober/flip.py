"""A cell's changes worth telling: people are told of flips, not of states, and never because of a few lost packets.

Every network loses some: what it loses is in the cell and in its objectives' budgets, and wakes nobody.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

from prober import odds
from prober.flows import SURE, Finding, Shape
from prober.verdict import Label, Verdict

Cell = tuple[str, str]
"""``(source, target)``."""

AMBIENT = 0.01
"""The part of handshakes that a network may lose at random and still be told healthy."""

LATELY = 10.0
"""Seconds for which a flip bears out what fails beside it."""
DOUBT = ""
"""In the place of a label: a handshake that did not meet what is said of its cell."""

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


def news(said: Verdict, newest: Verdict, passed: Sequence[bool], found: Finding | None) -> Verdict:
    """What a cell's verdict is, as far as people are told of it.

    Losses here and there make a cell `intermittent`. Where `AMBIENT` loss may well have made them (but for one case in
    a hundred thousand) and they have no pattern, the cell is what its `newest` probe says. ``passed`` are its last
    probes, ``found`` what an experiment found.
    """
    if said.label != Label.INTERMITTENT:
        return said
    losses = found.losses if found else ()
    if any(one.shape in (Shape.LEG, Shape.BAND) for one in losses):
        return said
    tallies = [(len(passed), passed.count(False)), *((one.sent, one.lost) for one in losses)]
    return said if any(odds.of_so_many(*one, AMBIENT) < SURE for one in tallies) else newest


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
    """Tells a flip when `n` of a cell's last `m` judgements agree on another label than the one told last.

    Three of four: where one handshake in a hundred is lost on its way in, chance makes that of one probe in 250,000.
    One less will do for a cell beside one that was told to fail of late, from or to its source or its target: that was
    no chance.
    """

    def __init__(self, n: int = 3, m: int = 4, told: Mapping[Cell, str] | None = None) -> None:
        if not m / 2 < n <= m:
            raise ValueError(f"{n} of {m}: n must be more than half of m, or two labels could win at once")
        self.n, self.m = n, m
        self.told: dict[Cell, str] = dict(told or {})
        self._recent: dict[Cell, deque[str]] = {}
        self._lately: dict[str, float] = {}

    def judge(self, at: float, source: str, target: str, label: str, detail: str = "") -> Flip | None:
        """Take one judgement; the flip it completes, if any."""
        cell = (source, target)
        recent = self._recent.setdefault(cell, deque(maxlen=self.m))
        recent.append(label)
        before = self.told.get(cell)
        if label == before or recent.count(label) < self.n - self._beside(at, cell, label):
            return None
        if label not in QUIET:
            self._lately |= dict.fromkeys(cell, at)
        if before is not None or label != "unknown":  # a start without vantage is no state to come back from
            self.told[cell] = label
        return _flip(at, cell, before, label, detail)

    def _beside(self, at: float, cell: Cell, label: str) -> bool:
        """Whether trouble was told from or to its source or target a moment ago, and none yet of this cell."""
        if label in QUIET or self.told.get(cell, "healthy") not in QUIET or self.n == 1:
            return False
        return any(abs(at - self._lately.get(side, float("-inf"))) <= LATELY for side in cell)

    def doubt(self, source: str, target: str) -> None:
        """A judgement that agrees with none: it speaks against whatever is about to be told."""
        self._recent.setdefault((source, target), deque(maxlen=self.m)).append(DOUBT)

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
