"""The queue of writes that follow the desk."""

from __future__ import annotations

import asyncio

import pytest

from prober.controller.behind import Behind
from prober.errors import StoreUnavailable


def test_writes_wait_while_the_store_is_away_and_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.controller.behind.AGAIN_AFTER", 0.01)
    written, away = list[str](), True

    def write(name: str) -> None:
        if away:
            raise StoreUnavailable("the database is away")
        written.append(name)

    def spoilt() -> None:
        raise RuntimeError("a fault of its own")

    async def play() -> Behind:
        nonlocal away
        behind = Behind()
        for one in (lambda: write("a"), spoilt, lambda: write("b")):
            behind.add(one)
        task = asyncio.create_task(behind.run())
        await asyncio.sleep(0.05)
        assert (behind.trouble, written) == (StoreUnavailable("").outward, [])
        away = False
        while behind:
            await asyncio.sleep(0.01)
        task.cancel()
        return behind

    behind = asyncio.run(play())
    assert written == ["a", "b"]
    assert (behind.trouble, behind.lost) == (None, 1)
