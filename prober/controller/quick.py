"""A status that still stands is given again, without the whole way through the routes.

Uptime monitors ask the same few questions all the time, thousands of them a second where many watch one objective.
Whoever asks first within a moment gets the route's own answer; whoever asks the same with the same rights, before
anything was judged, gets those bytes again. Who may ask is looked at each time.
"""

from __future__ import annotations

from fastapi import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from prober.controller.access import allows
from prober.controller.doors import centre_of, needs
from prober.surfaces.status import HEALTH_JSON

MOMENT = 0.25
"""Seconds for which an answer stands at most: ages in it grow."""
MOST = 256
"""Answers that are remembered."""

Key = tuple[str, str, bool, bool]
"""Method, path, whether addresses may be told, whether health+json is wanted."""


class Quick:
    """ASGI middleware, inside `Guard`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._moment = (-1, -1)
        self._kept: dict[Key, list[Message]] = {}
        self._asks = needs("monitor")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = self._key(scope)
        if key is None:
            await self.app(scope, receive, send)
            return
        centre = centre_of(HTTPConnection(scope))
        moment = centre.desk.version, int(centre.now() / MOMENT)
        if moment != self._moment or len(self._kept) >= MOST:
            self._moment, self._kept = moment, {}
        if key not in self._kept:
            await self.app(scope, receive, self._keeping(key, moment, send))
            return
        for message in self._kept[key]:
            await send({**message, "headers": list(message["headers"])} if "headers" in message else message)

    def _key(self, scope: Scope) -> Key | None:
        """What is asked; None for what is no status, and for who may not ask: the route says why."""
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD") or not _is_status(scope["path"]):
            return None
        request = HTTPConnection(scope)
        try:
            who = self._asks(request)
        except HTTPException:
            return None
        wants_health = HEALTH_JSON in request.headers.get("accept", "")
        return scope["method"], scope["path"], allows(who.role, "viewer"), wants_health

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
