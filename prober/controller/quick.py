"""A status that still stands is given again, without the whole way through the routes.

Uptime monitors ask the same few questions all the time, thousands of them a second where many watch one objective.
Whoever asks first within a moment gets the route's own answer; whoever asks the same with the same rights, before
anything was judged, gets those bytes again, and waits for them where they are just being made. Who may ask is looked
at each time.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastapi import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prober.controller.access import Identity, allows, is_remembered
from prober.controller.doors import bearer, centre_of, needs
from prober.errors import StoreUnavailable
from prober.surfaces.status import HEALTH_JSON

if TYPE_CHECKING:
    from prober.controller.centre import Centre

MOMENT = 0.25
"""Seconds for which an answer stands at most: ages in it grow."""
MOST = 256
"""Answers that are remembered."""

Key = tuple[str, bool, bool]
"""The path, whether addresses may be told, whether health+json is wanted."""


class Quick:
    """ASGI middleware, inside `Guard` and `Heads`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._moment = (-1, -1)
        self._kept: dict[Key, list[Message]] = {}
        self._making: dict[Key, asyncio.Event] = {}
        self._asks = needs("monitor")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = await self._key(scope)
        if key is None:
            await self.app(scope, receive, send)
            return
        centre = centre_of(HTTPConnection(scope))
        if self._stands(key, centre) is None and (making := self._making.get(key)):
            await making.wait()
        if (told := self._stands(key, centre)) is None:
            await self._make(key, scope, receive, send)
            return
        for message in told:
            await send({**message, "headers": list(message["headers"])} if "headers" in message else message)

    def _stands(self, key: Key, centre: Centre) -> list[Message] | None:
        """The answer that was given to the same a moment ago."""
        moment = centre.desk.version, int(centre.now() / MOMENT)
        if moment != self._moment or len(self._kept) >= MOST:
            self._moment, self._kept = moment, {}
        return self._kept.get(key)

    async def _make(self, key: Key, scope: Scope, receive: Receive, send: Send) -> None:
        """By the route; who asks the same meanwhile waits for it, whatever comes of it."""
        making = asyncio.Event()
        self._making.setdefault(key, making)
        try:
            await self.app(scope, receive, self._keeping(key, self._moment, send))
        finally:
            if self._making.get(key) is making:
                del self._making[key]
            making.set()

    async def _key(self, scope: Scope) -> Key | None:
        """What is asked; None for what is no status, and for who may not ask: the route says why."""
        if scope["type"] != "http" or scope["method"] != "GET" or not _is_status(scope["path"]):
            return None
        request = HTTPConnection(scope)
        try:
            who = await self._who(request)
        except (HTTPException, StoreUnavailable):
            return None
        wants_health = HEALTH_JSON in request.headers.get("accept", "")
        return scope["path"], allows(who.role, "viewer"), wants_health

    async def _who(self, request: HTTPConnection) -> Identity:
        """Who asks; by a token that has to be looked up in a thread, for the database may hang."""
        token = bearer(request)
        if token is None or is_remembered(centre_of(request).store, token):
            return self._asks(request)
        return await asyncio.to_thread(self._asks, request)

    def _keeping(self, key: Key, moment: tuple[int, int], send: Send) -> Send:
        """`send`, which remembers a whole answer."""
        told: list[Message] = []

        async def sent(message: Message) -> None:
            told.append({**message, "headers": list(message["headers"])} if "headers" in message else message)
            if _is_whole(told) and moment == self._moment:
                self._kept[key] = told
            await send(message)

        return sent


def _is_status(path: str) -> bool:
    return path == "/status" or path.startswith("/status/")


def _is_whole(told: list[Message]) -> bool:
    """A status with its body; an error is said anew each time."""
    ended = len(told) == 2 and told[1]["type"] == "http.response.body" and not told[1].get("more_body")
    return ended and told[0].get("status") in (200, 503)
