"""Alerts, and which receiver was told which of them: what waits to be told outlives the controller that saw it.

There is no queue beside this one: a receiver that was away is told how an alert stands now, not what it missed.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from prober.store.engine import Store
from prober.store.tables import alerts, tellings


class Row(msgspec.Struct, frozen=True):
    """An alert as it is kept; ``closed_ns`` is None as long as it is open."""

    id: str
    opened_ns: int
    closed_ns: int | None
    revision: int
    body: bytes


def keep(store: Store, rows: Sequence[Row]) -> None:
    """Each takes the place of what was kept of its alert before."""
    with store.begin() as connection:
        for row in rows:
            values = msgspec.structs.asdict(row)
            made = store.insert(alerts).values(**values)
            connection.execute(made.on_conflict_do_update(index_elements=["id"], set_=values))


def since(store: Store, at_ns: int) -> list[Row]:
    """Those that were open at `at_ns` or later, the oldest first."""
    late = sa.or_(alerts.c.closed_ns.is_(None), alerts.c.closed_ns >= at_ns)
    with store.read() as connection:
        return _rows(connection, sa.select(alerts).where(late))


def waiting(store: Store, receiver: str, news_ns: int, most: int) -> list[Row]:
    """What `receiver` is still to be told, the oldest first.

    What was over before `news_ns` without a word to this receiver is no news to it.
    """
    mine = sa.and_(tellings.c.alert == alerts.c.id, tellings.c.receiver == receiver)
    told, closed = tellings.c.revision, alerts.c.closed_ns
    news = sa.or_(sa.and_(told.is_(None), sa.or_(closed.is_(None), closed >= news_ns)), told < alerts.c.revision)
    with store.read() as connection:
        return _rows(connection, sa.select(alerts).outerjoin(tellings, mine).where(news).limit(most))


def _rows(connection: sa.Connection, asked: sa.Select[tuple[Row]]) -> list[Row]:
    found = connection.execute(asked.order_by(alerts.c.opened_ns, alerts.c.id))
    return [Row(**row._mapping) for row in found]


def told(store: Store, receiver: str, done: Sequence[tuple[str, int]]) -> None:
    """`receiver` needs to hear nothing more of these alerts up to these revisions."""
    with store.begin() as connection:
        now_ns = store.now_ns(connection)
        for alert, revision in done:
            values = {"revision": revision, "at_ns": now_ns}
            made = store.insert(tellings).values(alert=alert, receiver=receiver, **values)
            connection.execute(made.on_conflict_do_update(index_elements=["alert", "receiver"], set_=values))


def prune(store: Store, before_ns: int) -> int:
    """Forgets those that were closed before, and who was told of them. How many went."""
    gone = store.forget(alerts, alerts.c.closed_ns < before_ns)
    store.forget(tellings, sa.and_(tellings.c.at_ns < before_ns, tellings.c.alert.not_in(sa.select(alerts.c.id))))
    return gone
