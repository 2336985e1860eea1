"""Server-sent events: a document again and again, whenever it says something new and every two seconds.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi.responses import StreamingResponse

from prober.controller import examples
from prober.controller.centre import Centre

EVERY = 2.0
"""Seconds at most between two events of a stream: a page knows that it is connected."""
GATHER = 0.25
"""Seconds for which several changes become one event."""
ANSWER = examples.body("text/event-stream", "server-sent events")
"""What OpenAPI is told of a stream."""
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Source:
    """What a stream tells: events of this name, named by `tag`, until it is `over`. ``read`` is the last id read."""

    event: str
    document: Callable[[], Awaitable[Document]]
    tag: Callable[[Document], str]
    over: Callable[[Document], bool]
    read: str | None


def answer(centre: Centre, source: Source) -> StreamingResponse:
    """A response that goes on until the source is over, the reader is gone or the controller ends."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_lines(centre, source), media_type="text/event-stream", headers=headers)


async def _lines(centre: Centre, source: Source) -> AsyncIterator[str]:
    read = source.read
    while not centre.ending:
        changed = centre.changed
        document = await source.document()
        name, over = source.tag(document), source.over(document)
        if name != read or over:
            yield f"id: {name}\nevent: {source.event}\ndata: {json.dumps(document)}\n\n"
        read = None  # only what a reader had before it came back is not told again
        if over:
            return
        await asyncio.sleep(GATHER)
        try:
            await asyncio.wait_for(changed.wait(), EVERY - GATHER)
        except TimeoutError:
            continue
