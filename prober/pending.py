"""One probe until nothing more can come: its outcome, its sightings, what was asked about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from prober.leftovers import Row
from prober.observation import Asked
from prober.questions import Wanted
from prober.report import Route
from prober.sighting import SIGHTING

MOST_COPIES = 12
"""Sightings of one kind of segment at one place; a loop brings dozens more, and they tell nothing more."""
MOST_ROWS = 256
"""Sightings of one probe; beyond that somebody is sending it again and again."""
_PLACE = [SIGHTING.names.index(n) for n in ("kind", "where", "way", "interface")]  # type: ignore[union-attr]


@dataclass(slots=True)
class Pending:
    """One probe until nothing more can come: its outcome, its sightings, what was asked about it."""

    first: float
    source: str = ""
    target: str = ""
    run: str = ""
    asked: Asked | None = None
    sent: float = 0.0
    done: float = 0.0
    known: float = 0.0
    rows: dict[Row, tuple[str, bytes, float]] = field(default_factory=dict)
    copies: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    full: bool = False
    routes: dict[Wanted, Route] = field(default_factory=dict)
    judged: bool = False
    fresh: bool = False
    asked_at: float | None = None
    asked_for: set[Wanted] = field(default_factory=set)
    wanted: set[Wanted] = field(default_factory=set)
    steady: set[str] = field(default_factory=set)

    def see(self, row: Row, interface: str, frame: bytes, at: float) -> None:
        """One sighting; the same one again is nothing new."""
        if row in self.rows:
            return
        place = (row[0], *(row[1][column] for column in _PLACE))
        self.copies[place] += 1
        if self.copies[place] > MOST_COPIES:
            return
        if len(self.rows) >= MOST_ROWS:
            self.full = True
            return
        self.rows[row] = (interface, frame, at)
        self.fresh = True
