"""The matrix as it was: what a controller showed at a moment, kept for those who ask later."""

from __future__ import annotations

import sqlalchemy as sa

from prober.store.engine import Store
from prober.store.tables import snapshots


def keep_snapshot(store: Store, at_ns: int, body: bytes) -> None:
    """Keeps one; of two controllers that keep the same moment the first is kept."""
    with store.begin() as connection:
        connection.execute(store.insert(snapshots).values(at_ns=at_ns, body=body).on_conflict_do_nothing())


def snapshot_at(store: Store, at_ns: int) -> tuple[int, bytes] | None:
    """``(at_ns, body)`` of the last one kept at that moment or before it."""
    asked = sa.select(snapshots).where(snapshots.c.at_ns <= at_ns).order_by(snapshots.c.at_ns.desc()).limit(1)
    with store.read() as connection:
        row = connection.execute(asked).one_or_none()
    return None if row is None else (row.at_ns, row.body)


def prune_snapshots(store: Store, before_ns: int) -> int:
    """Forgets those kept before. How many went."""
    return store.forget(snapshots, snapshots.c.at_ns < before_ns)
