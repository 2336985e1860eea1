"""What outlives the process: a turn's failures and flips, runs, the matrix as it was; as the store keeps them."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from prober.controller.judged import Day, Judged
from prober.controller.rounds import Run
from prober.store import audit as audits
from prober.store import flips, runs, snapshots, verdicts
from prober.store.engine import Store
from prober.store.errands import Errand
from prober.surfaces.stamps import stamp

SNAPSHOT_EVERY = 60.0
"""Seconds between two of them at most; where a verdict changed, one is kept with the next counts already."""


def is_failure(judged: Judged) -> bool:
    """Whether a verdict is kept with its evidence; so is the one that revises a failure."""
    return not judged.verdict.label.passes or judged.verdict.revision > 0


def keep(store: Store, day: Day) -> None:
    """The turn's failures with their evidence, and the flips. What an earlier controller kept is left out."""
    if rows := [_kept(one) for one in day.judged if is_failure(one)]:
        known = verdicts.known(store, rows)
        verdicts.keep_verdicts(store, [row for row in rows if verdicts.identity(row) not in known])
    if day.flips:
        flips.add_flips(store, day.flips)


def _kept(judged: Judged) -> verdicts.Kept:
    o = judged.observation
    body = msgspec.msgpack.encode(o)
    run = o.run[: verdicts.LONGEST_RUN] or None
    return verdicts.Kept(o.source, o.target, o.probe, int(judged.wall * 1e9), judged.verdict, run, body)


def keep_snapshot(store: Store, wall: float, document: dict[str, Any]) -> None:
    """The matrix as it is shown now."""
    snapshots.keep_snapshot(store, int(wall * 1e9), zlib.compress(msgspec.msgpack.encode(document), 1))


def past_matrix(store: Store, at: datetime) -> dict[str, Any] | None:
    """The matrix as it was shown last at that moment, or None where nobody kept one for twice `SNAPSHOT_EVERY`.

    A cell's age is what it was then, and the time that had passed since.
    """
    asked_ns = min(max(int(at.timestamp() * 1e9), 0), 2**63 - 1)
    found = snapshots.snapshot_at(store, asked_ns)
    if found is None or asked_ns - found[0] > 2 * SNAPSHOT_EVERY * 1e9:
        return None
    document: dict[str, Any] = msgspec.msgpack.decode(zlib.decompress(found[1]))
    for cell in document["cells"]:
        if cell["age_seconds"] is not None:
            cell["age_seconds"] = round(cell["age_seconds"] + (asked_ns - found[0]) / 1e9, 1)
    return document


def new_run(store: Store, run: Run, request: dict[str, Any], parts: Sequence[Errand]) -> bool:
    """A run that begins now, by the database's clock, with what its agents are to do; False where it had begun before.

    By that clock runs are counted against the policy, and found by other controllers.
    """
    with store.read() as connection:
        now_ns = store.now_ns(connection)
    made = runs.Run(run.id, run.state, run.asked_by, now_ns, request=request)
    return runs.create_run(store, made, parts)


def end_run(store: Store, run: Run, document: dict[str, Any]) -> bool:
    """A run that is over, with what came of it; False where somebody ended it before."""
    return runs.close_run(store, _ended(run, document))


def revise_run(store: Store, run: Run, document: dict[str, Any]) -> bool:
    """What came late of a run that is over."""
    return runs.revise_run(store, _ended(run, document))


def _ended(run: Run, document: dict[str, Any]) -> runs.Run:
    ended = int((run.finished_wall or run.created_wall) * 1e9)
    body = msgspec.msgpack.encode(document)
    return runs.Run(run.id, run.state, run.asked_by, int(run.created_wall * 1e9), ended, {}, body)


def stored_run(store: Store, run_id: str) -> dict[str, Any]:
    """A run of an earlier controller. Raises KeyError; one that was under way when it ended reads as cancelled."""
    found = runs.get_run(store, run_id) if run_id.isalnum() else None  # PostgreSQL takes no NUL
    if found is None:
        raise KeyError(run_id)
    if found.body:
        document: dict[str, Any] = msgspec.msgpack.decode(found.body)
        return document
    return {"id": run_id, "state": "cancelled", "pairs": 0, "probes": 0, "judged": 0, "asked_by": found.asked_by,
            "at": stamp(found.created_ns / 1e9), "sources": [], "targets": [], "cells": [],
            "created": stamp(found.created_ns / 1e9), "finished": None}  # fmt: skip


def audit(store: Store, wall: float, who: str, what: str, detail: str) -> None:
    """Append to the audit log."""
    audits.note(store, int(wall * 1e9), who, what, detail)
