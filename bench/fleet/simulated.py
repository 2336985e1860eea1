"""Agents without a network. Each report tells of one probe; some are posted twice, some out of order."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field

import httpx
import msgspec
import numpy as np

from bench.fleet.oracle import Name, Oracle
from bench.fleet.world import TARGET, World
from prober import probe, segment
from prober.agent.credential import Credential
from prober.agent.line import PATH
from prober.handshake import State
from prober.report import LANE, OUTCOME, Report, decode_orders, encode, lane

HOUR_NS = 3_600_000_000_000
RETRIES = 64
"""Reports without an answer that an agent keeps; it asks for nothing more until they are taken."""


def report(
    agent: str, number: int, epoch: int, sequence: int, serial: int, wrong_ns: int = 0, run: str = ""
) -> Report:  # fmt: skip
    """One answered probe, of this run where there is one, sent 20 ms ago, by a clock that is off by so much."""
    now = time.time_ns() + wrong_ns
    row = np.zeros(1, OUTCOME)
    row["probe"], row["state"] = probe.identity(number, serial), State.ANSWERED
    row["src_hi"], row["src_lo"] = segment.pair("10.1.0.1")
    row["dst_hi"], row["dst_lo"] = segment.pair("10.2.0.1")
    row["run"] = bool(run)
    row["sport"], row["dport"], row["rtt_ns"] = 61440, 80, 1_000_000
    row["sent_ns"], row["done_ns"] = now - 20_000_000, now - 19_000_000
    return Report(
        agent, epoch, sequence, now, now - 250_000_000, now - 2_000_000, targets=[TARGET], runs=["", run],
        outcomes=row.tobytes(),
    )  # fmt: skip


@dataclass(slots=True)
class Simulated:
    """One agent of the protocol. What it was not told is taken it sends again, under the same name."""

    name: str
    credential: Credential
    number: int
    chance: random.Random
    epoch: int = 1
    sequence: int = 0
    wrong_ns: int = 0
    waiting: list[Report] = field(default_factory=list)
    taken: list[Report] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    heard: set[str] = field(default_factory=set)

    async def live(self, http: httpx.AsyncClient, oracle: Oracle, until: float = float("inf")) -> None:
        """Posts until the controller is gone, or `until` (monotonic seconds)."""
        while time.monotonic() < until:
            try:
                await self._post(http, self._next(), oracle)
            except (httpx.HTTPError, OSError):
                return

    async def roam(self, clients: list[httpx.AsyncClient], oracle: Oracle, until: float, pause: float) -> None:
        """Posts to any of the controllers until `until`; to another one where one is gone. All it was asked is told."""
        http = self.chance.choice(clients)
        while time.monotonic() < until or self.waiting or self.asked:
            try:
                await self._post(http, self._next(time.monotonic() >= until), oracle)
            except (httpx.HTTPError, OSError):
                http = self.chance.choice(clients)
            await asyncio.sleep(pause)

    def _next(self, ending: bool = False) -> Report:
        """Mostly a new one; now and then one that was taken already, or an older one that was not."""
        if self.asked:
            return self._new(self.asked.pop(0))
        if ending and self.waiting:
            return self.waiting[0]
        dice = self.chance.random()
        if self.taken and dice < 0.1:
            return self.chance.choice(self.taken)
        if self.waiting and (dice < 0.5 or len(self.waiting) >= RETRIES):
            return self.chance.choice(self.waiting)
        return self._new()

    def _new(self, run: str = "") -> Report:
        self.sequence += 1
        made = report(self.name, self.number, self.epoch, self.sequence, self.sequence, self.wrong_ns, run)
        self.waiting.append(made)
        return made

    async def _post(self, http: httpx.AsyncClient, one: Report, oracle: Oracle) -> None:
        aged = time.time_ns() + self.wrong_ns - one.clock_ns
        sent = msgspec.structs.replace(one, age_ns=max(0, aged))
        body = encode(sent)
        headers = self.credential.signed(PATH, body, int(time.time())) | {LANE: lane(sent)}
        answer = await http.post(PATH, content=body, headers=headers)
        if answer.status_code != 200:
            oracle.refused[answer.status_code] = oracle.refused.get(answer.status_code, 0) + 1
            await asyncio.sleep(0.01)
            return
        orders = decode_orders(answer.content)
        assert orders.acknowledged == one.sequence
        self.asked += [task.run for task in orders.once if task.run not in self.heard]
        self.heard |= {task.run for task in orders.once}
        oracle.acknowledged.add(name(one))
        if one in self.waiting:
            self.waiting.remove(one)
            self.taken = [*self.taken[-20:], one]


def name(one: Report) -> Name:
    return one.agent, one.epoch, one.sequence


def fleet(world: World, seed: int) -> list[Simulated]:
    """All agents of a world: a third with a clock an hour ahead, a third with one an hour behind."""
    return [
        Simulated(one, key, number, random.Random(f"{seed} {one}"), wrong_ns=(number % 3 - 1) * HOUR_NS)  # noqa: S311  # dice
        for number, (one, key) in enumerate(world.credentials.items())
    ]
