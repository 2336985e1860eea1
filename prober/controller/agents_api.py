"""What agents call: one route. A report in, orders out, both msgpack."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.requests import ClientDisconnect

from prober.controller.doors import caller, centre_of
from prober.controller.errands import Errand
from prober.controller.intake import LIMIT
from prober.errors import Refused
from prober.report import LANE, PLAN, encode

SLOWEST = 20.0
"""Seconds that a body may take to come: whoever drips it holds room that others need."""

router = APIRouter(include_in_schema=False)


@router.post("/agent/v1/reports")
async def report(request: Request) -> Response:
    """Answers when the report is on disk."""
    centre = centre_of(request)
    identity = caller(request)
    if identity.role != "agent" or identity.agent is None:
        raise HTTPException(
            403, "only an agent reports: make a token with `prober token create --agent NAME --zone ZONE`"
        )
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "a report comes as it is: no Content-Encoding is taken")
    try:
        number = centre.number(identity.agent)
    except Refused as error:
        raise HTTPException(403, str(error)) from None
    live = request.headers.get(LANE, "live") == "live"
    with centre.intake.admitted(identity.agent, told_size(request, LIMIT), live):
        body = await read_body(request, LIMIT)
        taken = await centre.intake.take(body, identity.agent, number, int(centre.wall() * 1e9))
        work = await centre.errands.fetch(*taken) if taken.report.live else Errand()
    orders = centre.orders(taken.report, work, request.headers.get(PLAN, ""))
    return Response(encode(orders), media_type="application/msgpack")


def told_size(request: Request, limit: int) -> int:
    """The bytes that a body says it has, `limit` where it says nothing; refused where it says more, or nonsense."""
    told = request.headers.get("content-length", str(limit) if "transfer-encoding" in request.headers else "0")
    if not (told.isascii() and told.isdigit()) or len(told) > 18 or int(told) > limit:
        raise HTTPException(413, f"a body may have at most {limit} bytes")
    return int(told)


async def read_body(request: Request, limit: int) -> bytes:
    """A body of at most `limit` bytes, refused before it is read whole, and one that takes `SLOWEST` seconds."""
    told_size(request, limit)
    body = bytearray()
    try:
        async with asyncio.timeout(SLOWEST):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise HTTPException(413, f"a body may have at most {limit} bytes")
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {SLOWEST:.0f} s") from None
    except ClientDisconnect:
        raise HTTPException(400, "the connection broke before the body was whole") from None
    return bytes(body)
