"""The intake log: a report that was acknowledged is here, once, for as long as `prune` leaves it.

`watermarks` make "once" outlive pruning: every sequence up to the mark was taken. The mark moves only over reports
that are here without a hole between them, so one that comes late (newest first after an outage) is never taken for
one that was forgotten. A hole that the agent itself calls a gap is none: nothing will come for it.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from prober.errors import Refused
from prober.store.engine import Store
from prober.store.tables import COUNTED, fleet, gaps, reports, watermarks

LARGEST = 2**63 - 1
"""Both databases count in signed 64 bits."""

AT_ONCE = 500
"""Rows in one statement."""


class Row(NamedTuple):
    """One report; ``(agent, epoch, sequence)`` names it, ``body`` is what came over the wire. Sequences start at 1."""

    agent: str
    epoch: int
    sequence: int
    received_ns: int
    body: bytes


class Taken(NamedTuple):
    """What became of a batch: each row's place in the log (its ``received_ns``), 0 for one that had been taken
    before; ``before`` is the last place before them, 0 where the log was empty."""

    places: list[int]
    before: int


class Gap(NamedTuple):
    """Reports ``first .. last`` that an agent let go; what they covered, in Unix nanoseconds of the controller."""

    agent: str
    epoch: int
    last: int
    first: int
    from_ns: int
    to_ns: int
    probes: int
    failed: int
    why: str


def take(store: Store, agent: str, epoch: int, sequence: int, received_ns: int, body: bytes) -> bool:
    """Keeps one report; False when it had been taken before. When this returns, the report is on disk."""
    return take_many(store, [(agent, epoch, sequence, received_ns, body)])[0]


def take_many(store: Store, rows: Sequence[tuple[str, int, int, int, bytes]], told: Sequence[Gap] = ()) -> list[bool]:
    """Keeps reports, given as `Row`, and the gaps they tell, in one commit: all of them or none.

    Per row: True when it is new; a gap that is told again is kept as wide as it was ever told. Raises Refused for a
    number that fits no column, StoreUnavailable, StoreFull.
    """
    return [place > 0 for place in append(store, rows, told).places]


def append(store: Store, rows: Sequence[tuple[str, int, int, int, bytes]], told: Sequence[Gap] = ()) -> Taken:
    """The same, and where in the log each row came to stand.

    Places grow with every commit, whoever writes: a reader that goes on after the last place it saw misses nothing.
    They are times of the database's clock, for rows that say 0 where they were received; two rows are never at one.
    """
    if not rows:
        return Taken([], 0)
    for agent, epoch, sequence, _, _ in rows:
        if not (0 <= epoch <= LARGEST and 0 < sequence <= LARGEST):
            raise Refused(f"report {epoch}/{sequence} of {agent}: epoch is 0 to 2**63-1, sequence 1 to 2**63-1")
    with store.begin() as connection:
        store.alone(connection, reports)
        fresh = _fresh(store, connection, rows)
        before = _last(connection)
        placed = _placed(fresh, before, store.now_ns(connection))
        if placed:
            store.put(connection, reports, placed)
            store.tell(connection, "reports")
        _keep_gaps(store, connection, told)
    places = {(row.agent, row.epoch, row.sequence): row.received_ns for row in placed}
    return Taken([places.pop(row[:3], 0) for row in rows], before)  # the same twice in a batch is new the first time


def _last(connection: sa.Connection) -> int:
    """The last place; where all that was there is forgotten, the last that was counted."""
    last = connection.execute(sa.select(sa.func.max(reports.c.received_ns))).scalar_one()
    if last is None:
        last = connection.execute(sa.select(fleet.c.value).where(fleet.c.key == COUNTED)).scalar_one_or_none()
    return int(last or 0)


def last(store: Store) -> int:
    """The last place in the log."""
    with store.read() as connection:
        return _last(connection)


def _placed(rows: Iterable[Row], before: int, now_ns: int) -> list[Row]:
    placed = []
    for row in rows:
        before = max(before + 1, row.received_ns or now_ns)
        placed.append(row._replace(received_ns=before))
    return placed


def _mark(connection: sa.Connection, agent: str, epoch: int) -> int:
    mine = sa.and_(watermarks.c.agent == agent, watermarks.c.epoch == epoch)
    return connection.execute(sa.select(watermarks.c.sequence).where(mine)).scalar_one_or_none() or 0


_THERE = """
    SELECT n.agent, n.epoch, n.sequence FROM {names} WHERE EXISTS (
        SELECT 1 FROM reports r WHERE r.agent = n.agent AND r.epoch = n.epoch AND r.sequence = n.sequence
    ) OR EXISTS (
        SELECT 1 FROM watermarks w WHERE w.agent = n.agent AND w.epoch = n.epoch AND w.sequence >= n.sequence
    )"""
"""Which of these names were taken before. One text however many they are: it is compiled and planned once."""
_ON_POSTGRESQL = _THERE.format(names="unnest(%s::text[], %s::bigint[], %s::bigint[]) AS n(agent, epoch, sequence)")
_ON_SQLITE = _THERE.format(
    names="(SELECT value ->> 0 AS agent, value ->> 1 AS epoch, value ->> 2 AS sequence FROM json_each(?)) AS n"
)


def _fresh(
    store: Store, connection: sa.Connection, rows: Sequence[tuple[str, int, int, int, bytes]]
) -> list[Row]:  # fmt: skip
    """Those that are not there yet, in order. Nobody else writes reports meanwhile: see `Store.alone`."""
    fresh: dict[tuple[str, int, int], Row] = {}
    for row in rows:
        fresh.setdefault(row[:3], Row(*row))  # of one that came twice, the first
    if store.on_sqlite:
        there = connection.exec_driver_sql(_ON_SQLITE, (json.dumps(list(fresh)),))
    else:
        there = connection.exec_driver_sql(_ON_POSTGRESQL, tuple(map(list, zip(*fresh, strict=True))))
    for agent, epoch, sequence in there:
        del fresh[agent, epoch, sequence]
    return list(fresh.values())


def _keep_gaps(store: Store, connection: sa.Connection, told: Sequence[Gap]) -> None:
    if not told:
        return
    statement = store.insert(gaps)
    names = [column.name for column in gaps.primary_key]
    wider = {one.name: statement.excluded[one.name] for one in gaps.c if one.name not in names}
    upsert = statement.on_conflict_do_update(
        index_elements=names, set_=wider, where=statement.excluded.first < gaps.c.first
    )
    connection.execute(upsert, [gap._asdict() for gap in told])


def told_gaps(store: Store, since_ns: int, agent: str | None = None, limit: int = 1000) -> list[Gap]:
    """The gaps that ended at or after `since_ns`, newest first."""
    wanted = [gaps.c.to_ns >= since_ns, *([gaps.c.agent == agent] if agent is not None else [])]
    columns = [gaps.c[name] for name in Gap._fields]
    asked = sa.select(*columns).where(*wanted).order_by(gaps.c.to_ns.desc(), gaps.c.last.desc()).limit(limit)
    with store.read() as connection:
        return [Gap(*row) for row in connection.execute(asked)]


def prune_gaps(store: Store, before_ns: int) -> int:
    """Forgets gaps that ended before `before_ns` and that the mark has passed: one that it waits at stays."""
    reached = sa.select(watermarks.c.sequence).where(
        watermarks.c.agent == gaps.c.agent, watermarks.c.epoch == gaps.c.epoch
    )
    old = sa.and_(gaps.c.to_ns < before_ns, gaps.c.last <= reached.scalar_subquery())
    return store.forget(gaps, old)


def recent_reports(store: Store, since_ns: int) -> Iterator[Row]:
    """The reports received at or after `since_ns`, in the order they were received."""
    asked = sa.select(reports).where(reports.c.received_ns >= since_ns)
    ordered = asked.order_by(reports.c.received_ns, reports.c.agent, reports.c.epoch, reports.c.sequence)
    with store.read() as connection:
        for row in connection.execution_options(yield_per=AT_ONCE).execute(ordered):
            yield Row(*row)


def after(store: Store, place: int, limit: int) -> list[Row]:
    """The reports that stand behind `place` in the log, in order, those forgotten left out."""
    mine = sa.select(reports).where(reports.c.received_ns > place, reports.c.body != b"")
    with store.read() as connection:
        return [Row(*row) for row in connection.execute(mine.order_by(reports.c.received_ns).limit(limit))]


def prune(store: Store, before_ns: int) -> int:
    """Forgets reports received before `before_ns` and returns how many; none of them can be taken again.

    One behind a gap keeps its name and loses its body: the reports before it may still come. Nobody who has a report
    waits for more than a part of it.
    """
    old = reports.c.received_ns < before_ns
    epochs = sa.select(reports.c.agent, reports.c.epoch).where(old, reports.c.body != b"").distinct()
    with store.read() as connection:
        aged = connection.execute(epochs).all()
    for agent, epoch in aged:
        with store.begin() as connection:
            store.alone(connection, reports)
            _move_mark(store, connection, agent, epoch)
    reached = sa.select(watermarks.c.sequence).where(
        watermarks.c.agent == reports.c.agent, watermarks.c.epoch == reports.c.epoch
    )
    gone = store.forget(reports, sa.and_(old, reports.c.sequence <= reached.scalar_subquery()))
    with store.begin() as connection:
        store.alone(connection, reports)
        emptied = sa.update(reports).where(old, reports.c.body != b"").values(body=b"")
        return gone + connection.execute(emptied).rowcount


def _move_mark(store: Store, connection: sa.Connection, agent: str, epoch: int) -> None:
    """The mark goes to the last report before the first hole above it; over what the agent calls a gap it goes on."""
    mark = _mark(connection, agent, epoch)
    mine = sa.and_(reports.c.agent == agent, reports.c.epoch == epoch, reports.c.sequence > mark)
    asked = sa.select(reports.c.sequence).where(mine).order_by(reports.c.sequence)
    beyond = sa.and_(gaps.c.agent == agent, gaps.c.epoch == epoch, gaps.c.last > mark)
    found = connection.execute(sa.select(gaps.c.first, gaps.c.last).where(beyond))
    spans = sorted((first, last) for first, last in found)
    end = mark
    for first, last in _merged(connection.execute(asked).scalars(), spans):
        if first > end + 1:
            break
        end = max(end, last)
    if end > mark:
        row = store.insert(watermarks).values(agent=agent, epoch=epoch, sequence=end)
        connection.execute(row.on_conflict_do_update(index_elements=["agent", "epoch"], set_={"sequence": end}))


def _merged(sequences: Iterable[int], spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Reports and gaps, as first and last, by their first."""
    return heapq.merge(((one, one) for one in sequences), spans)
