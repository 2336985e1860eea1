"""The one route that agents call: bodies are bounded before they are read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from fastapi import HTTPException
from starlette.requests import ClientDisconnect, Request

from prober.controller.agents_api import read_body


def reading(chunks: list[bytes], limit: int, told: str | None = None, broken: bool = False) -> tuple[bytes, int]:
    """``(body, chunks read)``."""
    read = 0

    class Given(Request):
        async def stream(self) -> AsyncIterator[bytes]:
            nonlocal read
            for chunk in chunks:
                read += 1
                yield chunk
            if broken:
                raise ClientDisconnect

    headers = [] if told is None else [(b"content-length", told.encode())]
    try:
        return asyncio.run(read_body(Given({"type": "http", "headers": headers}), limit)), read
    except HTTPException as error:
        error.detail = f"{error.status_code} after {read}: {error.detail}"
        raise


def test_a_body_within_the_limit_is_read_whole() -> None:
    assert reading([b"ab", b"cd"], 4, "4") == (b"abcd", 2)
    assert reading([b"ab", b"cd"], 4) == (b"abcd", 2)


@pytest.mark.parametrize("told", ["5", "1" + "0" * 5000, "-1", "4, 4", "four", "\u0664"])
def test_a_length_that_is_too_large_or_none_is_refused_before_anything_is_read(told: str) -> None:
    with pytest.raises(HTTPException, match="after 0: a body may have at most 4 bytes"):
        reading([b"abcd"], 4, told)


def test_a_body_that_says_nothing_of_its_length_is_refused_while_it_comes() -> None:
    with pytest.raises(HTTPException, match="413 after 3"):
        reading([b"ab"] * 100, 4)


def test_a_connection_that_breaks_leaves_no_half_report() -> None:
    with pytest.raises(HTTPException, match="400 after 1: the connection broke"):
        reading([b"ab"], 4, "4", broken=True)
