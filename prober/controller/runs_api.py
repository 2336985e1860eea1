"""`/api/v1/runs`: start a matrix run, look at it, draw it, follow it, cancel it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Annotated, Any, Literal

from fastapi import Depends, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from prober.controller import documents, examples, listings, streams
from prober.controller.doors import centre_of
from prober.controller.etag import tag
from prober.controller.parameters import Cursor, Limit, Name, Operator, Viewer, api_router
from prober.errors import Refused
from prober.surfaces import picture, table
from prober.surfaces.glyphs import shown

router = api_router()
Key = Annotated[str | None, Header(max_length=200, description="the same key starts nothing new")]
LastEvent = Annotated[str | None, Header(max_length=200, description="id of the last event that was read")]
SVG_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


class RunRequest(BaseModel):
    """What to run. Names of zones, agents, targets or groups; nothing named means all declared pairs."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    sources: list[Name] = Field(default=[], alias="from", max_length=1000, examples=[["firewall"]])
    targets: list[Name] = Field(default=[], alias="to", max_length=1000, examples=[["ingress"]])
    flows: Annotated[int, Field(strict=True, ge=1, le=64)] | None = None


async def _json_only(request: Request, _: Operator) -> None:
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
        raise HTTPException(404, f"there is no run {run_id[:100]}; GET /api/v1/runs lists them") from None


EVENTS: examples.Answers = {
    200: streams.ANSWER,
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
