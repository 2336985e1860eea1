"""`python -m bench.fleet.chaos`: a disk that fills up, and a database that goes away and comes back.

Each says in its last line what the agents heard meanwhile, whether reads stayed up, and what was lost and doubled.
"""

from __future__ import annotations

import asyncio
import errno
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.fleet import oracle, postgres, processes, soak
from bench.fleet.oracle import Oracle
from bench.fleet.simulated import Simulated, fleet
from bench.fleet.world import World, make
from prober.lab import namespaces, sealed
from prober.store.engine import open_store

PHASE = 0.7
"""Seconds before the trouble, during it, and after it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """``heard``: the answers that were no acknowledgement, by status; ``resumed``: acknowledged after the trouble."""

    trouble: str
    heard: dict[int, int]
    reads: bool
    resumed: int
    lost: int
    doubled: int

    def line(self) -> str:
        heard = ", ".join(f"{count} × {status}" for status, count in sorted(self.heard.items())) or "nothing"
        return (
            f"chaos: {self.trouble}: heard {heard}, reads {'up' if self.reads else 'DOWN'}, "
            f"{self.resumed} taken afterwards, {self.lost} lost, {self.doubled} doubled"
        )


def play(world: World, trouble: str, begin: Callable[[], None], end: Callable[[], None]) -> Outcome:
    """Agents post throughout; `begin` and `end` make the trouble and undo it."""
    agents, kept = fleet(world, 1), Oracle()
    soak.number_agents(world, agents)
    pid = processes.controller(world)
    _post(world, agents, kept)
    begin()
    _post(world, agents, kept)
    with _client(world) as http:
        reads = http.get("/api/v1/matrix").status_code == 200 and http.get("/livez").status_code == 200
    heard, before = dict(kept.refused), len(kept.acknowledged)
    end()
    deadline = time.monotonic() + processes.PATIENCE
    while len(kept.acknowledged) == before and time.monotonic() < deadline:
        _post(world, agents, kept)
    time.sleep(soak.SETTLE)
    processes.end(pid)
    store = open_store(world.database)
    found = oracle.look(store)
    store.close()
    resumed = len(kept.acknowledged) - before
    return Outcome(trouble, heard, reads, resumed, found.lost(kept), found.doubled())


def _client(world: World) -> httpx.Client:
    transport = httpx.HTTPTransport(verify=False, uds=world.socket.removeprefix("unix:"))
    return httpx.Client(transport=transport, base_url="http://prober", timeout=15.0)


def _post(world: World, agents: list[Simulated], kept: Oracle) -> None:
    async def phase() -> None:
        transport = httpx.AsyncHTTPTransport(verify=False, uds=world.socket.removeprefix("unix:"))
        async with httpx.AsyncClient(transport=transport, base_url="http://prober", timeout=15.0) as http:
            until = time.monotonic() + PHASE
            await asyncio.gather(*(agent.live(http, kept, until) for agent in agents))

    asyncio.run(phase())


def full_disk() -> Outcome:
    """The controller's SQLite on a disk of 8 MB that something else fills."""
    disk = sealed.enter() / "disk"
    disk.mkdir()
    namespaces.mount("tmpfs", str(disk), "tmpfs", 0, "size=8m")
    ballast = disk / "ballast"

    def fill() -> None:
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    return play(make(disk, f"sqlite:///{disk}/prober.sqlite", 6), "full disk", fill, ballast.unlink)


def database_away() -> Outcome:
    """PostgreSQL takes no connection, and ends those there are, for a while."""
    with postgres.cluster("fsync=off") as cluster, tempfile.TemporaryDirectory(prefix="prober-chaos-") as folder:
        url = postgres.database(cluster)
        with ExitStack() as stack:
            world, shut = make(Path(folder), url, 6), postgres.closed(url)
            return play(world, "database away", lambda: stack.enter_context(shut), stack.close)


TROUBLES = {"full-disk": full_disk, "database-away": database_away}

if __name__ == "__main__":
    for asked in sys.argv[1:] or TROUBLES:
        print(TROUBLES[asked]().line())
