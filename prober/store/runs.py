"""On-demand matrix runs: what was asked, by whom, and what came of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from prober.store import errands, tables
from prober.store.engine import Store
from prober.store.errands import Errand
from prober.store.tables import runs


class Run(msgspec.Struct, frozen=True):
    """One run. ``state``: running, finished or cancelled; ``request`` as it was posted; ``body`` what came of it."""

    id: str
    state: str
    asked_by: str
    created_ns: int
    finished_ns: int | None = None
    request: dict[str, Any] = {}
    body: bytes = b""


def create_run(store: Store, run: Run, parts: Sequence[Errand] = ()) -> bool:
    """Keeps a new run, with what its agents are to do; False when its id is taken (the same request came twice), and
    nothing is changed."""
    with store.begin() as connection:
        made = store.insert(runs).values(**msgspec.structs.asdict(run)).on_conflict_do_nothing()
        if connection.execute(made.returning(runs.c.id)).one_or_none() is None:
            return False
        errands.put(store, connection, parts)
        store.tell(connection, "runs")
    return True


def close_run(store: Store, run: Run) -> bool:
    """The run is over, and nobody fetches it any more. False where it was over before, and nothing is changed."""
    now = {"state": run.state, "finished_ns": run.finished_ns, "body": run.body}
    with store.begin() as connection:
        mine = sa.update(runs).where(runs.c.id == run.id, runs.c.state == "running")
        if connection.execute(mine.values(**now)).rowcount == 0:
            return False
        connection.execute(sa.delete(tables.errands).where(tables.errands.c.run == run.id))
        store.tell(connection, "runs")
    return True


def revise_run(store: Store, run: Run) -> bool:
    """What came late of a run that is over. False where it is not over in this state."""
    with store.begin() as connection:
        mine = sa.update(runs).where(runs.c.id == run.id, runs.c.state == run.state, runs.c.state != "running")
        return connection.execute(mine.values(body=run.body)).rowcount > 0


def open_runs(store: Store, for_seconds: float) -> list[Run]:
    """The runs under way that were started within so many seconds, the oldest first."""
    with store.read() as connection:
        since_ns = store.now_ns(connection) - int(for_seconds * 1e9)
        mine = sa.select(runs).where(runs.c.created_ns > since_ns, runs.c.state == "running")
        return [Run(**row._mapping) for row in connection.execute(mine.order_by(runs.c.created_ns, runs.c.id))]


def ended_runs(store: Store, ids: Collection[str]) -> list[Run]:
    """Those of these runs that are over, without their bodies."""
    columns = [column for column in runs.c if column.name != "body"]
    with store.read() as connection:
        asked = sa.select(*columns).where(runs.c.id.in_(ids), runs.c.state != "running")
        return [Run(**row._mapping) for row in connection.execute(asked)]


def count_runs(store: Store, for_seconds: float) -> int:
    """How many runs were started within so many seconds."""
    with store.read() as connection:
        since_ns = store.now_ns(connection) - int(for_seconds * 1e9)
        asked = sa.select(sa.func.count()).where(runs.c.created_ns > since_ns)
        return int(connection.execute(asked).scalar_one())


def get_run(store: Store, run_id: str) -> Run | None:
    """The run with this id."""
    with store.read() as connection:
        row = connection.execute(sa.select(runs).where(runs.c.id == run_id)).one_or_none()
    return None if row is None else Run(**row._mapping)


def list_runs(store: Store, limit: int = 50, *, before_ns: int | None = None) -> list[Run]:
    """The newest runs (created before `before_ns`), newest first."""
    asked = sa.select(runs) if before_ns is None else sa.select(runs).where(runs.c.created_ns < before_ns)
    with store.read() as connection:
        found = connection.execute(asked.order_by(runs.c.created_ns.desc(), runs.c.id).limit(limit))
        return [Run(**row._mapping) for row in found]
