"""Where an answer to a slash command may go, and how often: the ``response_url`` of Slack and of Mattermost.

Both take five posts within thirty minutes (Slack, "Handling user interaction"; Mattermost's ``CommandWebhook``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import httpx
import structlog

from prober.errors import Refused

POSTS = 5
"""Posts that one ``response_url`` takes."""
PAUSES = (0.5, 1.0, 2.0)
"""Seconds before each further try of a post that must arrive."""

_log = structlog.get_logger("prober.chat")


def destination(given: str, hosts: Iterable[str], setting: str, what: str = "response_url") -> httpx.URL:
    """The URL. Refused unless it is https to one of `hosts`, or of an origin named with its scheme and below its path.

    It is parsed by the client that will call it, so both mean the same host. `setting` names the hosts.
    """
    try:
        url = httpx.URL(given)
        host = url.host  # read here: one that only looks like IDNA (xn--a) raises where it is decoded
    except (httpx.InvalidURL, ValueError, TypeError):
        raise Refused(f"the {what} is no URL, so nothing can be sent there") from None
    allowed = tuple(hosts)
    if url.userinfo or not host or not any(_permits(host, url) for host in allowed):
        raise Refused(f"the {what} is not at {' or '.join(allowed)}, so nothing is sent there ({setting})")
    return url


def _permits(host: str, url: httpx.URL) -> bool:
    if "://" not in host:
        return url.scheme == "https" and url.port is None and url.host == host.lower()
    origin = httpx.URL(host)
    below = url.path.startswith(origin.path.rstrip("/") + "/") and "/../" not in url.path + "/"
    return below and (url.scheme, url.host, _port(url)) == (origin.scheme, origin.host, _port(origin))


def _port(url: httpx.URL) -> int | None:
    return url.port or {"http": 80, "https": 443}.get(url.scheme)


class Posts:
    """The posts that one command may make. A try that may have arrived counts as one of `POSTS`."""

    def __init__(self, client: httpx.AsyncClient, url: httpx.URL) -> None:
        self._client, self._url, self.left = client, url, POSTS

    async def progress(self, message: dict[str, Any]) -> bool:
        """One try, and only while a post is left for the answer."""
        return self.left > 1 and await self._try(message) is None

    async def answer(self, message: dict[str, Any]) -> bool:
        """Tries again after a pause; a failure that stays is logged. True when it arrived."""
        why: str | None = None
        for pause in (0.0, *PAUSES):
            await asyncio.sleep(pause)
            if self.left < 1:
                break
            why = await self._try(message)
            if why is None:
                return True
        _log.error("the answer did not reach the chat", host=self._url.host, why=why)
        return False

    async def _try(self, message: dict[str, Any]) -> str | None:
        """One post; what went wrong, or None. A redirect is followed nowhere: it could lead anywhere."""
        try:
            self.left -= 1
            async with self._client.stream("POST", self._url, json=message, follow_redirects=False) as response:
                why = None if response.is_success else f"status {response.status_code}"
        except httpx.ConnectError as error:
            self.left += 1  # nobody was there to count it
            why = f"{type(error).__name__}: {error}"
        except httpx.HTTPError as error:
            why = f"{type(error).__name__}: {error}"
        if why is not None:
            _log.warning("a post to the chat failed", host=self._url.host, why=why)
        return why
