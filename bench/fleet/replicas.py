"""Several controllers on one PostgreSQL, killed in turns: every round is closed once, no report is lost or doubled.

The agents are a process of their own. Each reports to any controller and goes to another where one is gone. A round
is a run over all of them, asked of any controller. Who closed a round, and how often, is told by a trigger in the
database, not by those who close it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import random
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import sqlalchemy as sa

from bench.figures import Figure, against
from bench.fleet import oracle, processes, soak
from bench.fleet.oracle import Name, Oracle
from bench.fleet.simulated import Simulated, fleet
from bench.fleet.world import World, make
from prober.controller.holding import LASTS, RENEW
from prober.store import lease, runs
from prober.store.engine import Store, open_store

AGENTS, PAUSE = 12, 0.05
"""Agents, and the seconds that each rests between two reports."""
ROUND_EVERY = 1.0
"""Seconds between two rounds."""
SETTLE = 12.0
"""Seconds at the end within which the last rounds must be closed: a lease may have to run out first."""
AUDIT = (
    "CREATE TABLE closings (run text, state text, finished_ns bigint)",
    """CREATE FUNCTION closed() RETURNS trigger AS $$ BEGIN
         INSERT INTO closings VALUES (NEW.id, NEW.state, NEW.finished_ns); RETURN NEW; END $$ LANGUAGE plpgsql""",
    """CREATE TRIGGER closed AFTER UPDATE ON runs FOR EACH ROW
         WHEN (NEW.state <> OLD.state OR NEW.finished_ns IS DISTINCT FROM OLD.finished_ns) EXECUTE FUNCTION closed()""",
)


class Told(msgspec.Struct):
    """What the agents' process knows at its end: what was acknowledged, what was refused, the rounds it began."""

    acknowledged: list[Name]
    refused: dict[int, int]
    rounds: list[str]


@dataclass(frozen=True, slots=True)
class Trial:
    """``rounds`` were begun, ``once`` of them closed once, ``whole`` with all their probes judged: nobody waits long
    for an agent that has not fetched its part. ``leases``: how many had the lease, one after the other."""

    controllers: int
    kills: int
    rounds: int
    once: int
    whole: int
    reports: int
    lost: int
    doubled: int
    leases: int

    def line(self) -> str:
        return (
            f"replicas: {self.controllers} controllers, {self.kills} kills, {self.leases} holders: {self.once} of "
            f"{self.rounds} rounds closed once, {self.whole} whole; {self.reports} reports, {self.lost} lost, "
            f"{self.doubled} doubled"
        )

    @property
    def ok(self) -> bool:
        return self.once == self.rounds > 0 and not self.lost and not self.doubled

    def figures(self) -> list[Figure]:
        """For bench/figures.json."""
        work = f"{self.controllers} controllers on postgresql, killed in turns {self.kills} times"
        told, note = self.reports + self.lost, f"{self.lost} lost, {self.doubled} doubled; {self.leases} holders"
        once = self.reports - self.doubled
        return [
            against(work, "rounds closed once", [self.once], self.rounds, more_is_better=True),
            against(work, "reports stored once", [once], told, more_is_better=True, note=note),
        ]


def run(folder: Path, database: str, controllers: int, kill_every: float, seconds: float, seed: int) -> Trial:
    """One trial in an empty folder on an empty PostgreSQL database. Shorter than reports are kept."""
    world = make(folder, database, AGENTS)
    agents = fleet(world, seed)
    soak.number_agents(world, agents)
    store = open_store(database)
    with store.begin() as connection:
        for statement in AUDIT:
            connection.exec_driver_sql(statement)
    store.close()
    worlds = [dataclasses.replace(world, name=f"controller{number}") for number in range(controllers)]
    pids = [processes.controller(one) for one in worlds]
    until, told = time.monotonic() + seconds, folder / "told"
    posting = processes.forked(lambda: _post(worlds, agents, until, seed, told), folder / "fleet.log")
    kills, killed = 0, 0.0
    while time.monotonic() + kill_every < until:
        time.sleep(kill_every)
        victim = kills % controllers
        processes.kill(pids[victim])
        killed = time.monotonic()
        pids[victim] = processes.controller(worlds[victim])
        kills += 1
    if os.waitpid(posting, 0)[1]:
        raise RuntimeError(f"the agents failed; {folder / 'fleet.log'} says why")
    said = msgspec.msgpack.decode(told.read_bytes(), type=Told)
    store = open_store(database)
    try:
        _wait(store, said.rounds, killed + LASTS + 2 * RENEW)
        for pid in pids:
            processes.end(pid)
        return _looked(store, said, controllers, kills)
    finally:
        store.close()


def _wait(store: Store, rounds: list[str], held: float) -> None:
    """Until all is closed and counted, and not for ever; at `held` whoever was killed last has lost the lease."""
    deadline = time.monotonic() + SETTLE
    while time.monotonic() < deadline and len(runs.ended_runs(store, rounds)) < len(rounds):
        time.sleep(0.2)
    time.sleep(max(soak.SETTLE, held - time.monotonic()))


def _looked(store: Store, said: Told, controllers: int, kills: int) -> Trial:
    with store.read() as connection:
        closings = Counter(connection.execute(sa.text("SELECT run FROM closings")).scalars())
    ended = [one for name in said.rounds if (one := runs.get_run(store, name)) and one.body]
    documents = [msgspec.msgpack.decode(one.body) for one in ended]
    found, kept = oracle.look(store), Oracle(set(said.acknowledged))
    holder = lease.holder(store)
    return Trial(
        controllers, kills, len(said.rounds), sum(closings[name] == 1 for name in said.rounds),
        sum(one["judged"] == one["probes"] == AGENTS for one in documents), len(found.names), found.lost(kept),
        found.doubled(), holder[0] if holder else 0,
    )  # fmt: skip


def _post(worlds: list[World], agents: list[Simulated], until: float, seed: int, told: Path) -> None:
    """The agents' process; at its end it writes what it was told."""
    kept, rounds = Oracle(), list[str]()

    async def play() -> None:
        clients = [_client(world) for world in worlds]
        works = [agent.roam(clients, kept, until, PAUSE) for agent in agents]
        await asyncio.gather(*works, _rounds(clients, rounds, until - 2 * ROUND_EVERY, seed))

    asyncio.run(play())
    told.write_bytes(msgspec.msgpack.encode(Told(list(kept.acknowledged), kept.refused, rounds)))


def _client(world: World) -> httpx.AsyncClient:
    transport = httpx.AsyncHTTPTransport(verify=False, uds=world.socket.removeprefix("unix:"))
    return httpx.AsyncClient(transport=transport, base_url="http://prober", timeout=5.0)


async def _rounds(clients: list[httpx.AsyncClient], rounds: list[str], until: float, seed: int) -> None:
    """A round every second, of any controller; where its answer is lost it is asked for again with the same key."""
    chance, number = random.Random(f"rounds {seed}"), 0  # noqa: S311  # dice
    while time.monotonic() < until:
        number += 1
        asked = {"Idempotency-Key": f"round {number}"}
        while True:
            try:
                answer = await chance.choice(clients).post("/api/v1/runs", json={}, headers=asked)
            except (httpx.HTTPError, OSError):
                await asyncio.sleep(0.05)
                continue
            if answer.status_code == 202:
                rounds.append(answer.json()["id"])
                break
            if answer.status_code not in (429, 503):
                raise RuntimeError(f"a round is refused with {answer.status_code}: {answer.text}")
            await asyncio.sleep(0.05)
        await asyncio.sleep(ROUND_EVERY)
