"""Incidents, numbered in the order in which they were opened."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from prober.store.engine import Store
from prober.store.tables import incidents


class Row(msgspec.Struct, frozen=True):
    """An incident as it is kept. ``closed_ns`` is None as long as it is open; see `prober.incident`."""

    id: str
    opened_ns: int
    closed_ns: int | None
    because: str
    into: str
    label: str
    cause: str | None
    confidence: str | None
    culprit: str | None
    element: str
    kind: str
    route: str | None
    sentence: str
    next_step: str
    zones: list[str]
    cells: int
    failing: int
    body: bytes


_COLUMNS = [incidents.c[name] for name in Row.__struct_fields__]


def keep(store: Store, rows: Sequence[Row]) -> None:
    """Each takes the place of what was kept of its incident before."""
    with store.begin() as connection:
        for row in rows:
            values = msgspec.structs.asdict(row)
            made = store.insert(incidents).values(**values)
            connection.execute(made.on_conflict_do_update(index_elements=["id"], set_=values))


def opened(store: Store) -> list[Row]:
    """Those that are open, the oldest first."""
    asked = sa.select(*_COLUMNS).where(incidents.c.closed_ns.is_(None)).order_by(incidents.c.number)
    with store.read() as connection:
        return [Row(**row._mapping) for row in connection.execute(asked)]


def since(store: Store, at_ns: int) -> list[Row]:
    """Those that were open at `at_ns` or later, the oldest first."""
    late = sa.or_(incidents.c.closed_ns.is_(None), incidents.c.closed_ns >= at_ns)
    with store.read() as connection:
        found = connection.execute(sa.select(*_COLUMNS).where(late).order_by(incidents.c.number))
        return [Row(**row._mapping) for row in found]


def get(store: Store, name: str) -> Row | None:
    """The incident with this id."""
    with store.read() as connection:
        row = connection.execute(sa.select(*_COLUMNS).where(incidents.c.id == name)).one_or_none()
    return None if row is None else Row(**row._mapping)


def last(
    store: Store, limit: int = 100, before: int | None = None, is_open: bool | None = None
) -> list[tuple[int, Row]]:
    """``(number, incident)`` of the newest (before number `before`), newest first; open or closed ones alone."""
    asked = sa.select(incidents.c.number, *_COLUMNS)
    if before is not None:
        asked = asked.where(incidents.c.number < before)
    if is_open is not None:
        asked = asked.where(incidents.c.closed_ns.is_(None) if is_open else incidents.c.closed_ns.is_not(None))
    with store.read() as connection:
        found = connection.execute(asked.order_by(incidents.c.number.desc()).limit(limit))
        return [(row.number, Row(**{name: row._mapping[name] for name in Row.__struct_fields__})) for row in found]


def prune(store: Store, before_ns: int) -> int:
    """Forgets those that were closed before. How many went."""
    return store.forget(incidents, incidents.c.closed_ns < before_ns)
