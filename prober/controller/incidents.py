"""Which cells are one incident: for the holder of the lease, who writes them down; any controller reads them.

The holder goes on from what the store holds: ids last longer than the controller that gave them.
"""

from __future__ import annotations

import dataclasses
import time
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from prober.controller.desk import Desk
from prober.controller.judged import Day
from prober.flip import Cell, Flip
from prober.incident import UNDECLARED, Book, Incident, Member
from prober.store import incidents
from prober.store.engine import Store
from prober.store.incidents import Row
from prober.surfaces.incidents import summary
from prober.surfaces.stamps import stamp
from prober.targets import Targets
from prober.verdict import Label

LOOK_EVERY = 1.0
"""Seconds between two looks at what belongs together, while something changes."""
SHARE = 20.0
"""Times as long as the last look took, at least: a whole fleet that fails must not keep judging waiting."""
KEPT = 1000
"""Cells of an incident that are kept, those first that fail; the others join it anew after a start."""
SHOWN = 100
"""Cells of an incident that are listed among others."""


class Incidents:
    """``book`` is empty where another controller has the lease. `now` is monotonic seconds, ``wall`` Unix seconds."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.book = desk, Book()
        self._targets: Targets | None = None
        self._zones: dict[str, str] = {}
        self._next = float("-inf")

    def begin(self, kept: Iterable[Incident], told: Mapping[Cell, Flip], wall: float, now: float) -> None:
        """This controller has the lease: what it keeps goes on from what was `kept` and from the newest flips."""
        self.book, self._next = Book(kept), float("-inf")
        for cell in list(self.book.cells):
            if (flip := told.get(cell)) is not None:
                self.book.take(flip)
        for cell, label in self.desk.debounce.told.items():
            if cell in self.desk.matrix.cells and cell not in self.book.cells:
                self.book.take(_same(told.get(cell), cell, label, wall))
        self._adopt(wall)
        for cell in self.book.cells:
            self._hear(cell, now, wall)

    def end(self) -> None:
        """Another controller has the lease."""
        self.book = Book()

    def look(self, day: Day, now: float, wall: float) -> list[Row]:
        """After each turn: what is to be written, if anything."""
        for flip in day.flips:
            self.book.take(flip)
        judged = {(one.observation.source, one.observation.target) for one in day.judged}
        for cell in judged | {(flip.source, flip.target) for flip in day.flips}:
            self._hear(cell, now, wall)
        if self.desk.targets is not self._targets:
            self._adopt(wall)
        if now < self._next or not self.book.due():
            return []
        begun = time.perf_counter()
        rows = [self._row(one) for one in self.book.settle(wall, self._zones)]
        self._next = now + max(LOOK_EVERY, SHARE * (time.perf_counter() - begun))
        return rows

    def _hear(self, cell: Cell, now: float, wall: float) -> None:
        if cell in self.book.cells and (known := self.desk.matrix.cells.get(cell)) is not None:
            self.book.hear(cell, known.verdict(now), wall)

    def _adopt(self, wall: float) -> None:
        """Another document: cells that nobody asks any more are over, though nobody saw them heal."""
        self._targets, self._zones = self.desk.targets, zones(self.desk.targets)
        for cell in [cell for cell in self.book.cells if cell not in self.desk.matrix.cells]:
            self.book.end(cell, wall, UNDECLARED)

    def _row(self, one: Incident) -> Row:
        members = sorted(one.members.values(), key=lambda member: (member.until is not None, member.since, member.cell))
        first = members[:KEPT]
        said = summary([msgspec.structs.asdict(member) for member in first], self._zones)
        failing = 0 if one.closed is not None else sum(1 for _ in one.failing())
        return Row(
            one.id, _ns(one.opened), None if one.closed is None else _ns(one.closed), one.because, one.into,
            *said[:9], zones=said.zones, cells=len(members), failing=failing,
            body=zlib.compress(msgspec.msgpack.encode(first), 1),
        )  # fmt: skip


def _same(flip: Flip | None, cell: Cell, label: str, wall: float) -> Flip:
    """The flip that told this label last; one that was judged beside a holder who fell before it wrote is made now."""
    return flip if flip is not None and flip.after == label else Flip(wall, *cell, None, label, "")


def zones(targets: Targets) -> dict[str, str]:
    """The zone of each agent and target."""
    return {one.name: one.zone for one in targets.targets} | {one.name: one.zone for one in targets.agents}


def opened(store: Store) -> list[Incident]:
    """The open incidents as they were kept."""
    return [
        Incident(row.id, row.opened_ns / 1e9, {one.cell: one for one in members(row)})
        for row in incidents.opened(store)
    ]


def members(row: Row) -> list[Member]:
    """The cells that are kept of an incident."""
    return msgspec.msgpack.decode(zlib.decompress(row.body), type=list[Member])


class Reader:
    """What any controller tells of incidents: as they were written, and how their cells stand here and now."""

    def __init__(self, store: Store, desk: Desk) -> None:
        self.store, self.desk = store, desk

    def listed(self, before: int | None, limit: int, is_open: bool | None, now: float) -> dict[str, Any]:
        """The newest incidents; ``cursor`` goes on from the last row."""
        rows = incidents.last(self.store, limit, before, is_open)
        shown = [self._document(row, now, SHOWN) for _, row in rows]
        return {"incidents": shown, "cursor": rows[-1][0] if len(rows) == limit else None}

    def one(self, name: str, now: float) -> dict[str, Any]:
        """One incident with all cells that are kept of it. Raises KeyError."""
        row = incidents.get(self.store, name) if name.isalnum() else None  # PostgreSQL takes no NUL
        if row is None:
            raise KeyError(name)
        return self._document(row, now, KEPT)

    def _document(self, row: Row, now: float, most: int) -> dict[str, Any]:
        cells = [self._cell(one, row.closed_ns is None, now) for one in members(row)[:most]]
        unknown = sum(one["until"] is None and one["now"] == Label.UNKNOWN for one in cells)
        return {
            "id": row.id, "opened_at": stamp(row.opened_ns / 1e9),
            "closed_at": None if row.closed_ns is None else stamp(row.closed_ns / 1e9),
            "closed_because": row.because or None, "merged_into": row.into or None,
            "label": row.label, "cause": row.cause, "confidence": row.confidence, "culprit": row.culprit,
            "element": row.element, "kind": row.kind, "route": row.route,
            "sentence": row.sentence + _unknown(unknown, row.failing), "next_step": row.next_step, "zones": row.zones,
            "cells_total": row.cells, "cells_failing": row.failing, "cells_unknown": unknown, "cells": cells,
        }  # fmt: skip

    def _cell(self, one: Member, is_open: bool, now: float) -> dict[str, Any]:
        known = self.desk.matrix.cells.get(one.cell) if is_open else None
        label = None
        if known is not None:
            label = dataclasses.replace(known, recent=known.recent.copy()).verdict(now).label.value  # the judge goes on
        return {
            "source": one.source, "target": one.target, "label": one.label, "since": stamp(_ns(one.since) / 1e9),
            "until": None if one.until is None else stamp(_ns(one.until) / 1e9), "now": label,
        }  # fmt: skip


def _unknown(count: int, failing: int) -> str:
    if not count:
        return ""
    return f" Now nothing is known of {f'{count} of the {failing} paths' if count < failing else 'what failed'}."


def _ns(seconds: float) -> int:
    return round(seconds * 1e6) * 1000
