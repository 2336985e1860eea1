"""Who did what, append-only; and the signatures that were already used."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from prober.store.engine import Store
from prober.store.tables import audit, slack_seen

REMEMBERED_NS = 600_000_000_000
"""Signatures are remembered for ten minutes; a request older than five is refused by its own time stamp."""


class Entry(NamedTuple):
    """One deed: ``who`` (a token's id, a chat user …) did ``what`` ("run", "token create" …), ``detail`` in words."""

    id: int
    at_ns: int
    who: str
    what: str
    detail: str


def note(store: Store, at_ns: int, who: str, what: str, detail: str = "") -> int:
    """Adds an entry; its id."""
    with store.begin() as connection:
        made = sa.insert(audit).values(at_ns=at_ns, who=who, what=what, detail=detail).returning(audit.c.id)
        return int(connection.execute(made).scalar_one())


def entries(store: Store, limit: int = 100, *, before_id: int | None = None) -> list[Entry]:
    """The newest entries (before `before_id`), newest first."""
    asked = sa.select(audit) if before_id is None else sa.select(audit).where(audit.c.id < before_id)
    with store.read() as connection:
        return [Entry(*row) for row in connection.execute(asked.order_by(audit.c.id.desc()).limit(limit))]


def seen_before(store: Store, signature: str, now_ns: int) -> bool:
    """Whether a request with this signature came in the last ten minutes; remembers it. Of two at once one is first."""
    with store.begin() as connection:
        connection.execute(sa.delete(slack_seen).where(slack_seen.c.at_ns < now_ns - REMEMBERED_NS))
        made = store.insert(slack_seen).values(signature=signature, at_ns=now_ns).on_conflict_do_nothing()
        return connection.execute(made.returning(slack_seen.c.signature)).one_or_none() is None
