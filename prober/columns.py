"""The matrix of a large fleet: a row of numbers for each cell that is well, and a `Cell` where anything happened.

In a large fleet (`plan.whole`) both ends tell a complete handshake briefly: it was answered, then, after so long.
Such *plain* answers are folded in by the thousand. A cell that fails, or of which a handshake was told whole, becomes
a `Cell` with all that is known of it, and numbers again when it has been well for a while.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from math import isnan
from statistics import median
from typing import Any

import numpy as np

from prober.blocks import Blocks
from prober.matrix import (
    LABELS,
    NOT_DECLARED,
    REMEMBER,
    STALE_LEAST,
    STALE_PERIODS,
    Cell,
    Codes,
    Group,
    Matrix,
    Newest,
    Recent,
    ZonePair,
)
from prober.segment import Batch
from prober.verdict import Confidence, Label, Verdict

KEPT = 8
"""The last round-trip times of a cell that are kept, for their median."""
LISTED = 10_000
"""Cells that are listed one by one at most, healthy ones among them."""
WORST = 500
"""Cells that are listed of more than that: what fails first, then what is not known."""
WELL = 8.0
"""Seconds after its last probe before a cell that is well becomes numbers: longer than a probe can gain evidence."""


NEVER, NOBODY = -np.inf, np.inf
"""When the newest probe of a cell was sent: not yet; and in the place of a cell that is held, or not declared."""


class Columns(Matrix):
    """Cells source x target; ``every[s, t]`` is infinite where a pair is not declared. Times: controller's seconds.

    `unresolved` are the targets whose host name has no address yet.
    The numbers are those of the plain cells alone; whoever sums them adds the held ones.
    """

    def __init__(
        self, sources: list[str], targets: list[str], every: Batch, unresolved: Container[str] = ()
    ) -> None:  # fmt: skip
        self.sources, self.targets, self.every, self._unresolved = sources, targets, every, unresolved
        self._row, self._column = ({name: at for at, name in enumerate(side)} for side in (sources, targets))
        self.declared = np.isfinite(every)
        self._patience = np.maximum(STALE_LEAST, STALE_PERIODS * every).astype(np.float64)
        self.newest = np.where(self.declared, NEVER, NOBODY)
        self.stale_at = self.newest.copy()
        self.sent, self.answered = np.zeros(every.shape, np.uint32), np.zeros(every.shape, np.uint32)
        self.rtts = np.full((*every.shape, KEPT), np.nan, np.float32)
        self.plain = self.declared.copy()
        self.held: dict[tuple[str, str], Cell] = {}
        self.cells = _Cells(self)

    # -- one cell -----------------------------------------------------------------------------------------------

    def place(self, key: tuple[str, str]) -> tuple[int, int] | None:
        """Row and column of a declared pair."""
        row, column = self._row.get(key[0]), self._column.get(key[1])
        return (row, column) if row is not None and column is not None and self.declared[row, column] else None

    def row(self, source: str) -> int | None:
        return self._row.get(source)

    def column_of(self, names: Iterable[str]) -> Batch:
        """The columns of these targets, -1 for one that nobody asks."""
        return np.array([self._column.get(name, -1) for name in names], np.int64)

    def look(self, row: int, column: int) -> Cell:
        """A cell as it stands; where it is numbers a copy, to be read."""
        key = (self.sources[row], self.targets[column])
        if key in self.held:
            return self.held[key]
        cell = Cell(*key, float(self.every[row, column]), nameless=key[1] in self._unresolved)
        cell.sent, cell.answered = int(self.sent[row, column]), int(self.answered[row, column])
        if np.isfinite(newest := self.newest[row, column]):
            known = [one for one in self.rtts[row, column].tolist() if not isnan(one)]
            rtt = median(known) if known else None  # numpy's takes twenty times as long for so few
            cell.recent.append(Recent(0, float(newest), _well(*key, rtt), rtt))
        return cell

    def hold(self, key: tuple[str, str]) -> Cell | None:
        """The cell itself, to be changed; None for a pair that nobody declares."""
        if key in self.held or (place := self.place(key)) is None:
            return self.held.get(key)
        cell = self.held[key] = self.look(*place)
        self.plain[place], self.sent[place], self.answered[place] = False, 0, 0
        self.newest[place] = self.stale_at[place] = NOBODY
        return cell

    # -- many cells ---------------------------------------------------------------------------------------------

    def fold(self, row: int, columns: Batch, sent: Batch, rtt_ms: Batch) -> None:
        """Plain answers of one source: columns of cells that are numbers, when each was sent, RTTs (0: not known)."""
        first = np.unique(columns, return_index=True)[1]
        if len(first) < len(columns):
            again = np.setdiff1d(np.arange(len(columns)), first)
            self.fold(row, columns[first], sent[first], rtt_ms[first])
            self.fold(row, columns[again], sent[again], rtt_ms[again])
            return
        slot = self.answered[row, columns] % KEPT
        self.rtts[row, columns, slot] = np.where(rtt_ms > 0, rtt_ms, np.nan)
        newest = self.newest[row, columns] = np.maximum(self.newest[row, columns], sent)
        self.stale_at[row, columns] = newest + self._patience[row, columns]
        self.sent[row, columns] += np.uint32(1)
        self.answered[row, columns] += np.uint32(1)

    def rest(self, now: float) -> list[tuple[str, str]]:
        """The cells that were held and have been well for a while are numbers from now on; which ones."""
        done = [key for key, cell in self.held.items() if _is_well(cell, now)]
        for key in done:
            self._put_back(key, self.held.pop(key))
        return done

    def _put_back(self, key: tuple[str, str], cell: Cell) -> None:
        place = self.place(key)
        assert place is not None
        self.plain[place] = True
        self.sent[place], self.answered[place] = cell.sent, cell.answered
        self.newest[place] = newest = max((one.sent for one in cell.recent), default=NEVER)
        self.stale_at[place] = newest + self._patience[place]
        last = [one.rtt_ms for one in cell.recent if one.rtt_ms is not None][-KEPT:]
        self.rtts[place] = np.nan
        self.rtts[place][: len(last)] = last

    def stale(self, now: float) -> Batch:
        """Where a cell's newest probe is too old, as `Cell.stale` says it."""
        return self.stale_at < now

    def carry(self, old: Matrix) -> None:
        """What is known of the cells that are still declared."""
        if not isinstance(old, Columns):
            for key, cell in old.cells.items():
                if cell.recent and self.place(key):
                    self._keep(key, cell)
            return
        rows, columns = (
            [(mine[name], at) for at, name in enumerate(side) if name in mine]
            for side, mine in ((old.sources, self._row), (old.targets, self._column))
        )
        here, there = (np.ix_([one[at] for one in rows], [one[at] for one in columns]) for at in (0, 1))
        for mine, theirs in ((self.newest, old.newest), (self.sent, old.sent), (self.answered, old.answered),
                             (self.rtts, old.rtts)):  # fmt: skip
            mine[here] = theirs[there]
        self.newest[self.declared & (self.newest == NOBODY)], self.newest[~self.declared] = NEVER, NOBODY
        self.stale_at = np.where(self.declared, self.newest + self._patience, NOBODY)
        for key, cell in old.held.items():
            if self.place(key):
                self._keep(key, cell)

    def _keep(self, key: tuple[str, str], cell: Cell) -> None:
        mine = self.hold(key)
        assert mine is not None
        mine.carry(cell)

    # -- what is asked of the whole -----------------------------------------------------------------------------

    def near(self, sources: Container[str], targets: Container[str]) -> Iterator[Cell]:
        """The cells of any of these sources or targets, and whatever is held."""
        rows = [at for at, name in enumerate(self.sources) if name in sources]
        columns = [at for at, name in enumerate(self.targets) if name in targets]
        wanted = np.zeros(self.declared.shape, bool)
        wanted[rows, :], wanted[:, columns] = True, True
        yield from (self.look(int(row), int(column)) for row, column in np.argwhere(wanted & self.plain))
        yield from self.held.values()

    def around(self, source: str, target: str, since: float) -> Iterator[Newest]:
        """Of this source and this target, of each other source its last answer, and of whatever is held."""
        yield from (last for cell in self.held.values() if (last := cell.newest()))
        if not self.plain.any():
            return
        newest, wanted = np.where(self.plain, self.newest, NEVER), np.zeros(self.plain.shape, bool)
        wanted[[self._row[one] for one in (source,) if one in self._row]] = True
        wanted[:, [self._column[one] for one in (target,) if one in self._column]] = True
        wanted[np.arange(len(newest)), newest.argmax(axis=1)] = True
        for row, column in np.argwhere(wanted & (newest >= since) & np.isfinite(newest)).tolist():
            yield Newest(self.sources[row], self.targets[column], float(newest[row, column]), _ANSWERS)

    def asked(self, source: str, target: str) -> Collection[tuple[str, str]]:
        """The declared pairs of this source or this target."""
        row, column = self._row.get(source), self._column.get(target)
        mine = np.flatnonzero(self.declared[row]) if row is not None else ()
        theirs = np.flatnonzero(self.declared[:, column]) if column is not None else ()
        return {(source, self.targets[at]) for at in mine} | {(self.sources[at], target) for at in theirs}

    def select(self, sources: Iterable[str] = (), targets: Iterable[str] = ()) -> Iterator[Cell]:
        """The cells of these sources and targets (none given: all)."""
        where = self._where(tuple(sources), tuple(targets))
        return (self.look(int(row), int(column)) for row, column in np.argwhere(where))

    def _where(self, sources: Collection[str], targets: Collection[str]) -> Batch:
        """The declared cells of these names (none given: all)."""
        where = self.declared.copy()
        for axis, (side, wanted) in enumerate(((self.sources, set(sources)), (self.targets, set(targets)))):
            if wanted:
                out = [at for at, name in enumerate(side) if name not in wanted]
                where[(slice(None),) * axis + (out,)] = False
        return where

    def standing(self, now: float, sources: Collection[str] = (), targets: Collection[str] = ()) -> Iterator[Group]:
        """All cells of these names: each held one by itself, the plain ones together, the stale ones of them apart."""
        rows, columns = self._some(self.sources, sources), self._some(self.targets, targets)
        wanted_sources, wanted_targets = set(sources), set(targets)
        for cell in self.held.values():
            if cell.source in (wanted_sources or (cell.source,)) and cell.target in (wanted_targets or (cell.target,)):
                yield Group(1, cell.age(now), cell)
        newest, plain = self.newest[rows][:, columns], self.plain[rows][:, columns]
        stale, place = self.stale_at[rows][:, columns] < now, (np.arange(len(self.sources))[rows], columns)
        late, total = int(np.count_nonzero(stale)), int(np.count_nonzero(plain))
        if late:
            yield self._group(late, np.where(stale, newest, NOBODY) if late < total else newest, place, now)
        if total - late:
            yield self._group(total - late, np.where(stale, NOBODY, newest) if late else newest, place, now)

    def _some(self, side: list[str], names: Collection[str]) -> slice | Batch:
        """Where these names stand (none given, or all of them: everywhere)."""
        wanted = set(names)
        if not wanted or wanted.issuperset(side):
            return slice(None)
        return np.array([at for at, name in enumerate(side) if name in wanted], np.int64)

    def _group(self, number: int, newest: Batch, place: tuple[Batch, slice | Batch], now: float) -> Group:
        """So many cells, with the oldest of those that have a time in `newest`."""
        row, column = np.unravel_index(int(newest.argmin()), newest.shape)
        cell = self.look(int(place[0][row]), int(np.arange(len(self.targets))[place[1]][column]))
        return Group(number, cell.age(now), cell)

    def shown(
        self, now: float, at: str, sources: Collection[str] = (), targets: Collection[str] = ()
    ) -> dict[str, Any]:
        """As `Matrix.shown`; beyond `LISTED` cells those that are not healthy, and how many more there are."""
        where = self._where(sources, targets)
        count = int(np.count_nonzero(where))
        if count <= LISTED:
            return self.document(now, at, self.select(sources, targets))
        held = [one for one in self.held.values() if where[self.place((one.source, one.target))]]
        failing = [one for one in held if one.verdict(now).label != Label.HEALTHY]
        plain = where & self.plain
        stale = plain & self.stale(now)
        late = zip(*np.unravel_index(np.flatnonzero(stale)[: max(0, WORST - len(failing))], stale.shape), strict=True)
        listed = sorted(failing, key=_unknown_last(now))
        listed = [*listed, *(self.look(int(row), int(column)) for row, column in late)][:WORST]
        unknown = int(np.count_nonzero(stale))
        rest = Counter({Label.UNKNOWN: unknown, Label.HEALTHY: int(np.count_nonzero(plain)) - unknown})
        rest.update(one.verdict(now).label for one in held)
        rest.subtract(one.verdict(now).label for one in listed)
        return {
            **self.document(now, at, listed), "sources": self._named(where, 0), "targets": self._named(where, 1),
            "left_out": {label.value: rest[label] for label in LABELS if rest[label]},
        }  # fmt: skip

    def _named(self, where: Batch, axis: int) -> list[str]:
        names = (self.sources, self.targets)[axis]
        return [names[at] for at in np.flatnonzero(where.any(axis=1 - axis))]

    def codes(self, now: float) -> Codes:
        """Every cell's label as a number."""
        unknown, healthy = (LABELS.index(one) for one in (Label.UNKNOWN, Label.HEALTHY))
        codes = np.full(self.declared.shape, healthy, np.uint8)
        np.putmask(codes, self.stale(now), unknown)
        np.putmask(codes, ~self.declared, NOT_DECLARED)
        for key, cell in self.held.items():
            codes[self.place(key)] = LABELS.index(cell.verdict(now).label)
        return Codes(self.sources, self.targets, codes)

    def by_zones(self, zones: Mapping[str, str], now: float) -> list[ZonePair]:
        """The cells of each pair of zones, counted."""
        if not self.declared.size:
            return []
        blocks = Blocks(*([zones.get(name, "") for name in side] for side in (self.sources, self.targets)))
        stale, plain, sent, answered = map(blocks.total, (self.stale(now), self.plain, self.sent, self.answered))
        oldest = blocks.least(self.newest)
        pairs = {
            key: ZonePair(
                *key, {Label.UNKNOWN: int(stale[at]), Label.HEALTHY: int(plain[at] - stale[at])},
                _age(now, float(oldest[at])), int(sent[at]), int(answered[at]),
            )
            for at, key in blocks
        }  # fmt: skip
        for cell in self.held.values():
            key = zones.get(cell.source, ""), zones.get(cell.target, "")
            pairs[key] = _with(pairs[key], cell, now)
        told = (one._replace(labels={label: n for label, n in one.labels.items() if n}) for one in pairs.values())
        return [one for one in told if one.labels]


class _Cells(Mapping[tuple[str, str], Cell]):
    """The cells by source and target, as a matrix of few has them; to be read."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def __getitem__(self, key: tuple[str, str]) -> Cell:
        place = self._columns.place(key)
        if place is None:
            raise KeyError(key)
        return self._columns.look(*place)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, tuple) and len(key) == 2 and self._columns.place(key) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        c = self._columns
        return ((c.sources[row], c.targets[column]) for row, column in np.argwhere(c.declared))

    def __len__(self) -> int:
        return int(np.count_nonzero(self._columns.declared))


_ANSWERS = Verdict(Label.HEALTHY, Confidence.INFERRED, "The target answers.")
"""Said of a plain cell to whoever looks at many: making thousands of sentences took a tenth of a second."""


def _well(source: str, target: str, rtt_ms: float | None) -> Verdict:
    """What is said of an answer that was told briefly: the prober's word, and no other packet."""
    took = f" in {rtt_ms:.2f} ms" if rtt_ms is not None else ""
    return Verdict(Label.HEALTHY, Confidence.INFERRED, f"{source} → {target} answers{took}.")


def _is_well(cell: Cell, now: float) -> bool:
    """Nothing fails in it, nothing is being found out, and no probe of it can gain evidence any more."""
    age = cell.age(now)
    if (
        age is None
        or age < WELL
        or cell.deaf is not None
        or any(n.verdict.label != Label.HEALTHY for n in cell.window())
    ):
        return False
    mixed = any(not one.verdict.label.passes for one in cell.recent if one.sent > now - REMEMBER)
    return not mixed and (cell.settled() or cell.finding is None)


def _unknown_last(now: float) -> Callable[[Cell], bool]:
    return lambda cell: cell.verdict(now).label == Label.UNKNOWN


def _age(now: float, newest: float) -> float:
    """Seconds; infinite where one was never judged, 0 where there is no plain cell."""
    return 0.0 if newest == NOBODY else max(0.0, now - newest)


def _with(pair: ZonePair, cell: Cell, now: float) -> ZonePair:
    """A pair of zones and one more of its cells."""
    label, age = cell.verdict(now).label, cell.age(now)
    return pair._replace(
        labels=pair.labels | {label: pair.labels.get(label, 0) + 1}, age=max(pair.age, np.inf if age is None else age),
        sent=pair.sent + cell.sent, answered=pair.answered + cell.answered,
    )  # fmt: skip
