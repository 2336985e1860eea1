"""The intake log: a report that was acknowledged is here, once, for as long as `prune` leaves it.

`watermarks` make "once" outlive pruning: every sequence up to the mark was taken. The mark moves only over reports
that are here without a hole between them, so one that comes late (newest first after an outage) is never taken for
one that was forgotten. A hole that the agent itself calls a gap is none: nothing will come for it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from prober.errors import Refused
from prober.store.engine import Many, Store
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
        before = _last(connection)
        placed = _placed(rows, before, store.now_ns(connection))
        new = store.put(connection, _NEW, placed)
        if new:
            store.tell(connection, f"reports#{store.origin}")
        _keep_gaps(store, connection, told)
        places = [row[3] for row in placed]
        if new < len(placed):
            there = connection.execute(sa.select(reports.c.received_ns).where(reports.c.received_ns > before))
            mine = set(there.scalars())
            places = [place if place in mine else 0 for place in places]
    return Taken(places, before)


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


Named = tuple[str, int, int, int, bytes]
"""A `Row`, as a plain tuple."""


def _placed(rows: Iterable[Named], before: int, now_ns: int) -> list[Named]:
    """The rows with their places, as if all were new: the place of one that is there already stays empty."""
    placed = []
    for agent, epoch, sequence, received_ns, body in rows:
        before = max(before + 1, received_ns or now_ns)
        placed.append((agent, epoch, sequence, before, body))
    return placed


def _mark(connection: sa.Connection, agent: str, epoch: int) -> int:
    mine = sa.and_(watermarks.c.agent == agent, watermarks.c.epoch == epoch)
    return connection.execute(sa.select(watermarks.c.sequence).where(mine)).scalar_one_or_none() or 0


_NEW = Many(
    5,
    """INSERT INTO reports (agent, epoch, sequence, received_ns, body) SELECT * FROM (VALUES {}) WHERE NOT EXISTS (
         SELECT 1 FROM watermarks w WHERE w.agent = column1 AND w.epoch = column2 AND w.sequence >= column3
       ) ON CONFLICT DO NOTHING""",
    """INSERT INTO reports (agent, epoch, sequence, received_ns, body) SELECT n.* FROM unnest(
         %b::text[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bytea[]
       ) AS n(agent, epoch, sequence, received_ns, body) WHERE NOT EXISTS (
         SELECT 1 FROM watermarks w WHERE w.agent = n.agent AND w.epoch = n.epoch AND w.sequence >= n.sequence
       ) ON CONFLICT DO NOTHING""",
)
"""Those that were not taken before; of one that comes twice, the first."""


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
    full = sa.and_(old, reports.c.body != b"")
    return gone + store.in_parts(reports, full, sa.update(reports).values(body=b""))


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
