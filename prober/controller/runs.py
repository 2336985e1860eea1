"""The runs on demand: any controller starts one, every controller shows it, the holder of the lease ends it, once.

A run lives in the store; what is judged of it is in each controller's memory, from the same log of reports.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import secrets
from collections.abc import Callable
from typing import Any

import structlog

from prober.controller import keeper
from prober.controller.behind import Behind
from prober.controller.desk import Desk
from prober.controller.errands import Errand, Errands, packed
from prober.controller.intake import Busy
from prober.controller.rounds import Run, new_run, run_parts
from prober.errors import Refused
from prober.joiner import HOLD
from prober.store import errands
from prober.store import runs as stored
from prober.store.engine import Store

KEEP_RUNS = 200
GOES_ON = 900.0
"""Seconds after its start for which a run is gone on with by a controller that did not know it."""
AN_HOUR = 3600.0

_log = structlog.get_logger("prober.controller")
Request = dict[str, Any]


class Runs:
    """``known`` are those that this controller follows. `now` is monotonic seconds, `wall` Unix seconds."""

    def __init__(
        self, store: Store, desk: Desk, behind: Behind, work: Errands, now: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:  # fmt: skip
        self.store, self.desk, self.behind, self.errands, self.now, self.wall = store, desk, behind, work, now, wall
        self.known: dict[str, Run] = {}
        self._starting = asyncio.Lock()

    async def start(
        self, sources: list[str], targets: list[str], flows: int | None, asked_by: str, key: str | None = None
    ) -> str:
        """A run of these names; a `key` that this caller used before starts nothing and gives the run that it started.

        Raises `Refused`, `Busy` beyond the policy's runs an hour.
        """
        request = {"from": sources, "to": targets, "flows": flows}
        run_id = _named(asked_by, key) if key else secrets.token_hex(8)
        async with self._starting:
            if key and await self._is_known(run_id, request):
                return run_id
            most = self.desk.targets.policy.runs_per_hour
            if await asyncio.to_thread(stored.count_runs, self.store, AN_HOUR) >= most:
                raise Busy(f"{most} runs within the hour, as many as policy.runs_per_hour allows; wait, or raise it")
            run = self._made(run_id, request, asked_by, self.wall())
            parts = {agent: Errand(tasks) for agent, tasks in run_parts(run).items()}
            self._follow(run)  # before its first report may come
            try:
                new = await asyncio.to_thread(keeper.new_run, self.store, run, request, packed(run_id, parts))
            except BaseException:
                self._let_go(run_id)
                raise
            if not new:  # another controller was asked with the same key
                await self._is_known(run_id, request)
                return run_id
            self.errands.sent(parts)
            await asyncio.to_thread(
                keeper.audit, self.store, self.wall(), asked_by, "run", f"{run_id} {_named_by(request)}"
            )
        return run_id

    async def _is_known(self, run_id: str, request: Request) -> bool:
        known = await asyncio.to_thread(stored.get_run, self.store, run_id)
        if known is not None and known.request != request:
            raise Refused("this Idempotency-Key was used for another run; take a new key for each run")
        return known is not None

    def _made(self, run_id: str, request: Request, asked_by: str, created_wall: float) -> Run:
        words = (request["from"], request["to"], request["flows"])
        return new_run(run_id, self.desk.targets, *words, asked_by, self.now(), created_wall)

    def _follow(self, run: Run) -> None:
        self.known[run.id] = run
        self.desk.runs[run.id] = run.matrix

    def _let_go(self, run_id: str) -> None:
        self.known.pop(run_id, None)
        self.desk.runs.pop(run_id, None)

    def adopt(self) -> float | None:
        """Goes on with the runs under way that others started: when the first of them began (Unix seconds)."""
        found = [one for one in stored.open_runs(self.store, GOES_ON) if one.id not in self.known]
        for one in found:
            self._adopt(one.id, one.request, one.asked_by, one.created_ns / 1e9)
        return min((one.created_ns / 1e9 for one in found), default=None)

    def _adopt(self, run_id: str, request: Request, asked_by: str, created_wall: float) -> None:
        try:
            self._follow(self._made(run_id, request, asked_by, created_wall))
        except Refused as error:  # its document is another one
            _log.warning("a run can't be followed here", run=run_id, why=str(error))

    async def look(self) -> bool:
        """What the other controllers started and ended; whether there was anything. Raises StoreUnavailable."""
        running = [run.id for run in self.known.values() if run.state == "running"]
        found = await asyncio.to_thread(stored.open_runs, self.store, GOES_ON)
        fresh = [one for one in found if one.id not in self.known]
        for one in fresh:
            self._adopt(one.id, one.request, one.asked_by, one.created_ns / 1e9)
        ended = await asyncio.to_thread(stored.ended_runs, self.store, running) if running else []
        for one in ended:
            if (run := self.known.get(one.id)) is not None and run.state == "running":
                self._let_go(one.id)  # the store has it as its holder judged it
        for run in [self.known[one] for one in running if one in self.known]:
            if self.now() > run.created + run.fetch_within:
                run.fetched = await asyncio.to_thread(errands.fetched, self.store, run.id)
        return bool(fresh or ended)

    def cancel(self, run_id: str, who: str, document: Callable[[str], dict[str, Any]]) -> None:
        """Ends a run that is under way; what was judged stays."""
        run = self.known.get(run_id)
        if run is not None and run.state == "running":
            self._end(run, "cancelled", self.store, document)
            self.behind.add(functools.partial(keeper.audit, self.store, self.wall(), who, "cancel run", run_id))

    def close(self, store: Store | None, document: Callable[[str], dict[str, Any]]) -> bool:
        """Runs end once all is judged; what comes late still revises them for as long as a probe is held.

        `store` is behind the fence of the holder of the lease; None where this controller is not the one. Whether a
        run ended.
        """
        for run_id in [one for one in self.desk.runs if self._is_settled(self.known.get(one))]:
            del self.desk.runs[run_id]
            if (run := self.known.get(run_id)) is not None and run.state == "finished" and store is not None:
                self.behind.add(functools.partial(keeper.revise_run, store, run, document(run.id)))
        if store is None:
            return False
        over = [run for run in self.known.values() if run.state == "running" and run.over(self.now())]
        for run in over:
            self._end(run, "finished", store, document)
        return bool(over)

    def _is_settled(self, run: Run | None) -> bool:
        ended = run.finished_wall if run else 0.0
        return run is None or (
            run.state == "cancelled" or (run.state == "finished" and self.wall() - (ended or 0.0) > HOLD)
        )

    def _end(self, run: Run, state: str, store: Store, document: Callable[[str], dict[str, Any]]) -> None:
        run.state, run.finished_wall = state, self.wall()
        self.behind.add(functools.partial(keeper.end_run, store, run, document(run.id)))
        for old in list(self.known)[:-KEEP_RUNS]:
            if self.known[old].state != "running":
                del self.known[old]


def _named_by(request: Request) -> str:
    """What was asked for, in words for the audit log."""
    flows = f", {request['flows']} flows" if request["flows"] else ""
    return f"{', '.join(request['from']) or 'all'} → {', '.join(request['to']) or 'all'}{flows}"


def _named(asked_by: str, key: str) -> str:
    """A key's run has the same name at every controller."""
    return hashlib.sha256(f"{asked_by}\0{key}".encode("utf-8", "surrogatepass")).hexdigest()[:16]
