"""What monitors call: ``/status``, ``/metrics``, blackbox_exporter's ``/probe``, ``/livez`` and ``/readyz``.

Everything is answered from memory. A red matrix is the network's state, not the process's: it fails ``/status`` and
never ``/livez`` or ``/readyz``.

A query parameter that is none of ours is passed over, where `/api/v1` refuses it: monitors add their own against caches
(``?_=1764394296``), Prometheus hands every `params` of a job to ``/probe``, and blackbox_exporter passes over what it
does not know. A monitor that got an error for that would page somebody for a network that is well. Nothing is hidden
by it: without its filter ``/probe`` judges more pairs, never fewer, and ``/status`` has none.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Protocol

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from prober import __version__
from prober.controller import examples
from prober.controller.access import Identity, allows
from prober.controller.alerts import Alerts
from prober.controller.behind import Behind
from prober.controller.desk import Desk
from prober.controller.doors import Monitor
from prober.controller.fleet import Fleet
from prober.controller.problems import problem
from prober.controller.record import Record
from prober.plan import pair
from prober.surfaces import metrics, status
from prober.surfaces.glyphs import shown
from prober.surfaces.stamps import stamp

MODULES = ("prober", "tcp_connect")
"""Modules of ``/probe``; the second is the name that blackbox_exporter's configurations have for a TCP dial."""
SCRAPE_TIMEOUT = "x-prometheus-scrape-timeout-seconds"
NO_STORE = {"Cache-Control": "no-store"}
MOST_NAMED = 50

_TEXT = examples.body("text/plain", "Prometheus' text")
_JSON = {"application/json": {"schema": {"type": "object"}}}
_HEALTH = {**_JSON, status.HEALTH_JSON: {"schema": {"type": "object"}}}
_STATUS: examples.Answers = {
    200: {"description": "pass or warn", "content": _HEALTH}, 503: {"description": "fail", "content": _HEALTH},
}  # fmt: skip
_ANSWERS: dict[str, examples.Answers] = {
    "status": _STATUS, "status_of": _STATUS, "metrics": {200: _TEXT},
    "probe": {200: _TEXT, 400: examples.body("text/plain", "what is wrong"), 500: examples.body("text/plain", "why")},
    "livez": {200: {"description": "it answers", "content": _JSON}},
    "readyz": {200: {"description": "ready", "content": _JSON}, 503: {"description": "why not", "content": _JSON}},
}  # fmt: skip


class Centre(Protocol):
    """What these routes need of the controller. Clocks: `now` monotonic seconds, `wall` Unix seconds."""

    @property
    def desk(self) -> Desk: ...
    @property
    def reload_ok(self) -> bool: ...
    @property
    def reloaded(self) -> float: ...
    @property
    def fleet(self) -> Fleet: ...
    @property
    def alerts(self) -> Alerts: ...
    @property
    def behind(self) -> Behind: ...
    @property
    def record(self) -> Record: ...
    def idle(self) -> float: ...
    def now(self) -> float: ...
    def wall(self) -> float: ...
    def trouble(self) -> str | None: ...


def routes(centre: Centre) -> APIRouter:
    """The routes of one controller."""
    desk = _Monitors(centre)
    router = APIRouter(tags=["monitors"])
    for path, endpoint, name in (
        ("/status", desk.status, "status"), ("/status/{name:path}", desk.status_of, "status_of"),
        ("/metrics", desk.metrics, "metrics"), ("/probe", desk.probe, "probe"),
        ("/livez", desk.live, "livez"), ("/readyz", desk.ready, "readyz"),
    ):  # fmt: skip
        router.add_api_route(
            path, endpoint, methods=["GET"], operation_id=name, responses={**examples.PROBLEMS, **_ANSWERS[name]},
            response_class=Response,
        )  # fmt: skip
    return router


class _Monitors:
    """The routes."""

    def __init__(self, centre: Centre) -> None:
        self.centre = centre

    async def status(self, request: Request, who: Monitor) -> Response:
        """Every declared pair as one status: 200 pass or warn, 503 fail. A stale pair fails."""
        return self._answer(request, who, "all", (), ())

    async def status_of(self, request: Request, name: str, who: Monitor) -> Response:
        """The same of one objective, by its name, or of one path, ``SOURCE/TARGET``."""
        for one in self.centre.desk.targets.objectives:
            if one.name == name:
                return self._answer(request, who, name, one.sources, one.targets)
        source, _, target = name.partition("/")
        if (source, target) not in self.centre.desk.matrix.cells:
            return self._unknown(name)
        return self._answer(request, who, name, (source,), (target,))

    def _answer(
        self, request: Request, who: Identity, name: str, sources: Collection[str], targets: Collection[str]
    ) -> Response:
        centre = self.centre
        standing = centre.desk.matrix.standing(centre.now(), sources, targets)
        document = status.answer(name, standing, centre.now(), stamp(centre.wall()), allows(who.role, "viewer"))
        wants_health = status.HEALTH_JSON in request.headers.get("accept", "")
        media_type = status.HEALTH_JSON if wants_health else "application/json"
        code = 503 if document["status"] == "fail" else 200
        return JSONResponse(document, code, NO_STORE, media_type)

    def _unknown(self, name: str) -> Response:
        names = [one.name for one in self.centre.desk.targets.objectives]
        listed = ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")
        detail = (
            f"{shown(name[:200])} is neither an objective ({listed or 'none is declared'}) nor a path SOURCE/TARGET"
        )
        answer = problem(404, detail, objectives=names[:MOST_NAMED])
        answer.headers.update(NO_STORE)
        return answer

    async def metrics(self, request: Request, _: Monitor) -> Response:
        """Prometheus' exposition of everything this controller knows."""
        body, content_type = metrics.render(_reading(self.centre), request.headers.get("accept", ""))
        return Response(body, headers={"Content-Type": content_type, **NO_STORE})

    async def probe(
        self, request: Request, _: Monitor,
        target: Annotated[str, Query(max_length=300)] = "", source: Annotated[str, Query(max_length=300)] = "",
        module: Annotated[str, Query(max_length=300)] = MODULES[0],
    ) -> Response:  # fmt: skip
        """blackbox_exporter's contract: 200 even where the probe fails, 400 for an unknown module or a missing target.

        ``target`` is the name of a target, ``source`` of an agent (left out: every agent that probes it). Nothing is
        dialled: agents probe continuously, and this is what their newest handshakes say. A stale pair is no success.
        """
        if module not in MODULES:
            return _text(400, f'Unknown module "{shown(module)}"')
        if not _is_timeout(request.headers.get(SCRAPE_TIMEOUT)):
            return _text(500, "Failed to parse timeout from Prometheus header: write seconds, like 10")
        if not target:
            return _text(400, "Target parameter is missing")
        desk = self.centre.desk
        cells = list(desk.matrix.select([source] if source else [], [target]))
        if not cells:
            path = f"{shown(source)} → {shown(target)}" if source else shown(target)
            return _text(400, f"No declared pair is {path}: name a target of targets.yaml, and an agent that probes it")
        declared = (pair(desk.targets, cell.source, cell.target) for cell in cells)
        timeout = max((one.timeout for one in declared if one), default=0.0)
        body = metrics.probe(cells, self.centre.now(), timeout)
        return Response(body, headers={"Content-Type": metrics.TEXT, **NO_STORE})

    async def live(self) -> Response:
        """The process answers."""
        return JSONResponse({"status": "pass"}, headers=NO_STORE)

    async def ready(self) -> Response:
        """It judges, and the store takes what is judged; ``faults`` counts the probes that could not be judged."""
        why, faults = self.centre.trouble(), self.centre.desk.faults
        document = {"status": "fail" if why else "pass", "version": __version__, "faults": faults, "why": why}
        return JSONResponse(document, 503 if why else 200, NO_STORE)


def _reading(centre: Centre) -> metrics.Reading:
    desk, detours, now = centre.desk, centre.fleet.detours, centre.now()
    declared, heard = desk.targets, desk.joiner.vantages
    zones = {**declared.names.targets, **declared.names.agents}
    return metrics.Reading(
        matrix=desk.matrix, now=now, standings=desk.tally.ledger.standings(centre.wall()),
        promised={one.name: one.availability for one in declared.objectives}, zones=zones,
        agents={a.name: max(0.0, now - heard[a.name].heard) if a.name in heard else None for a in declared.agents},
        verdicts={str(label): count for label, count in desk.tally.labels.items()}, version=__version__,
        reload_ok=centre.reload_ok, reloaded=centre.reloaded, held=centre.fleet.held,
        let_go={one.name: centre.fleet.let_go.get(one.name, 0) for one in declared.agents},
        doubled={agent.name: centre.fleet.epochs.doubled(agent.name, now) for agent in declared.agents},
        via=detours.via, relayed=detours.relayed, forged=detours.forged,
        incidents=len(centre.record.incidents.book.open), told=centre.alerts.told(), judged=centre.idle(),
        unwritten=len(centre.behind), holds=centre.record.held,
    )  # fmt: skip


def _is_timeout(given: str | None) -> bool:
    """Whether the scrape timeout can be read; no header is fine."""
    if given is None:
        return True
    try:
        return float(given) >= 0  # false for nan
    except ValueError:
        return False


def _text(code: int, sentence: str) -> Response:
    return PlainTextResponse(sentence + "\n", code, NO_STORE)
