"""What the controller tells: the flips of its API, each once, with the moment at which they could be read there."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from prober.lab.timeline import Pair

PAGE = 1000
"""Flips read at a time; more between two looks would be missed, and are refused."""


@dataclass(frozen=True, slots=True)
class Told:
    """A flip as it was read: `at` is monotonic seconds."""

    at: float
    pair: Pair
    before: str | None
    after: str
    sentence: str


class Ear:
    """Reads ``/api/v1/flips`` (`get` of a stage) and answers with what is new."""

    def __init__(self, get: Callable[..., dict[str, Any]]) -> None:
        self.get, self.last = get, 0
        self.last = max((one["id"] for one in self._page()), default=0)

    def hear(self) -> list[Told]:
        """Flips told since the last look, oldest first."""
        new = [one for one in self._page() if one["id"] > self.last]
        at = time.monotonic()
        if len(new) >= PAGE:
            raise RuntimeError(f"{PAGE} flips or more between two looks")
        self.last = max((one["id"] for one in new), default=self.last)
        return [
            Told(at, (one["source"], one["target"]), one["before"], one["after"], one["sentence"])
            for one in reversed(new)
        ]

    def _page(self) -> list[dict[str, Any]]:
        flips: list[dict[str, Any]] = self.get("/api/v1/flips", limit=PAGE)["flips"]
        return flips
