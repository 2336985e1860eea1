"""What experiments have found of cells, the latest of each: for every controller that shows them."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from prober.store.engine import Store
from prober.store.tables import findings

Key = tuple[str, str]
"""Source and target."""


def keep(store: Store, found: Sequence[tuple[Key, bytes]]) -> None:
    """Each takes the place of what was found of its cell before."""
    with store.begin() as connection:
        now_ns = store.now_ns(connection)
        for (source, target), body in found:
            values = {"at_ns": now_ns, "body": body}
            made = store.insert(findings).values(source=source, target=target, **values)
            connection.execute(made.on_conflict_do_update(index_elements=["source", "target"], set_=values))
        store.tell(connection, "findings")


def since(store: Store, at_ns: int) -> list[tuple[Key, int, bytes]]:
    """Cell, when, what: those kept at `at_ns` or later, the oldest first."""
    asked = sa.select(findings).where(findings.c.at_ns >= at_ns).order_by(findings.c.at_ns)
    with store.read() as connection:
        return [((row.source, row.target), row.at_ns, row.body) for row in connection.execute(asked)]


def prune(store: Store, before_ns: int) -> int:
    """Forgets those kept before. How many went."""
    return store.forget(findings, findings.c.at_ns < before_ns)
