"""What agents are to do once: each errand is handed out in the answer to one report, whichever controller gives it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from prober.store.engine import Store
from prober.store.tables import errands

FETCHED_WITHIN_NS = 60_000_000_000
"""An errand that nobody fetched for so long is not handed out any more: what it was for is over."""


class Errand(NamedTuple):
    """For whom, and of which run; ``body`` is what to do."""

    agent: str
    run: str
    body: bytes


def add(store: Store, rows: Sequence[Errand]) -> None:
    """In one commit."""
    with store.begin() as connection:
        put(store, connection, rows)


def put(store: Store, connection: sa.Connection, rows: Sequence[Errand]) -> None:
    """The same, in a transaction of whoever has more to write."""
    if rows:
        now_ns = store.now_ns(connection)
        connection.execute(sa.insert(errands), [{**row._asdict(), "made_ns": now_ns} for row in rows])
        store.tell(connection, "errands")


def waiting(store: Store) -> set[str]:
    """The agents for whom something waits."""
    with store.read() as connection:
        fresh = errands.c.made_ns > store.now_ns(connection) - FETCHED_WITHIN_NS
        asked = sa.select(errands.c.agent).where(fresh, errands.c.epoch.is_(None)).distinct()
        return set(connection.execute(asked).scalars())


def fetch(
    store: Store, agent: str, epoch: int, sequence: int, room: Callable[[Sequence[bytes]], int] = len
) -> tuple[list[bytes], bool]:
    """What goes out to this agent with the answer to this report, and whether more waits.

    Of what waits, the oldest first, `room` says how many go at once. To the same report again, the same again.
    """
    with store.begin() as connection:
        fresh = errands.c.made_ns > store.now_ns(connection) - FETCHED_WITHIN_NS
        free = sa.and_(errands.c.agent == agent, errands.c.epoch.is_(None), fresh)
        asked = sa.select(errands.c.id, errands.c.body).where(free).order_by(errands.c.id)
        there = connection.execute(asked).all()
        some = there[: room([row.body for row in there])]
        mine = sa.update(errands).where(errands.c.id.in_([row.id for row in some]), errands.c.epoch.is_(None))
        connection.execute(mine.values(epoch=epoch, sequence=sequence))
        named = (errands.c.agent == agent, errands.c.epoch == epoch, errands.c.sequence == sequence)
        found = connection.execute(sa.select(errands.c.body).where(*named).order_by(errands.c.id)).scalars()
        return list(found), len(there) > len(some)


def fetched(store: Store, run: str) -> set[str]:
    """The agents that fetched their part of a run."""
    with store.read() as connection:
        asked = sa.select(errands.c.agent).where(errands.c.run == run, errands.c.epoch.is_not(None))
        return set(connection.execute(asked).scalars())


def prune(store: Store, before_ns: int) -> int:
    """Forgets those made before. How many went."""
    return store.forget(errands, errands.c.made_ns < before_ns)
