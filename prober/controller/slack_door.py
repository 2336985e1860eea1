"""Slack's door: who may come in (signed requests), and where an answer may go (``response_url``).

The signature is HMAC-SHA256 over the raw body (Slack, "Verifying requests from Slack"). Headers are parsed strictly
before anything is computed, so that no forged one raises; whatever is wrong with a request is one answer, 401.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
from collections.abc import Iterable
from typing import Any

import httpx
import structlog
from starlette.datastructures import Headers

from prober.errors import Refused

WITHIN = 300.0
"""Seconds that a request's stamp may be off, either way."""
POSTS = 5
"""Posts that one ``response_url`` takes."""
PAUSES = (0.5, 1.0, 2.0)
"""Seconds before each further try of a post that must arrive."""
_SIGNATURE, _STAMP = re.compile(r"v0=[0-9a-f]{64}"), re.compile(r"[0-9]{1,12}")

_log = structlog.get_logger("prober.chat")


def signature(headers: Headers) -> tuple[str, str] | None:
    """``(signature, timestamp)`` as Slack sends them, once each and well-formed; None otherwise."""
    signed, stamped = headers.getlist("x-slack-signature"), headers.getlist("x-slack-request-timestamp")
    if len(signed) != 1 or len(stamped) != 1:
        return None
    if not _SIGNATURE.fullmatch(signed[0]) or not _STAMP.fullmatch(stamped[0]):
        return None
    return signed[0], stamped[0]


def sign(secret: str, stamp: str, body: bytes) -> str:
    """The signature of a body: ``v0=`` and hex HMAC-SHA256 of ``v0:stamp:body``."""
    return "v0=" + hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()


def verified(secret: str, given: tuple[str, str] | None, body: bytes, wall: float) -> bool:
    """Whether the body was signed with `secret` less than `WITHIN` from `wall` (Unix seconds)."""
    if given is None or not secret or abs(wall - int(given[1])) > WITHIN:
        return False
    return hmac.compare_digest(sign(secret, given[1], body), given[0])


def response_url(given: str, hosts: Iterable[str]) -> httpx.URL:
    """Where the answer goes. Refused unless it is https to one of `hosts`, or of an origin named with its scheme.

    The URL is parsed by the client that will call it, so both mean the same host.
    """
    try:
        url = httpx.URL(given)
    except (httpx.InvalidURL, ValueError, TypeError):
        raise Refused("the response_url is no URL, so there is nowhere to answer") from None
    allowed = tuple(hosts)
    if url.userinfo or not url.host or not any(_permits(host, url) for host in allowed):
        raise Refused(
            f"the response_url is not at {' or '.join(allowed)}, so nothing is sent there (slack_response_hosts)"
        )
    return url


def _permits(host: str, url: httpx.URL) -> bool:
    if "://" not in host:
        return url.scheme == "https" and url.port is None and url.host == host.lower()
    origin = httpx.URL(host)
    return (url.scheme, url.host, _port(url)) == (origin.scheme, origin.host, _port(origin))


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
        _log.error("the answer did not reach Slack", host=self._url.host, why=why)
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
            _log.warning("a post to Slack failed", host=self._url.host, why=why)
        return why
