"""HEAD of whatever answers to GET: the same answer, whose body stays here (RFC 9110, 9.3.2)."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Heads:
    """ASGI middleware. No route knows of HEAD: FastAPI's refuse it, and the API's description needs each once."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope, send = {**scope, "method": "GET"}, _bodiless(send)
        await self.app(scope, receive, send)


def _bodiless(send: Send) -> Send:
    """`send` for an answer that is whole with its headers; a stream then finds its reader gone, and ends."""
    told = False

    async def sent(message: Message) -> None:
        nonlocal told
        if told:
            return
        await send(message)
        if message["type"] == "http.response.start":
            told = True
            await send({"type": "http.response.body"})

    return sent
