"""`/api/v1/matrix`, ``/paths`` and ``/events``: the cells as they are and as they were, and one with its evidence."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Header, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import AwareDatetime

from prober.controller import documents, examples, streams
from prober.controller.centre import Centre
from prober.controller.doors import centre_of
from prober.controller.etag import matches, tag
from prober.controller.parameters import Name, Viewer, api_router

router = api_router()
Names = Annotated[list[Name] | None, Query(max_length=200, description="names of zones, groups, agents or targets")]
Moment = Annotated[AwareDatetime | None, Query(description="as it was then (RFC 3339)", examples=[examples.AT])]

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
    if matches(if_none_match or "", headers["ETag"]):
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


@router.get("/events", operation_id="events", responses={200: streams.ANSWER}, response_class=Response)
async def events(request: Request, _: Viewer) -> Response:
    """The matrix as server-sent events, whenever a verdict changes and every two seconds."""
    centre = centre_of(request)

    async def document() -> dict[str, Any]:
        return centre.views.matrix()

    return streams.answer(centre, streams.Source("matrix", document, tag, lambda _: False, None))
