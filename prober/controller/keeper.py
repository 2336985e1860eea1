"""What outlives the process: written behind the desk, read when it starts again."""

from __future__ import annotations

import time
import zlib
from collections.abc import Container, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from prober.controller.desk import Day, Desk, Judged
from prober.controller.rounds import Run
from prober.flip import Flip
from prober.joiner import HOLD
from prober.report import decode_report
from prober.slo import Row as MinuteRow
from prober.store import alerts, errands, findings, fleet, flips, incidents, minutes, reports, runs, snapshots, verdicts
from prober.store import audit as audits
from prober.store.engine import Store
from prober.store.errands import Errand
from prober.targets import Targets
from prober.verdict import Confidence, Label

REJOIN = 15.0
"""Seconds before the first report to be counted from which on reports are joined again: what they say belongs to it."""
REJOIN_TURN = 0.25
"""Seconds between two looks at what can be judged while old reports are joined again."""
FINDINGS_KEPT = 3600.0
"""Seconds for which what experiments found of a cell is kept: while it fails they are done again within a quarter."""
SNAPSHOT_EVERY = 60.0
"""Seconds between two of them at most; where a verdict changed, one is kept with the next counts already."""
GOES_ON = 900.0
"""Seconds after its start for which a run is gone on with by a controller that did not know it."""
GAPS_SHOWN = 10
"""Gaps of an agent that are shown, the newest."""
MINUTES_KEPT = 3 * 86_400.0
"""Seconds for which an objective's minutes are kept at least: the longest window of the burn rates."""


def told_gaps(store: Store, agent: str) -> list[dict[str, Any]]:
    """The last spans of which an agent kept nothing, newest first."""
    return [
        {
            "from": _stamp(gap.from_ns), "to": _stamp(gap.to_ns), "reports": gap.last - gap.first + 1,
            "probes": gap.probes, "failed": gap.failed, "why": gap.why,
        }
        for gap in reports.told_gaps(store, 0, agent, GAPS_SHOWN)
    ]  # fmt: skip


def keys(store: Store) -> list[bytes]:
    """The fleet's keys, current first; made when first asked for."""
    return fleet.keys(store)


def relay_secret(store: Store) -> bytes:
    """From which the agents' keys for `prober.relay` are derived; made when first asked for."""
    return fleet.relay_secret(store)


def number(store: Store, agent: str, zone: str) -> int:
    """The agent's part of a probe's id, the same for ever."""
    return fleet.agent_number(store, agent, zone)


def numbers(store: Store, targets: Targets) -> dict[str, int]:
    """The numbers of all that had one where they are declared now."""
    given = fleet.agent_numbers(store)
    return {one.name: given[one.name, one.zone] for one in targets.agents if (one.name, one.zone) in given}


def _longest(targets: Targets) -> float:
    return max([MINUTES_KEPT, *(one.window for one in targets.objectives)])


def rejoin(store: Store, desk: Desk, now: float, since: float | None = None) -> tuple[Day, int, float]:
    """Judge the last reports again as they came, so that what was acknowledged is judged and counted once.

    The objectives' minutes are read as they were written, with the place up to which reports are in them; what was
    received later is counted now. Reports are read from `since` on (the database's Unix seconds), where that is
    earlier. What comes back: the failures among what is judged again (`keep` leaves out those that were kept), the
    last place in the log, and by how much `now` is ahead of the database's clock.
    """
    written, until_ns = counted(store, desk.targets)
    desk.ledger = desk.counts.take_over(written, until_ns)
    with store.read() as connection:
        wall = store.now_ns(connection) / 1e9
    last = reports.last(store)
    from_ns = min(until_ns, int((wall if since is None else since) * 1e9)) - int(REJOIN * 1e9)
    rows = [row for row in reports.recent_reports(store, from_ns) if row.body]
    desk.looking.bench.paused = True
    day = _judged_again(desk, rows, now, wall)
    desk.debounce.told.update(flips.told(store))
    place = max(last, rows[-1].received_ns if rows else 0)
    return Day([one for one in day.judged if is_failure(one)], [], day.faults), place, now - wall


def counted(store: Store, targets: Targets) -> tuple[list[minutes.ObjectiveMinute], int]:
    """The objectives' minutes, and the place up to which reports are in them."""
    written = minutes.objective_minutes(store, int(time.time() - _longest(targets)))
    until_ns = minutes.counted_until(store)
    if until_ns is None:  # written by a prober that kept no such moment: its last minute was written to its end
        until_ns = max(((row.minute + 60) * 1_000_000_000 for row in written), default=0)
    return written, until_ns


def counted_until(store: Store) -> int:
    """That place alone."""
    return minutes.counted_until(store) or 0


def told_last(store: Store) -> dict[tuple[str, str], Flip]:
    """What people were told last of each cell."""
    return flips.newest(store)


def _judged_again(desk: Desk, rows: Sequence[reports.Row], now: float, wall: float) -> Day:
    """The reports at the moments at which they came; what was pending at the last of them goes on from there."""
    day = Day()
    clock = rows[0].received_ns / 1e9 if rows else wall
    for row in rows:
        while (clock := clock + REJOIN_TURN) < row.received_ns / 1e9:
            _merge(day, desk.judge(now - (wall - clock), clock))
        clock -= REJOIN_TURN
        day.faults += _taken_again(desk, row, now - (wall - row.received_ns / 1e9))
    end = min(wall, clock + HOLD)
    while (clock := clock + REJOIN_TURN) <= end:
        _merge(day, desk.judge(now - (wall - clock), clock))
    return day


def _taken_again(desk: Desk, row: reports.Row, at: float) -> list[str]:
    try:
        desk.take(decode_report(row.body), at, row.received_ns)
    except Exception as error:  # noqa: BLE001  # one report that can't be taken must not keep the controller from starting
        return [f"report {row.epoch}/{row.sequence} of {row.agent}: {type(error).__name__}: {error}"]
    return []


def _merge(day: Day, more: Day) -> None:
    day.judged += more.judged
    day.faults += more.faults


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
    return verdicts.Kept(o.source, o.target, o.probe, int(judged.wall * 1e9), judged.verdict, o.run or None, body)


def save_minutes(store: Store, rows: Sequence[MinuteRow], until_ns: int) -> None:
    """Each takes the place of what was written of its minute before; `until_ns` says which reports are in them."""
    minutes.put_objective_minutes(store, rows, until_ns)


def keep_snapshot(store: Store, wall: float, document: dict[str, Any]) -> None:
    """The matrix as it is shown now."""
    snapshots.keep_snapshot(store, int(wall * 1e9), zlib.compress(msgspec.msgpack.encode(document), 1))


def past_matrix(store: Store, at: datetime) -> dict[str, Any] | None:
    """The matrix as it was shown last at that moment, or None where nobody kept one for longer than `SNAPSHOT_EVERY`.

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


class Retention(NamedTuple):
    """Seconds for which raw reports, passing and failing verdicts and the matrix as it was are kept, for which
    objectives are counted by the minute; later by the hour, as long as their windows; and incidents that are over."""

    reports: float
    passing: float
    failing: float
    matrix: float
    minutes: float
    incidents: float


def prune(store: Store, wall: float, targets: Targets, kept: Retention) -> None:
    """Let go of what is old; failures are kept longest."""
    minutes.roll_objective_minutes(store, int(wall - kept.minutes))
    minutes.prune_minutes(store, int(wall - _longest(targets)))
    reports.prune(store, int((wall - kept.reports) * 1e9))
    errands.prune(store, int((wall - kept.reports) * 1e9))
    findings.prune(store, int((wall - FINDINGS_KEPT) * 1e9))
    snapshots.prune_snapshots(store, int((wall - kept.matrix) * 1e9))
    incidents.prune(store, int((wall - kept.incidents) * 1e9))
    alerts.prune(store, int((wall - kept.incidents) * 1e9))
    reports.prune_gaps(store, int((wall - kept.failing) * 1e9))
    verdicts.prune_verdicts(
        store, passing_before_ns=int((wall - kept.passing) * 1e9), failing_before_ns=int((wall - kept.failing) * 1e9)
    )


def history(store: Store, source: str, target: str) -> list[dict[str, Any]]:
    """The pair's last kept verdicts, newest first, and among them the spans of which its source kept nothing."""
    said = _said(store, source, target)
    told = [_unknown(gap, target) for gap in reports.told_gaps(store, 0, source, GAPS_SHOWN)]
    return sorted(said + told, key=lambda one: str(one["at"]), reverse=True)[:20]


def _unknown(gap: reports.Gap, target: str) -> dict[str, Any]:
    count = gap.last - gap.first + 1
    sentence = (
        f"{gap.agent} → {target}: nothing is known from {_stamp(gap.from_ns)} to {_stamp(gap.to_ns)}: {gap.agent} let "
        f"{count} report{'s' if count > 1 else ''} go ({gap.why}); {gap.failed} of their {gap.probes} probes failed."
    )
    return {
        "at": _stamp(gap.to_ns), "label": Label.UNKNOWN.value, "cause": None,
        "confidence": Confidence.AMBIGUOUS.value, "sentence": sentence, "culprit": None, "revision": 0,
    }  # fmt: skip


def _said(store: Store, source: str, target: str) -> list[dict[str, Any]]:
    return [
        {
            "at": _stamp(one.at_ns), "label": one.verdict.label.value,
            "cause": one.verdict.cause.value if one.verdict.cause else None,
            "confidence": one.verdict.confidence.value, "sentence": one.verdict.sentence,
            "culprit": str(one.verdict.culprit) if one.verdict.culprit else None, "revision": one.verdict.revision,
        }
        for one in verdicts.history(store, source, target, 20)
    ]  # fmt: skip


def changes(store: Store, before: int | None, limit: int) -> dict[str, Any]:
    """The newest flips; ``cursor`` goes on from the last row."""
    rows = flips.last_flips(store, limit, before)
    shown = [
        {
            "id": number, "at": _stamp(int(flip.at * 1e9)), "source": flip.source, "target": flip.target,
            "before": flip.before, "after": flip.after, "sentence": flip.sentence,
        }
        for number, flip in rows
    ]  # fmt: skip
    return {"flips": shown, "cursor": rows[-1][0] if len(rows) == limit else None}


def new_run(store: Store, run: Run, request: dict[str, Any], parts: Sequence[Errand]) -> bool:
    """A run that begins now, with what its agents are to do; False where it had begun before."""
    made = runs.Run(run.id, run.state, run.asked_by, int(run.created_wall * 1e9), request=request)
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


def runs_of_late(store: Store) -> int:
    """How many runs were started within the hour, at any controller."""
    return runs.count_runs(store, 3600.0)


def asked(store: Store, run_id: str) -> dict[str, Any] | None:
    """What was asked for with this run; None where there is none."""
    found = runs.get_run(store, run_id)
    return found.request if found else None


def listed_runs(store: Store, before: int | None, limit: int, running: Container[str]) -> dict[str, Any]:
    """The newest runs; ``cursor`` goes on from the last. One that nobody runs any more reads as cancelled."""
    late_ns = time.time_ns() - int(GOES_ON * 1e9)
    rows = runs.list_runs(store, limit, before_ns=before)
    shown = [
        {
            "id": run.id, "state": _state(run, run.id in running or run.created_ns > late_ns),
            "asked_by": run.asked_by, "created": _stamp(run.created_ns),
            "finished": _stamp(run.finished_ns) if run.finished_ns else None,
            "from": run.request.get("from", []), "to": run.request.get("to", []), "flows": run.request.get("flows"),
        }
        for run in rows
    ]  # fmt: skip
    return {"runs": shown, "cursor": rows[-1].created_ns if len(rows) == limit else None}


def _state(run: runs.Run, under_way: bool) -> str:
    return "cancelled" if run.state == "running" and not under_way else run.state


def stored_run(store: Store, run_id: str) -> dict[str, Any]:
    """A run of an earlier controller. Raises KeyError; one that was under way when it ended reads as cancelled."""
    found = runs.get_run(store, run_id)
    if found is None:
        raise KeyError(run_id)
    if found.body:
        document: dict[str, Any] = msgspec.msgpack.decode(found.body)
        return document
    return {"id": run_id, "state": "cancelled", "pairs": 0, "probes": 0, "judged": 0, "asked_by": found.asked_by,
            "at": _stamp(found.created_ns), "sources": [], "targets": [], "cells": [],
            "created": _stamp(found.created_ns), "finished": None}  # fmt: skip


def audit(store: Store, wall: float, who: str, what: str, detail: str) -> None:
    """Append to the audit log."""
    audits.note(store, int(wall * 1e9), who, what, detail)


def audit_rows(store: Store, before: int | None, limit: int) -> dict[str, Any]:
    """The audit log, newest first."""
    rows = audits.entries(store, limit, before_id=before)
    shown = [{"id": r.id, "at": _stamp(r.at_ns), "who": r.who, "what": r.what, "detail": r.detail} for r in rows]
    return {"audit": shown, "cursor": rows[-1].id if len(rows) == limit else None}


def seen_before(store: Store, signature: str, wall: float) -> bool:
    """Whether this signature was used within ten minutes; remembers it."""
    return audits.seen_before(store, signature, int(wall * 1e9))


def _stamp(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
