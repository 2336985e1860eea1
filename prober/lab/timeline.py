"""What was said of each cell since the break, and how many seconds after it: of the run and of the live matrix."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from prober.lab.incident import Expected
from prober.verdict import Label

Pair = tuple[str, str]
WORDS = ("label", "cause", "confidence", "culprit")


@dataclass(slots=True)
class Timeline:
    """Begins at the break. Only what changes is kept; what was expected is asked for when all is over."""

    began: float = field(default_factory=time.monotonic)
    said: dict[tuple[str, Pair], list[tuple[float, tuple[Any, ...]]]] = field(default_factory=dict)

    def look(self, feed: str, document: dict[str, Any]) -> None:
        """One look at a matrix document of `feed` (``run`` or ``live``); a cell that was never judged says nothing."""
        seconds = time.monotonic() - self.began
        for cell in document["cells"]:
            if not cell["sent"]:
                continue
            words = tuple(cell[word] for word in WORDS)
            told = self.said.setdefault((feed, (cell["source"], cell["target"])), [])
            if not told or told[-1][1] != words:
                told.append((seconds, words))

    def seconds(self, expected: Callable[[str, str], Expected]) -> dict[Pair, float | None]:
        """For each cell that must not be healthy: when it was first said as expected, in either feed, or None."""
        result: dict[Pair, float | None] = {}
        for (_, pair), told in self.said.items():
            wanted = expected(*pair)
            if Label.HEALTHY in wanted.label:
                continue
            met = [seconds for seconds, words in told if wanted.met_by(*words)]
            known = result.get(pair)
            result[pair] = min([*met[:1], *([] if known is None else [known])], default=None)
        return result
