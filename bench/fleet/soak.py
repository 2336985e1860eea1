"""The trials: a victim, a store, so many kills at random moments, and what the oracle says afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.figures import Figure, against
from bench.fleet import oracle, processes
from bench.fleet.oracle import Oracle
from bench.fleet.simulated import Simulated, fleet
from bench.fleet.world import World, make
from prober.controller.holding import LASTS
from prober.store.engine import open_store
from prober.store.fleet import agent_number

AGENTS = 6
SETTLE = 2.0
"""Seconds for which the last controller runs, so that everything stored is judged and counted."""
LONGEST_LIFE = 0.25
"""Seconds after its first answer within which a victim is killed."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of one: so many kills of this victim on this store. ``reports`` were stored in the end."""

    store: str
    victim: str
    kills: int
    reports: int
    lost: int
    doubled: int
    seconds: float

    def line(self) -> str:
        return f"soak: {self.store} {self.victim}: {self.kills} kills, {self.lost} lost, {self.doubled} doubled"

    @property
    def ok(self) -> bool:
        return not self.lost and not self.doubled

    def figure(self) -> Figure:
        """For bench/figures.json."""
        work, once = f"{self.store}, the {self.victim} killed {self.kills:,} times", self.reports - self.doubled
        told, note = self.reports + self.lost, f"{self.lost} lost, {self.doubled} doubled"
        return against(work, "reports stored once", [once], told, more_is_better=True, note=note)


def run(folder: Path, database: str, victim: str, kills: int, seed: int) -> Trial:
    """One trial in an empty folder on an empty database. `victim` is controller or agent."""
    began, world, kept = time.monotonic(), make(folder, database, AGENTS), Oracle()
    chance = random.Random(seed)  # noqa: S311  # moments, not secrets
    VICTIMS[victim](world, kept, kills, chance, seed)
    last = processes.controller(world)
    killed_holder = victim == "controller" and not database.startswith("sqlite")
    time.sleep(SETTLE + LASTS if killed_holder else SETTLE)  # its lease runs out first
    processes.end(last)
    store = open_store(database)
    try:
        found = oracle.look(store)
    finally:
        store.close()
    kind = database.partition(":")[0]
    seconds = time.monotonic() - began
    return Trial(kind, victim, kills, len(found.names), found.lost(kept), found.doubled(), seconds)


def kill_controllers(world: World, kept: Oracle, kills: int, chance: random.Random, seed: int) -> None:
    """Agents post all the while; each controller is killed within moments of its first answer."""
    agents = fleet(world, seed)
    number_agents(world, agents)
    for _ in range(kills):
        pid = processes.controller(world)
        asyncio.run(_until_killed(world, agents, kept, pid, chance.uniform(0.0, LONGEST_LIFE)))
        os.waitpid(pid, 0)


async def _until_killed(world: World, agents: list[Simulated], kept: Oracle, pid: int, after: float) -> None:
    asyncio.get_running_loop().call_later(after, os.kill, pid, signal.SIGKILL)
    transport = httpx.AsyncHTTPTransport(verify=False, uds=world.socket.removeprefix("unix:"))
    async with httpx.AsyncClient(transport=transport, base_url="http://prober", timeout=10.0) as http:
        await asyncio.gather(*(agent.live(http, kept) for agent in agents))


def kill_agents(world: World, kept: Oracle, kills: int, chance: random.Random, seed: int) -> None:
    """One controller lives; agents are killed with a filled outbox, and what each put there must arrive.

    The controller's socket is taken away for half of the time, so that outboxes fill.
    """
    number_agents(world, fleet(world, seed))
    names, path = list(world.credentials), Path(world.socket.removeprefix("unix:"))
    pid, away = processes.controller(world), path.with_suffix(".away")
    try:
        for cycle in range(kills):
            number = cycle % AGENTS
            if chance.random() < 0.5:
                path.rename(away)
            reading, writing = os.pipe()
            victim = processes.agent(world, names[number], number, cycle + 1, writing, 0.002)
            os.close(writing)
            first = os.read(reading, 4)
            time.sleep(chance.uniform(0.0, LONGEST_LIFE))
            processes.kill(victim)
            sequences = [int.from_bytes(first, "big"), *processes.said(reading)] if len(first) == 4 else []
            kept.acknowledged |= {(names[number], cycle + 1, one) for one in sequences}
            os.close(reading)
            with contextlib.suppress(FileNotFoundError):
                away.rename(path)
        for number, name in enumerate(names):
            last = processes.agent(world, name, number, kills + 1 + number, 0, 0.0)
            if os.waitpid(last, 0)[1]:
                raise RuntimeError(f"the last process of {name} failed; its log says why")
    finally:
        processes.end(pid)


def number_agents(world: World, agents: list[Simulated]) -> None:
    """Each agent's part of its probes' ids, as the controller will give it to them."""
    store = open_store(world.database)
    try:
        for agent in agents:
            agent.number = agent_number(store, agent.name, "fleet")
    finally:
        store.close()


VICTIMS: dict[str, Callable[[World, Oracle, int, random.Random, int], None]] = {
    "controller": kill_controllers,
    "agent": kill_agents,
}
