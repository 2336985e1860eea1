"""The intake log: a report that was acknowledged is here, once, for as long as `prune` leaves it.

`watermarks` make "once" outlive pruning: every sequence up to the mark was taken. The mark moves only over reports
that are here without a gap between them, so one that comes late (newest first after an outage) is never taken for
one that was forgotten.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeVar

import sqlalchemy as sa

from prober.errors import Refused
from prober.store.engine import Store
from prober.store.tables import reports, watermarks

LARGEST = 2**63 - 1
"""Both databases count in signed 64 bits."""

AT_ONCE = 500
"""Rows in one statement."""

Some = TypeVar("Some")


class Row(NamedTuple):
    """One report; ``(agent, epoch, sequence)`` names it, ``body`` is what came over the wire. Sequences start at 1."""

    agent: str
    epoch: int
    sequence: int
    received_ns: int
    body: bytes


def take(store: Store, agent: str, epoch: int, sequence: int, received_ns: int, body: bytes) -> bool:
    """Keeps one report; False when it had been taken before. When this returns, the report is on disk."""
    return take_many(store, [(agent, epoch, sequence, received_ns, body)])[0]


def take_many(store: Store, rows: Sequence[tuple[str, int, int, int, bytes]]) -> list[bool]:
    """Keeps reports, given as `Row`, in one commit: all of them or none.

    Per row: True when it is new. Raises Refused for a number that fits no column, StoreUnavailable, StoreFull.
    """
    if not rows:
        return []
    for agent, epoch, sequence, _, _ in rows:
        if not (0 <= epoch <= LARGEST and 0 < sequence <= LARGEST):
            raise Refused(f"report {epoch}/{sequence} of {agent}: epoch is 0 to 2**63-1, sequence 1 to 2**63-1")
    with store.begin() as connection:
        store.alone(connection, reports)
        marks = _marks(connection, sorted({(agent, epoch) for agent, epoch, *_ in rows}))
        later = [Row(*row) for row in rows if row[2] > marks.get((row[0], row[1]), 0)]
        fresh = _insert(store, connection, later)
    return [_first(row[:3], fresh) for row in rows]


def _parts(rows: Sequence[Some]) -> Iterator[Sequence[Some]]:
    return (rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE))


def _marks(connection: sa.Connection, epochs: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    found: dict[tuple[str, int], int] = {}
    for some in _parts(epochs):
        named = sa.tuple_(watermarks.c.agent, watermarks.c.epoch).in_(some)
        for agent, epoch, sequence in connection.execute(sa.select(watermarks).where(named)):
            found[agent, epoch] = sequence
    return found


def _insert(store: Store, connection: sa.Connection, rows: Sequence[Row]) -> set[tuple[str, int, int]]:
    """The names of those that were not there yet."""
    fresh: set[tuple[str, int, int]] = set()
    for some in _parts(rows):
        statement = store.insert(reports).values([row._asdict() for row in some]).on_conflict_do_nothing()
        named = statement.returning(reports.c.agent, reports.c.epoch, reports.c.sequence)
        fresh.update((agent, epoch, sequence) for agent, epoch, sequence in connection.execute(named))
    return fresh


def _first(name: tuple[str, int, int], fresh: set[tuple[str, int, int]]) -> bool:
    """True once for each fresh name: the same report twice in one batch is new only the first time."""
    if name not in fresh:
        return False
    fresh.remove(name)
    return True


def recent_reports(store: Store, since_ns: int) -> Iterator[Row]:
    """The reports received at or after `since_ns`, in the order they were received."""
    asked = sa.select(reports).where(reports.c.received_ns >= since_ns)
    ordered = asked.order_by(reports.c.received_ns, reports.c.agent, reports.c.epoch, reports.c.sequence)
    with store.read() as connection:
        for row in connection.execution_options(yield_per=AT_ONCE).execute(ordered):
            yield Row(*row)


def prune(store: Store, before_ns: int) -> int:
    """Forgets reports received before `before_ns` and returns how many; none of them can be taken again.

    One behind a gap keeps its name and loses its body: the reports before it may still come.
    """
    with store.begin() as connection:
        store.alone(connection, reports)
        old = reports.c.received_ns < before_ns
        epochs = sa.select(reports.c.agent, reports.c.epoch).where(old, reports.c.body != b"").distinct()
        for agent, epoch in connection.execute(epochs).all():
            _move_mark(store, connection, agent, epoch)
        reached = sa.select(watermarks.c.sequence).where(
            watermarks.c.agent == reports.c.agent, watermarks.c.epoch == reports.c.epoch
        )
        gone = connection.execute(sa.delete(reports).where(old, reports.c.sequence <= reached.scalar_subquery()))
        emptied = sa.update(reports).where(old, reports.c.body != b"").values(body=b"")
        return gone.rowcount + connection.execute(emptied).rowcount


def _move_mark(store: Store, connection: sa.Connection, agent: str, epoch: int) -> None:
    """The mark goes to the last report before the first gap above it."""
    mark = _marks(connection, [(agent, epoch)]).get((agent, epoch), 0)
    mine = sa.and_(reports.c.agent == agent, reports.c.epoch == epoch, reports.c.sequence > mark)
    asked = sa.select(reports.c.sequence).where(mine).order_by(reports.c.sequence)
    end = mark
    for sequence in connection.execute(asked).scalars():
        if sequence != end + 1:
            break
        end = sequence
    if end > mark:
        row = store.insert(watermarks).values(agent=agent, epoch=epoch, sequence=end)
        connection.execute(row.on_conflict_do_update(index_elements=["agent", "epoch"], set_={"sequence": end}))
