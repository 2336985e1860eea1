"""What was said of each probe. A revision is a row of its own; readers get the last word on each probe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from prober.store.engine import Store
from prober.store.tables import verdicts
from prober.verdict import Label, Verdict

LONGEST_RUN = 64
"""Characters of a run's name that are kept: an experiment's has its agent's name in it, and is longer."""
_SAME_NS = 900_000_000_000
"""Within a quarter of an hour an id is the same probe's; it comes back after a million probes (`probe.SERIAL_BITS`)."""


class Kept(msgspec.Struct, frozen=True):
    """A verdict with what it is about. ``run`` is None for continuous probing; ``body`` is the evidence (msgpack).

    ``id`` grows with every verdict kept; 0 before it is kept. Readers leave ``body`` empty: see `verdict_body`.
    """

    source: str
    target: str
    probe: int
    at_ns: int
    verdict: Verdict
    run: str | None = None
    body: bytes = b""
    id: int = 0


def keep_verdicts(store: Store, rows: Iterable[Kept]) -> list[int]:
    """Keeps verdicts in one commit; their ids, in the order given."""
    values = [_columns(row) for row in rows]
    if not values:
        return []
    with store.begin() as connection:
        made = sa.insert(verdicts).returning(verdicts.c.id, sort_by_parameter_order=True)
        return list(connection.execute(made, values).scalars())


Identity = tuple[str, str, str | None, int, int]
"""Source, target, run, probe, revision: what was said once of a probe is not said again."""

_AT_ONCE = 500


def identity(row: Kept) -> Identity:
    """What names a verdict."""
    return row.source, row.target, row.run, row.probe, row.verdict.revision


def known(store: Store, rows: Sequence[Kept]) -> set[Identity]:
    """The identities of those that are in the store already."""
    names = [verdicts.c[name] for name in ("at_ns", "source", "target", "run", "probe", "revision")]
    moments, found = {identity(row): row.at_ns for row in rows}, set[Identity]()
    with store.read() as connection:
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            mine = verdicts.c.probe.in_([row.probe for row in some])
            recent = verdicts.c.at_ns > min(row.at_ns for row in some) - _SAME_NS
            for at_ns, *name in connection.execute(sa.select(*names).where(mine, recent)):
                if abs(moments.get(one := (*name,), -_SAME_NS) - at_ns) < _SAME_NS:
                    found.add(one)
    return found


def keep_verdict(store: Store, row: Kept) -> int:
    """Keeps one verdict; its id."""
    return keep_verdicts(store, [row])[0]


def _columns(row: Kept) -> dict[str, Any]:
    said: dict[str, Any] = msgspec.to_builtins(row.verdict)
    about = {"source": row.source, "target": row.target, "run": row.run, "probe": row.probe, "at_ns": row.at_ns}
    return {**said, **about, "body": row.body}


_READ = [column for column in verdicts.c if column.name != "body"]


def _kept(row: Any) -> Kept:
    values = {str(name): value for name, value in row._mapping.items()}  # msgspec takes plain str only
    about = {name: values.pop(name) for name in ("source", "target", "run", "probe", "at_ns", "id")}
    return Kept(**about, verdict=msgspec.convert(values, Verdict))


def history(store: Store, source: str, target: str, limit: int = 50, *, before_id: int | None = None) -> list[Kept]:
    """The last verdicts of continuous probing for one pair, newest first, each probe's last revision only.

    `before_id` goes on from the last row of the page before.
    """
    mine = [verdicts.c.source == source, verdicts.c.target == target, verdicts.c.run.is_(None), _last_word()]
    if before_id is not None:
        mine.append(verdicts.c.id < before_id)
    asked = sa.select(*_READ).where(*mine).order_by(verdicts.c.id.desc()).limit(limit)
    with store.read() as connection:
        return [_kept(row) for row in connection.execute(asked)]


def _last_word() -> sa.ColumnElement[bool]:
    """No later revision of the same probe."""
    later = verdicts.alias()
    same = [later.c[name] == verdicts.c[name] for name in ("source", "target", "probe")]
    same.append(later.c.run.is_not_distinct_from(verdicts.c.run))
    near = later.c.at_ns - verdicts.c.at_ns < _SAME_NS
    return ~sa.exists().where(*same, later.c.id > verdicts.c.id, later.c.revision > verdicts.c.revision, near)


def latest_verdicts(store: Store) -> list[Kept]:
    """The newest verdict of continuous probing for every pair, by source and target."""
    pairs = [verdicts.c.source, verdicts.c.target]
    newest = sa.select(sa.func.max(verdicts.c.id)).where(verdicts.c.run.is_(None)).group_by(*pairs)
    asked = sa.select(*_READ).where(verdicts.c.id.in_(newest)).order_by(*pairs)
    with store.read() as connection:
        return [_kept(row) for row in connection.execute(asked)]


def run_verdicts(store: Store, run: str) -> list[Kept]:
    """What a run's probes earned, in the order they were judged, each probe's last revision only."""
    asked = sa.select(*_READ).where(verdicts.c.run == run, _last_word()).order_by(verdicts.c.id)
    with store.read() as connection:
        return [_kept(row) for row in connection.execute(asked)]


def verdict_body(store: Store, verdict_id: int) -> bytes | None:
    """The evidence of one verdict; None when there is no such verdict."""
    with store.read() as connection:
        asked = sa.select(verdicts.c.body).where(verdicts.c.id == verdict_id)
        found: bytes | None = connection.execute(asked).scalar_one_or_none()
    return found


def prune_verdicts(store: Store, *, passing_before_ns: int, failing_before_ns: int) -> int:
    """Forgets verdicts older than these, failures apart from the rest: they are kept longest. How many went."""
    passing = verdicts.c.label.in_([label.value for label in Label if label.passes])
    old = sa.or_(
        sa.and_(passing, verdicts.c.at_ns < passing_before_ns), sa.and_(~passing, verdicts.c.at_ns < failing_before_ns)
    )
    return store.forget(verdicts, old)
