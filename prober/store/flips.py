"""Changes worth telling, numbered: who reads them goes on after the last number it saw."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from prober.flip import Flip
from prober.store.engine import Store
from prober.store.tables import flips


def add_flips(store: Store, rows: Iterable[Flip]) -> list[int]:
    """Keeps flips in one commit, their times to the microsecond; their ids, in the order given.

    The last ones once more change nothing: whoever did not hear that they were kept tries again.
    """
    values = [
        {
            "at_ns": round(row.at * 1e6) * 1000,
            **{name: getattr(row, name) for name in ("source", "target", "before", "after", "sentence")},
        }
        for row in rows
    ]
    if not values:
        return []
    with store.begin() as connection:
        newest = connection.execute(sa.select(flips).order_by(flips.c.id.desc()).limit(len(values))).all()
        if [{name: row._mapping[name] for name in values[0]} for row in reversed(newest)] == values:
            return [row.id for row in reversed(newest)]
        made = sa.insert(flips).returning(flips.c.id, sort_by_parameter_order=True)
        return list(connection.execute(made, values).scalars())


def list_flips(store: Store, after: int = 0, limit: int = 100) -> list[tuple[int, Flip]]:
    """``(id, flip)`` of those after id `after`, oldest first."""
    return _read(store, sa.select(flips).where(flips.c.id > after).order_by(flips.c.id).limit(limit))


def last_flips(store: Store, limit: int = 100, before: int | None = None) -> list[tuple[int, Flip]]:
    """``(id, flip)`` of the newest (before id `before`), newest first."""
    asked = sa.select(flips) if before is None else sa.select(flips).where(flips.c.id < before)
    return _read(store, asked.order_by(flips.c.id.desc()).limit(limit))


def newest(store: Store) -> dict[tuple[str, str], Flip]:
    """``(source, target) -> flip`` that was told last."""
    last = sa.select(sa.func.max(flips.c.id)).group_by(flips.c.source, flips.c.target)
    found = _read(store, sa.select(flips).where(flips.c.id.in_(last)))
    return {(flip.source, flip.target): flip for _, flip in found}


def told(store: Store) -> dict[tuple[str, str], str]:
    """``(source, target) -> label`` that was told last: what a `prober.flip.Debounce` starts from."""
    return {cell: flip.after for cell, flip in newest(store).items()}


def _read(store: Store, asked: sa.Select[tuple[object, ...]]) -> list[tuple[int, Flip]]:
    with store.read() as connection:
        return [
            (row.id, Flip(row.at_ns / 1000 / 1e6, row.source, row.target, row.before, row.after, row.sentence))
            for row in connection.execute(asked)
        ]
