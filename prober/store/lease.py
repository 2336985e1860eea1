"""The lease: of several controllers on one database one keeps what follows from the reports.

It runs out by the database's clock, so no controller's clock matters; its token grows with each new holder and fences
what is written (`Store.fenced`). SQLite is one controller's: whoever starts last has it, and has it always.
"""

from __future__ import annotations

import sqlalchemy as sa

from prober.store.engine import Store
from prober.store.tables import lease

NAME = "judge"


def hold(store: Store, name: str, token: int | None, seconds: float) -> int | None:
    """Take the lease, or keep it, for so long: its token; None while another controller has it.

    `token` is what this controller was given before. It keeps a lease that ran out, as long as nobody else took it.
    """
    if store.on_sqlite and token is not None:
        return token if (had := holder(store)) and had[0] == token else None
    with store.begin() as connection:
        store.alone(connection, lease)
        now_ns = store.now_ns(connection)
        row = connection.execute(sa.select(lease).where(lease.c.name == NAME)).one_or_none()
        last: int = row.token if row else 0
        mine = last == token
        if row is not None and not mine and now_ns < row.until_ns and not store.on_sqlite:
            return None
        given = last if mine else last + 1
        values = {"token": given, "holder": name, "until_ns": now_ns + int(seconds * 1e9)}
        made = store.insert(lease).values(name=NAME, **values)
        connection.execute(made.on_conflict_do_update(index_elements=["name"], set_=values))
        if not mine:
            store.tell(connection, "lease")
    return given


def release(store: Store, token: int) -> None:
    """The next one need not wait until it runs out."""
    with store.begin() as connection:
        mine = sa.update(lease).where(lease.c.name == NAME, lease.c.token == token)
        connection.execute(mine.values(until_ns=0))
        store.tell(connection, "lease")


def holder(store: Store) -> tuple[int, str] | None:
    """Token and name of who had it last."""
    with store.read() as connection:
        row = connection.execute(sa.select(lease).where(lease.c.name == NAME)).one_or_none()
    return None if row is None else (row.token, row.holder)
