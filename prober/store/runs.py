"""On-demand matrix runs: what was asked, by whom, and what came of it."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from prober.errors import Refused
from prober.store.engine import Store
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


def create_run(store: Store, run: Run) -> bool:
    """Keeps a new run; False when its id is taken (the same request came twice), and nothing is changed."""
    with store.begin() as connection:
        made = store.insert(runs).values(**msgspec.structs.asdict(run)).on_conflict_do_nothing()
        return connection.execute(made.returning(runs.c.id)).one_or_none() is not None


def update_run(store: Store, run: Run) -> None:
    """How the run stands now: its state, end and body. Raises Refused for one that was never created."""
    now = {"state": run.state, "finished_ns": run.finished_ns, "body": run.body}
    with store.begin() as connection:
        if connection.execute(sa.update(runs).where(runs.c.id == run.id).values(**now)).rowcount == 0:
            raise Refused(f"there is no run {run.id!r}")


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
