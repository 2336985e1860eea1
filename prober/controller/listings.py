"""What the store holds, newest first, page by page: flips, runs, deeds. ``cursor`` goes on from a page's last row."""

from __future__ import annotations

import time
from collections.abc import Container
from typing import Any

from prober.controller.runs import GOES_ON
from prober.store import audit
from prober.store import flips as kept_flips
from prober.store import runs as kept_runs
from prober.store.engine import Store
from prober.surfaces.stamps import stamp


def flips(store: Store, before: int | None, limit: int) -> dict[str, Any]:
    """What changed."""
    rows = kept_flips.last_flips(store, limit, before)
    shown = [
        {
            "id": number, "at": stamp(flip.at), "source": flip.source, "target": flip.target,
            "before": flip.before, "after": flip.after, "sentence": flip.sentence,
        }
        for number, flip in rows
    ]  # fmt: skip
    return {"flips": shown, "cursor": rows[-1][0] if len(rows) == limit else None}


def runs(store: Store, before: int | None, limit: int, running: Container[str]) -> dict[str, Any]:
    """Runs; those of `running` are under way here. One that nobody runs any more reads as cancelled."""
    late_ns = time.time_ns() - int(GOES_ON * 1e9)
    rows = kept_runs.list_runs(store, limit, before_ns=before)
    shown = [
        {
            "id": run.id, "state": _state(run, run.id in running or run.created_ns > late_ns),
            "asked_by": run.asked_by, "created": stamp(run.created_ns / 1e9),
            "finished": stamp(run.finished_ns / 1e9) if run.finished_ns else None,
            "from": run.request.get("from", []), "to": run.request.get("to", []), "flows": run.request.get("flows"),
        }
        for run in rows
    ]  # fmt: skip
    return {"runs": shown, "cursor": rows[-1].created_ns if len(rows) == limit else None}


def _state(run: kept_runs.Run, under_way: bool) -> str:
    return "cancelled" if run.state == "running" and not under_way else run.state


def deeds(store: Store, before: int | None, limit: int) -> dict[str, Any]:
    """Who did what."""
    rows = audit.entries(store, limit, before_id=before)
    shown = [{"id": r.id, "at": stamp(r.at_ns / 1e9), "who": r.who, "what": r.what, "detail": r.detail} for r in rows]
    return {"audit": shown, "cursor": rows[-1].id if len(rows) == limit else None}
