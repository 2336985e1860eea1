"""One post to one receiver, and a trial of all of them: it was taken, or a sentence says what is wrong and the cure.

Nothing that a receiver answers may harm: its answer is read no further than is shown, and a redirect is not followed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import httpx

from prober.alert import Alert, trial
from prober.controller.receivers import Post, Receiver
from prober.errors import ProberError
from prober.surfaces.glyphs import shown

WITHIN = 15.0
"""Seconds that one post may take in all."""
SHOWN = 300
"""Bytes of an answer that are shown."""
REFUSED = frozenset({400, 413, 422})
"""Answers that say the alert itself is not taken: another try would be refused alike."""


class Undelivered(ProberError):
    """A post did not arrive. ``again``: another try may; `after` so many seconds at least."""

    exit_code = 3

    def __init__(self, sentence: str, again: bool, after: float = 0.0) -> None:
        super().__init__(sentence)
        self.again, self.after = again, after


async def deliver(client: httpx.AsyncClient, receiver: Receiver, post: Post) -> None:
    """One try. Raises Undelivered. A redirect is followed nowhere: it could lead anywhere."""
    try:
        async with asyncio.timeout(WITHIN):
            request = client.build_request("POST", receiver.url, content=post.body, headers=post.headers)
            answer = await client.send(request, stream=True, follow_redirects=False)
            try:
                said = b"" if answer.is_success else await _start(answer)
            finally:
                await answer.aclose()
    except TimeoutError:
        raise Undelivered(f"{receiver.name} does not answer within {WITHIN:g} s", again=True) from None
    except httpx.HTTPError as error:
        why = f"{receiver.name} can't be reached ({str(error) or type(error).__name__}); check {receiver.setting}"
        raise Undelivered(f"{why} and the way there", again=True) from None
    if not answer.is_success:
        raise _refused(receiver, answer, said)


async def _start(answer: httpx.Response) -> bytes:
    read = b""
    async for part in answer.aiter_bytes():
        read += part
        if len(read) >= SHOWN:
            break
    return read[:SHOWN]


def _refused(receiver: Receiver, answer: httpx.Response, said: bytes) -> Undelivered:
    code = answer.status_code
    words = shown(" ".join(said.decode("utf-8", "replace").split()))
    told = f"{receiver.name} answers {code}" + (f" ({words})" if words else "")
    if code in REFUSED:
        return Undelivered(f"{told}: it does not take this alert, which is not sent again as it is", again=False)
    if code == 429 or code >= 500:
        after = answer.headers.get("retry-after", "")
        return Undelivered(told, again=True, after=float(after) if after.isdecimal() else 0.0)
    cure = "the key it is to know" if code in (401, 403) else "where it leads"
    return Undelivered(f"{told}; check {receiver.setting}: {cure}", again=True)


async def attempt(named: Sequence[Receiver], base: str | None) -> list[str]:
    """A trial alert, opened and resolved, to each receiver: why it did not take it, or ''."""
    begun = time.time()
    opened = trial(begun, f"{base}/" if base else "")
    both = opened, trial(begun, opened.link, begun + 1.0)
    async with httpx.AsyncClient(timeout=10.0) as client:
        return list(await asyncio.gather(*(_attempt(client, one, both, begun) for one in named)))


async def _attempt(client: httpx.AsyncClient, receiver: Receiver, both: Sequence[Alert], now: float) -> str:
    try:
        for one in both:
            for post in receiver.posts([one], now):
                await deliver(client, receiver, post)
    except Undelivered as error:
        return str(error)
    return ""
