"""A pair that takes turns with others has failed: how far the failure goes is found by splitting, not by waiting.

Of the targets of the same zone the prober asks one of each half, and of the other probers of its zone one of each half
asks the target. A half whose representative passes is let be; one whose representative fails is split again. So a
failure of one element costs four handshakes, and one of a whole zone is known in as many steps as halving takes. What
failed is asked again itself, too: its next turn may be far, and nobody is told of a single loss (`prober.flip`).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Cell = tuple[str, str]
"""``(source, target)``."""

PATIENCE = 10.0
"""Seconds after which what was asked, and did not fail, is taken to have passed."""
MOST, MOST_AGAIN = 32, 1000
"""Splits under way, and pairs to be asked again; what fails beside them waits for its next turn."""
AGAIN, AGAIN_REST = (0.0, 0.2), 10.0
"""Seconds after a failure at which its pair is asked again: once in all rounds, and in so many seconds."""


@dataclass(slots=True)
class Split:
    """One pair of zones: what is to be asked, and the block that each pair asked stands for.

    A block is either further targets of one source or further sources of one target, itself first.
    """

    waiting: dict[Cell, list[Cell]] = field(default_factory=dict)
    queue: deque[list[Cell]] = field(default_factory=deque)
    heard: float = 0.0

    def split(self, block: Sequence[Cell]) -> None:
        """Ask for one of each half."""
        middle = (len(block) + 1) // 2
        self.queue.extend(list(half) for half in (block[:middle], block[middle:]) if half)

    def told(self, cell: Cell, passes: bool) -> None:
        block = self.waiting.pop(cell, [])
        if not passes:
            self.split(block[1:])

    def over(self, now: float) -> bool:
        """Nothing is to be asked, and nothing more to be heard."""
        return not self.queue and (not self.waiting or now - self.heard > PATIENCE)


def begin(cell: Cell, sources: Iterable[str], targets: Iterable[str], now: float) -> Split:
    """The first halves: the zone's ``sources`` and ``targets``, this pair's own left out."""
    source, target = cell
    one = Split(heard=now)
    one.split([(source, other) for other in targets if other != target])
    one.split([(other, target) for other in sources if other != source])
    return one


@dataclass(slots=True)
class Splitting:
    """All splits of a fleet, no faster together than ``rate`` handshakes a second.

    ``zones`` are the zones of agents and of targets, ``sources`` and ``targets`` the names in each. A pair of zones is
    not split again for ``rest`` seconds: until all its pairs have had their turn.
    """

    zones: tuple[dict[str, str], dict[str, str]]
    rate: float
    rest: float
    open: dict[Cell, Split] = field(default_factory=dict)
    rests: dict[Cell, float] = field(default_factory=dict)
    again: deque[tuple[float, Cell]] = field(default_factory=deque)
    asked_again: dict[Cell, float] = field(default_factory=dict)
    tokens: float = math.inf
    at: float = 0.0

    def judged(self, cell: Cell, passes: bool, now: float) -> None:
        """A probe was judged: one that was asked here, or a failure that begins a split."""
        if not passes:
            self.ask_again(cell, now)
        key = self.zones[0].get(cell[0], ""), self.zones[1].get(cell[1], "")
        if key in self.open:
            self.open[key].heard = now
            self.open[key].told(cell, passes)
        elif not passes and len(self.open) < MOST and now >= self.rests.get(key, now):
            sources, targets = (
                [name for name, zone in side.items() if zone == own] for side, own in zip(self.zones, key, strict=True)
            )
            self.open[key] = begin(cell, sources, targets, now)

    def ask_again(self, cell: Cell, now: float) -> None:
        """A pair failed: twice more, if it was not asked so a moment ago."""
        if now < self.asked_again.get(cell, now) or len(self.again) >= MOST_AGAIN:
            return
        if len(self.asked_again) >= 10 * MOST_AGAIN:
            self.asked_again = {one: until for one, until in self.asked_again.items() if until > now}
        self.asked_again[cell] = now + max(self.rest, AGAIN_REST)
        self.again.extend((now + wait, cell) for wait in AGAIN)

    def idle(self) -> bool:
        """Nothing is under way."""
        return not self.open and not self.again

    def due(self, now: float) -> list[Cell]:
        """The pairs to ask now."""
        self.tokens = min(max(1.0, self.rate), self.tokens + (now - self.at) * self.rate)
        self.at = now
        asked: list[Cell] = []
        for key, one in list(self.open.items()):
            while one.queue and self.tokens >= 1.0:
                self.tokens -= 1.0
                block = one.queue.popleft()
                one.waiting[block[0]], one.heard = block, now
                asked.append(block[0])
            if one.over(now):
                del self.open[key]
                self.rests[key] = now + self.rest
        while self.again and self.tokens >= 1.0 and self.again[0][0] <= now:
            self.tokens -= 1.0
            asked.append(self.again.popleft()[1])
        return asked
