"""`/api/v1`: what scripts, the page and the command line read and start; here all but the cells and the runs."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse

from prober.controller import documents, examples, listings
from prober.controller.doors import centre_of
from prober.controller.parameters import Admin, Cursor, Limit, Viewer, api_router
from prober.surfaces.stamps import stamp

router = api_router()


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
async def audit(request: Request, _: Admin, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """Who did what, newest first."""
    return JSONResponse(await asyncio.to_thread(listings.deeds, centre_of(request).store, cursor, limit))
