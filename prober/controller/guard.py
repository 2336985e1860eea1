"""What every request must be before a route sees it, and the headers that every answer has.

On loopback only names of loopback are answered: a page elsewhere must not reach a local controller by a DNS name of
its own (DNS rebinding), nor by a form of its own (cross-site POST). Bodies are bounded while they are read.
"""

from __future__ import annotations

import asyncio

from fastapi import HTTPException
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prober.controller.doors import is_local, is_local_name
from prober.controller.problems import problem

BODY_LIMIT = 256 * 1024
"""Bytes of a body at most, where the route has no limit of its own."""
READ_WITHIN = 10.0
"""Seconds within which a body must be there: one that only drips holds a connection and is never judged."""
OWN_LIMIT = ("/agent/", "/chat/")
"""Routes that bound their bodies themselves."""
ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


class Guard:
    """ASGI middleware; streams pass through it unbuffered."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        why = _refusal(HTTPConnection(scope))
        if why is not None:
            await problem(*why)(scope, receive, _with_headers(send))
            return
        bounded = receive if scope["path"].startswith(OWN_LIMIT) else _bounded(receive)
        await self.app(scope, bounded, _with_headers(send))


def _refusal(request: HTTPConnection) -> tuple[int, str] | None:
    """Why this request comes no further: status and sentence."""
    headers, method = request.headers, request.scope["method"]
    if request.client and is_local(request) and not is_local_name(headers.get("host", "")):
        return 421, "this controller listens on loopback and answers to localhost and 127.0.0.1 only"
    if method in ("POST", "DELETE") and headers.get("sec-fetch-site", "none") in ("cross-site", "same-site"):
        return 403, "a request that changes something must come from this controller's own page"
    told = headers.get("content-length", "0")
    if (
        not request.scope["path"].startswith(OWN_LIMIT)
        and told.isdigit()
        and (len(told) > 18 or int(told) > BODY_LIMIT)
    ):
        return 413, f"a body may have at most {BODY_LIMIT} bytes"
    return None


def _bounded(receive: Receive) -> Receive:
    read, until, whole = 0, asyncio.get_running_loop().time() + READ_WITHIN, False

    async def counted() -> Message:
        nonlocal read, whole
        try:
            async with asyncio.timeout_at(None if whole else until):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, f"the body did not come within {READ_WITHIN:g} s") from None
        whole = not message.get("more_body", False)
        read += len(message.get("body", b""))
        if read > BODY_LIMIT:
            raise HTTPException(413, f"a body may have at most {BODY_LIMIT} bytes")
        return message

    return counted


def _with_headers(send: Send) -> Send:
    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in ALWAYS.items():
                headers.setdefault(name, value)
        await send(message)

    return sent
