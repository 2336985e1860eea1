"""`/api/v1`: what scripts, the page and the command line read and start."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from prober.controller import documents, examples, listings, parameters, streams
from prober.controller.access import Identity
from prober.controller.centre import Centre
from prober.controller.doors import centre_of, needs
from prober.errors import Refused
from prober.surfaces import picture, table
from prober.surfaces.glyphs import shown
from prober.surfaces.stamps import stamp

router = APIRouter(
    prefix="/api/v1", tags=["api"], responses=examples.PROBLEMS, dependencies=[Depends(parameters.declared)]
)
Viewer = Annotated[Identity, Depends(needs("viewer"))]
Operator = Annotated[Identity, Depends(needs("operator"))]
Name = Annotated[str, Field(max_length=100)]
Names = Annotated[list[Name] | None, Query(max_length=200, description="names of zones, groups, agents or targets")]
Moment = Annotated[AwareDatetime | None, Query(description="as it was then (RFC 3339)", examples=[examples.AT])]
Cursor = Annotated[int | None, Query(ge=1, le=2**62, description="of the page before")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Key = Annotated[str | None, Header(max_length=200, description="the same key starts nothing new")]
LastEvent = Annotated[str | None, Header(max_length=200, description="id of the last event that was read")]
PASSING = ("age_seconds", "sent", "answered", "rtt_ms")
"""What of a cell changes without any news."""
SVG_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


class RunRequest(BaseModel):
    """What to run. Names of zones, agents, targets or groups; nothing named means all declared pairs."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    sources: list[Name] = Field(default=[], alias="from", max_length=1000, examples=[["firewall"]])
    targets: list[Name] = Field(default=[], alias="to", max_length=1000, examples=[["ingress"]])
    flows: Annotated[int, Field(strict=True, ge=1, le=64)] | None = None


MATRIX_ANSWERS: examples.Answers = {
    200: examples.answers(documents.Matrix, "the matrix", examples.MATRIX), 304: {"description": "nothing changed"},
}  # fmt: skip


@router.get("/matrix", operation_id="matrix", responses=MATRIX_ANSWERS)
async def matrix(
    request: Request, _: Viewer, source: Names = None, target: Names = None, at: Moment = None,
    if_none_match: Annotated[str | None, Header(max_length=2000)] = None,
) -> Response:  # fmt: skip
    """The pairwise matrix: every declared cell with its label, culprit and age. ETag changes when a verdict does."""
    centre = centre_of(request)
    if at is None:
        document = centre.views.matrix(source, target)
    else:
        document = await asyncio.to_thread(_past, centre, at, source, target)
    headers = {"ETag": f'"{tag(document)}"', "Cache-Control": "no-cache"}
    if _matches(if_none_match or "", headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return JSONResponse(document, headers=headers)


COMPACT: examples.Answers = {200: examples.answers(documents.Compact, "a sign for each cell", examples.COMPACT)}
ZONES: examples.Answers = {200: examples.answers(documents.ZoneMatrix, "each pair of zones, counted", examples.ZONES)}


@router.get("/matrix/compact", operation_id="compact_matrix", responses=COMPACT)
async def compact_matrix(request: Request, _: Viewer) -> Response:
    """Every declared cell's label as a sign, a row a source: a million cells are a megabyte."""
    return _now(centre_of(request).views.compact())


@router.get("/matrix/zones", operation_id="zone_matrix", responses=ZONES)
async def zone_matrix(request: Request, _: Viewer) -> Response:
    """The matrix by pairs of zones: how many cells have which label, the oldest age, probes sent and answered."""
    return _now(centre_of(request).views.zone_pairs())


def _now(body: bytes) -> Response:
    return Response(body, headers={"Cache-Control": "no-store"}, media_type="application/json")


def _past(centre: Centre, at: datetime, source: list[str] | None, target: list[str] | None) -> dict[str, Any]:
    try:
        return centre.views.past(at, source, target)
    except KeyError:
        kept = f"what was shown is kept for {centre.settings.keep_matrix / 3600:g} hours while a controller runs"
        raise HTTPException(404, f"nothing is known of the matrix at {at.isoformat()}; {kept}") from None


def _matches(given: str, etag: str) -> bool:
    """``If-None-Match``: a list, compared weakly (RFC 9110, 13.1.2)."""
    listed = [one.strip().removeprefix("W/") for one in given.split(",")]
    return etag in listed or listed == ["*"]


def tag(document: dict[str, Any]) -> str:
    """A name for what a matrix or a run says, the same as long as it says the same."""
    said = [{k: v for k, v in cell.items() if k not in PASSING} for cell in document["cells"]]
    more = [document.get(name) for name in ("state", "judged")]
    return hashlib.sha256(json.dumps([said, more]).encode()).hexdigest()[:24]


@router.get("/paths/{source}/{target}/evidence.pcapng", include_in_schema=False)  # as links said before
@router.get(
    "/paths/{source}/{target}.pcapng", operation_id="evidence",
    responses={200: examples.body("application/x-pcapng", "a capture file, with comments")}, response_class=Response,
)  # fmt: skip
async def evidence(request: Request, source: str, target: str, _: Viewer) -> Response:
    """Both ends' packets of the last judged probe, with comments; Wireshark opens it."""
    centre = centre_of(request)
    try:
        capture = centre.views.capture(source, target)
    except KeyError:
        if (source, target) in centre.desk.matrix.cells:
            raise HTTPException(404, f"no probe from {source} to {target} has been judged yet") from None
        raise _no_pair(source, target) from None
    name = quote(f"{source}-{target}.pcapng", safe="")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "Cache-Control": "no-store"}
    return Response(capture, 200, headers, media_type="application/x-pcapng")


@router.get(
    "/paths/{source}/{target}",
    operation_id="path",
    responses={200: examples.answers(documents.Path, "the path", examples.PATH)},
)
async def path(request: Request, source: str, target: str, _: Viewer) -> Response:
    """One cell: its verdict, its history, the ladder of its last judged probe and the packets."""
    try:
        document = await asyncio.to_thread(centre_of(request).views.path, source, target)
    except KeyError:
        raise _no_pair(source, target) from None
    return JSONResponse(document, headers={"Cache-Control": "no-store"})


def _no_pair(source: str, target: str) -> HTTPException:
    what = f"{source[:100]} → {target[:100]} is no declared pair"
    return HTTPException(404, f"{what}; GET /api/v1/matrix lists them")


async def _json_only(request: Request) -> None:
    """Refuses what is no plain JSON, and what two readers could take for two things (RFC 8259, 4)."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != "application/json" and not (given.startswith("application/") and given.endswith("+json")):
        raise HTTPException(415, "write the run as JSON, with `Content-Type: application/json`")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "write the run as it is: no Content-Encoding is taken")
    json.loads(await request.body(), object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> None:
    [(name, count)] = Counter(name for name, _ in pairs).most_common(1) or [("", 0)]
    if count > 1:
        raise Refused(f"{shown(name)} is written {count} times; keep one of them")


STARTED: examples.Answers = {202: examples.answers(documents.Run, "started; Location says where it is", examples.RUN)}


@router.post("/runs", operation_id="start_run", status_code=202, responses=STARTED, dependencies=[Depends(_json_only)])
async def start_run(request: Request, wanted: RunRequest, who: Operator, idempotency_key: Key = None) -> Response:
    """Start a matrix run. The same ``Idempotency-Key`` starts nothing new and answers with the same run."""
    centre = centre_of(request)
    run_id = await centre.runs.start(wanted.sources, wanted.targets, wanted.flows, who.name, idempotency_key)
    headers = {"Location": f"/api/v1/runs/{run_id}"}
    return JSONResponse(await _run(request, run_id), 202, headers)


@router.get("/runs", operation_id="runs", responses={200: examples.answers(documents.Runs, "the runs", examples.RUNS)})
async def runs(request: Request, _: Viewer, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """The runs, newest first; give ``cursor`` back for the page after."""
    centre = centre_of(request)
    running = frozenset(run.id for run in centre.runs.known.values() if run.state == "running")
    return JSONResponse(await asyncio.to_thread(listings.runs, centre.store, cursor, limit, running))


PICTURES: examples.Answers = {
    200: {
        "description": "the run's matrix",
        "content": {
            **examples.body("image/svg+xml", "")["content"], **examples.body("image/png", "")["content"],
            **examples.body("text/csv", "")["content"],
        },
    }
}  # fmt: skip


@router.get("/runs/{run_id}.{form}", operation_id="run_picture", responses=PICTURES, response_class=Response)
async def run_picture(request: Request, run_id: str, form: Literal["svg", "png", "csv"], _: Viewer) -> Response:
    """The run's matrix as ``svg``, ``png`` or ``csv``."""
    document = await _run(request, run_id)
    if form == "svg":
        return Response(await asyncio.to_thread(picture.svg, document), headers=SVG_HEADERS, media_type="image/svg+xml")
    if form == "png":
        return Response(await asyncio.to_thread(picture.png, document), media_type="image/png")
    return Response(table.csv_text(document), media_type="text/csv; charset=utf-8")


RUN_ANSWERS: examples.Answers = {200: examples.answers(documents.Run, "the run", examples.RUN)}


@router.get("/runs/{run_id}", operation_id="run", responses=RUN_ANSWERS)
async def run(request: Request, run_id: str, _: Viewer) -> Response:
    """A run: its state and the cells so far."""
    return JSONResponse(await _run(request, run_id), headers={"Cache-Control": "no-store"})


@router.delete("/runs/{run_id}", operation_id="cancel_run", responses=RUN_ANSWERS)
async def cancel(request: Request, run_id: str, who: Operator) -> Response:
    """Cancel a run; what was judged stays. One that is over stays as it is."""
    await _run(request, run_id)
    centre_of(request).cancel_run(run_id, who.name)
    return JSONResponse(await _run(request, run_id))


async def _run(request: Request, run_id: str) -> dict[str, Any]:
    centre = centre_of(request)
    try:
        if run_id not in centre.runs.known:
            await centre.runs.look()  # another controller may just have started it
        if run_id in centre.runs.known:
            return centre.views.run(run_id)
        return await asyncio.to_thread(centre.views.run, run_id)
    except KeyError:
        raise HTTPException(404, f"there is no run {run_id[:100]}") from None


EVENTS: examples.Answers = {
    200: examples.body("text/event-stream", "server-sent events"),
    204: {"description": "there is nothing more to come"},
}


@router.get("/runs/{run_id}/events", operation_id="run_events", responses=EVENTS, response_class=Response)
async def run_events(request: Request, run_id: str, _: Viewer, last_event_id: LastEvent = None) -> Response:
    """The run's document as server-sent events until it is over; ``Last-Event-ID`` goes on from there."""
    first = await _run(request, run_id)
    if first["state"] != "running" and last_event_id == tag(first):
        return Response(status_code=204)  # tells an EventSource not to come again

    async def document() -> dict[str, Any]:
        return await _run(request, run_id)

    def over(one: dict[str, Any]) -> bool:
        return bool(one["state"] != "running")

    return streams.answer(centre_of(request), streams.Source("run", document, tag, over, last_event_id))


@router.get("/events", operation_id="events", responses={200: EVENTS[200]}, response_class=Response)
async def events(request: Request, _: Viewer) -> Response:
    """The matrix as server-sent events, whenever a verdict changes and every two seconds."""
    centre = centre_of(request)

    async def document() -> dict[str, Any]:
        return centre.views.matrix()

    return streams.answer(centre, streams.Source("matrix", document, tag, lambda _: False, None))


@router.get(
    "/slos", operation_id="slos", responses={200: examples.answers(documents.Slos, "the objectives", examples.SLOS)}
)
async def slos(request: Request, _: Viewer) -> Response:
    """Every objective: attainment over its window, budget left, burn rates, alerts."""
    return JSONResponse(centre_of(request).views.slos())


@router.get(
    "/flips", operation_id="flips", responses={200: examples.answers(documents.Flips, "what changed", examples.FLIPS)}
)
async def flips(request: Request, _: Viewer, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """What changed, newest first; give ``cursor`` back for the page after."""
    return JSONResponse(await asyncio.to_thread(listings.flips, centre_of(request).store, cursor, limit))


INCIDENTS: examples.Answers = {200: examples.answers(documents.Incidents, "the incidents", examples.INCIDENTS)}
INCIDENT: examples.Answers = {200: examples.answers(documents.Incident, "the incident", examples.INCIDENT)}
Open = Annotated[bool | None, Query(alias="open", description="those alone that are open, or those that are over")]


@router.get("/incidents", operation_id="incidents", responses=INCIDENTS)
async def incidents(
    request: Request, _: Viewer, cursor: Cursor = None, limit: Limit = 100, is_open: Open = None
) -> Response:
    """Cells that fail with one cause, newest first; give ``cursor`` back for the page after."""
    centre = centre_of(request)
    document = await asyncio.to_thread(centre.incidents.listed, cursor, limit, is_open, centre.now())
    return JSONResponse(document, headers={"Cache-Control": "no-store"})


@router.get("/incidents/{incident_id}", operation_id="incident", responses=INCIDENT)
async def incident(request: Request, incident_id: str, _: Viewer) -> Response:
    """One incident with its cells."""
    centre = centre_of(request)
    try:
        document = await asyncio.to_thread(centre.incidents.one, incident_id, centre.now())
    except KeyError:
        raise HTTPException(
            404, f"there is no incident {incident_id[:100]}; GET /api/v1/incidents lists them"
        ) from None
    return JSONResponse(document, headers={"Cache-Control": "no-store"})


@router.get(
    "/agents",
    operation_id="agents",
    responses={200: examples.answers(documents.Agents, "the agents", examples.AGENTS)},
)
async def agents(request: Request, _: Viewer) -> Response:
    """Every declared agent and how long ago it reported."""
    centre = centre_of(request)
    return JSONResponse({"at": stamp(centre.wall()), "agents": await asyncio.to_thread(centre.fleet.document)})


@router.get(
    "/audit",
    operation_id="audit",
    responses={200: examples.answers(documents.Deeds, "the audit log", examples.DEEDS)},
)
async def audit(
    request: Request, _: Annotated[Identity, Depends(needs("admin"))], cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """Who did what, newest first."""
    return JSONResponse(await asyncio.to_thread(listings.deeds, centre_of(request).store, cursor, limit))
