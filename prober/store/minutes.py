"""Counts by the minute, for pairs and for objectives. A minute is named by the Unix second it begins with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from prober.store import tables
from prober.store.engine import Store


class Minute(NamedTuple):
    """One pair's minute: probes sent, answered, failed; ``rtt_sum_us`` of the answered ones, in microseconds."""

    source: str
    target: str
    minute: int
    sent: int
    answered: int
    failed: int
    rtt_sum_us: int


class ObjectiveMinute(NamedTuple):
    """One objective's minute, as `prober.slo.Row`."""

    objective: str
    minute: int
    good: int
    total: int


def add_minutes(store: Store, rows: Iterable[Minute]) -> None:
    """Adds these counts to what the pairs' minutes hold already."""
    _merge(store, tables.minutes, [row._asdict() for row in rows], add=True)


def pair_minutes(store: Store, source: str, target: str, since: int) -> list[Minute]:
    """One pair's minutes from Unix second `since` on, in order."""
    table = tables.minutes
    mine = [table.c.source == source, table.c.target == target, table.c.minute >= since]
    with store.read() as connection:
        return [Minute(*row) for row in connection.execute(sa.select(table).where(*mine).order_by(table.c.minute))]


def add_objective_minutes(store: Store, rows: Iterable[tuple[str, int, int, int]]) -> None:
    """Adds these counts (as `ObjectiveMinute`) to what the objectives' minutes hold already."""
    _merge(store, tables.objective_minutes, [ObjectiveMinute(*row)._asdict() for row in rows], add=True)


def put_objective_minutes(store: Store, rows: Iterable[tuple[str, int, int, int]], until_ns: int | None = None) -> None:
    """Each row takes the place of its objective's minute: for a ledger that was loaded from here and counts on.

    `until_ns` is kept with them: reports received up to that moment are in the counts.
    """
    table = tables.objective_minutes
    with store.begin() as connection:
        _upsert(store, connection, table, [ObjectiveMinute(*row)._asdict() for row in rows], add=False)
        if until_ns is not None:
            mark = store.insert(tables.fleet).values(key=tables.COUNTED, value=str(until_ns).encode())
            connection.execute(mark.on_conflict_do_update(index_elements=["key"], set_={"value": mark.excluded.value}))


def counted_until(store: Store) -> int | None:
    """The moment up to which reports are in the objectives' minutes; None where none was ever kept."""
    asked = sa.select(tables.fleet.c.value).where(tables.fleet.c.key == tables.COUNTED)
    with store.read() as connection:
        found: bytes | None = connection.execute(asked).scalar_one_or_none()
    return None if found is None else int(found)


def objective_minutes(store: Store, since: int = 0) -> list[ObjectiveMinute]:
    """Every objective's minutes from Unix second `since` on, in order."""
    table = tables.objective_minutes
    asked = sa.select(table).where(table.c.minute >= since).order_by(table.c.objective, table.c.minute)
    with store.read() as connection:
        return [ObjectiveMinute(*row) for row in connection.execute(asked)]


def roll_objective_minutes(store: Store, before: int) -> int:
    """The objectives' minutes of the hours that ended before Unix second `before` become hours; how many went."""
    table, edge = tables.objective_minutes, before - before % 3600
    hour, old = table.c.minute - table.c.minute % 3600, table.c.minute < edge
    fine = sa.and_(old, table.c.minute % 3600 != 0)
    sums = sa.select(table.c.objective, hour, sa.func.sum(table.c.good), sa.func.sum(table.c.total)).where(old)
    with store.read() as connection:
        names = connection.execute(sa.select(table.c.objective).where(fine).distinct()).scalars().all()
    gone = 0
    for name in names:  # a transaction for each, so that nobody waits for many
        mine = table.c.objective == name
        with store.begin() as connection:
            rows = connection.execute(sums.where(mine).group_by(table.c.objective, hour)).all()
            whole = [ObjectiveMinute(row[0], int(row[1]), int(row[2]), int(row[3]))._asdict() for row in rows]
            _upsert(store, connection, table, whole, add=False)
            gone += connection.execute(sa.delete(table).where(mine, fine)).rowcount
    return gone


def prune_minutes(store: Store, before: int) -> int:
    """Forgets minutes that began before Unix second `before`; how many went."""
    return sum(store.forget(table, table.c.minute < before) for table in (tables.minutes, tables.objective_minutes))


def _merge(store: Store, table: sa.Table, rows: Sequence[dict[str, object]], *, add: bool) -> None:
    with store.begin() as connection:
        _upsert(store, connection, table, rows, add=add)


def _upsert(
    store: Store, connection: sa.Connection, table: sa.Table, rows: Sequence[dict[str, object]], *, add: bool
) -> None:
    if not rows:
        return
    statement = store.insert(table)
    counts = [column for column in table.c if not column.primary_key]
    merged = {one.name: one + statement.excluded[one.name] if add else statement.excluded[one.name] for one in counts}
    upsert = statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=merged)
    connection.execute(upsert, list(rows))
