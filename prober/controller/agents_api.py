"""What agents call: one route. A report in, orders out, both msgpack."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.requests import ClientDisconnect

from prober.controller.doors import caller, centre_of
from prober.controller.intake import LIMIT
from prober.errors import Refused
from prober.report import encode

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
    body = await read_body(request, LIMIT)
    try:
        number = centre.number(identity.agent)
    except Refused as error:
        raise HTTPException(403, str(error)) from None
    taken = await centre.intake.take(body, identity.agent, number, int(centre.wall() * 1e9))
    return Response(encode(centre.orders(taken)), media_type="application/msgpack")


async def read_body(request: Request, limit: int) -> bytes:
    """A body of at most `limit` bytes, refused before it is read whole."""
    told = request.headers.get("content-length", "0")
    if not (told.isascii() and told.isdigit()) or len(told) > 18 or int(told) > limit:
        raise HTTPException(413, f"a body may have at most {limit} bytes")
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit:
                raise HTTPException(413, f"a body may have at most {limit} bytes")
    except ClientDisconnect:
        raise HTTPException(400, "the connection broke before the body was whole") from None
    return bytes(body)
