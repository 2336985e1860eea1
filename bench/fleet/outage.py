"""The database away for minutes, or the link cut for hours: how soon a few real outboxes and uplinks catch up.

Each agent closes four reports a second of 25 probes, as one does that asks a thousand targets every ten seconds, and
is killed with `kill -9` half way. Minutes pass as they do; hours are written at once, by a clock that lags behind. What
each put into its outbox, and when the controller had it, it says in a ledger that outlives it.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np

from bench.figures import Figure, against
from bench.fleet import oracle, postgres, processes, soak
from bench.fleet.herd import FRAME, handshakes
from bench.fleet.oracle import Name, Oracle
from bench.fleet.simulated import report
from bench.fleet.world import World, document, make
from prober import probe, segment
from prober.agent.backlog import Backlog
from prober.agent.line import clients
from prober.agent.recovery import Entry
from prober.agent.uplink import Uplink
from prober.report import OUTCOME, Report
from prober.store.engine import open_store

AGENTS, TARGETS, PROBES, EVERY = 2, 1000, 25, 0.25
GROUP = 40
"""Reports that share an fsync while hours are written at once: ten seconds' worth."""
SLOWEST = 20.0
"""Times real time at which they must catch up."""
KEPT, TAKEN = 1, 2
SAID = np.dtype([("what", "u1"), ("name", "<i8"), ("at_ns", "<i8")])
"""A line of the ledger: the report is in the outbox, or the controller has it; its `_name`, CLOCK_MONOTONIC."""
NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class Outage:
    """``seconds`` of it; ``waited``: reports that were in an outbox at its end. From then on: ``live`` seconds until
    each agent's newest had been taken, ``drained`` until all that waited had been."""

    store: str
    trouble: str
    seconds: float
    waited: int
    live: float
    drained: float
    lost: int
    doubled: int

    @property
    def speed(self) -> float:
        """Times real time."""
        return self.seconds / self.drained

    @property
    def ok(self) -> bool:
        return self.speed >= SLOWEST and self.waited > 0 and not self.lost and not self.doubled

    def line(self) -> str:
        return (
            f"outage: {self.store}, {self.trouble} for {self.seconds / 60:,.1f} min: {self.waited:,} reports waited, "
            f"the newest taken after {self.live:.1f} s, all after {self.drained:.1f} s ({self.speed:.0f} x real time), "
            f"{self.lost} lost, {self.doubled} doubled"
        )

    def figures(self) -> list[Figure]:
        """For bench/figures.json."""
        work, note = f"{self.store}, {self.trouble} for {self.seconds / 60:,.0f} min", self.line().partition(": ")[2]
        return [against(work, "x real time to catch up", [self.speed], SLOWEST, more_is_better=True, note=note)]


class Told(Backlog):
    """An outbox that says what the controller has."""

    def done(self, entry: Entry) -> None:
        super().done(entry)
        self.say(TAKEN, entry.summary.epoch, entry.summary.sequence)

    def say(self, what: int, epoch: int, *sequences: int) -> None:
        number, now = int(self.agent.removeprefix("agent")), time.monotonic_ns()
        os.write(self.ledger, np.array([(what, _name(number, epoch, one), now) for one in sequences], SAID).tobytes())

    ledger: int


class Ledger(NamedTuple):
    """Where the agents write, each process into a file of its own: the end of one may be torn."""

    folder: Path

    def file(self, agent: int, epoch: int) -> int:
        return os.open(self.folder / f"ledger-{agent}-{epoch}", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def lines(self, what: int) -> np.ndarray:
        """Those that say this."""
        said = [path.read_bytes() for path in self.folder.glob("ledger-*")]
        whole = np.frombuffer(b"".join(one[: len(one) // SAID.itemsize * SAID.itemsize] for one in said), SAID)
        return whole[whole["what"] == what]

    def counts(self, what: int = KEPT) -> list[int]:
        """Lines of each agent."""
        counted: list[int] = np.bincount(self.lines(what)["name"] >> 56, minlength=AGENTS).tolist()
        return counted


def agent(world: World, number: int, epoch: int, ledger: Ledger, lag: float) -> int:
    """The pid of one whose clock lags `lag` seconds behind at first: it writes until that is made up for, and then
    a report every `EVERY`."""
    name = f"agent{number}"

    def work() -> None:
        left = lag
        waiting = Told(name, epoch, world.folder / f"outbox-{name}", clock=lambda: _now() - int(left * 1e9))
        waiting.ledger = ledger.file(number, epoch)
        Uplink(clients(world.socket, world.credentials[name]), waiting, lambda _: None).start()
        sequence = 0
        while True:
            fresh = range(sequence + 1, sequence + 1 + (GROUP if left else 1))
            for sequence in fresh:
                waiting.append(_report(number, epoch, sequence, -int(left * 1e9)))
                left = max(0.0, left - EVERY)
            waiting.write()
            waiting.say(KEPT, epoch, *fresh)
            time.sleep(0.0 if left else EVERY)

    return processes.forked(work, world.folder / f"{name}.log")


def _report(number: int, epoch: int, sequence: int, wrong_ns: int) -> Report:
    """The next `PROBES` of its targets, each answered; all packets are told."""
    serial = epoch * 10_000_000 + sequence * PROBES
    one = report(f"agent{number}", number, epoch, sequence, serial, wrong_ns)
    rows = np.repeat(np.frombuffer(one.outcomes, OUTCOME), PROBES)
    asked = (sequence * PROBES + np.arange(PROBES)) % TARGETS
    rows["probe"] = [probe.identity(number, serial + at) for at in range(PROBES)]
    rows["target"], rows["dst_lo"] = (
        np.arange(PROBES),
        [segment.pair(f"10.2.{at // 250}.{at % 250 + 1}")[1] for at in asked],
    )
    names, since_ns = [f"target{at}" for at in asked], one.until_ns - int(2e9 * EVERY)
    seen = handshakes(rows)
    return msgspec.structs.replace(
        one, since_ns=since_ns, interfaces=["eth0"], targets=names, outcomes=rows.tobytes(), sightings=seen.tobytes(),
        frames=[FRAME] * len(seen),
    )  # fmt: skip


def _now() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def link_cut(folder: Path, database: str, hours: float) -> Outage:
    """There is no controller for so long; half of the reports are written by agents that are killed."""
    world, ledger = _made(folder, database)
    half = 1800.0 * hours
    first = [agent(world, number, 1, ledger, 2.0 * half) for number in range(AGENTS)]
    _until(lambda: min(ledger.counts()) >= half / EVERY)
    for pid in first:
        processes.kill(pid)
    lags = [max(0.0, 2.0 * half - count * EVERY) for count in ledger.counts()]
    last = [agent(world, number, 2, ledger, lag) for number, lag in enumerate(lags)]
    _until(lambda: min(ledger.counts()) >= 2.0 * half / EVERY)
    ended = time.monotonic_ns()
    controller = processes.controller(world)
    return _caught_up(world, ledger, [controller, *last], "the link cut", 2.0 * half, ended)


def database_away(folder: Path, database: str, minutes: float) -> Outage:
    """A database of `postgres.cluster` is closed for so long; the agents are killed half way."""
    world, ledger = _made(folder, database)
    controller = processes.controller(world)
    first = [agent(world, number, 1, ledger, 0.0) for number in range(AGENTS)]
    _until(lambda: min(ledger.counts(TAKEN)) > 0)
    began = time.monotonic_ns()
    with postgres.closed(database):
        time.sleep(30.0 * minutes)
        for pid in first:
            processes.kill(pid)
        last = [agent(world, number, 2, ledger, 0.0) for number in range(AGENTS)]
        time.sleep(30.0 * minutes)
    ended = time.monotonic_ns()
    return _caught_up(world, ledger, [controller, *last], "the database away", (ended - began) / 1e9, ended)


def _made(folder: Path, database: str) -> tuple[World, Ledger]:
    world = make(folder, database, AGENTS, document(AGENTS, TARGETS))
    soak.number_agents(world, soak.fleet(world, 1))
    return world, Ledger(folder)


def _until(true: Callable[[], bool], patience: float = 900.0) -> None:
    deadline = time.monotonic() + patience
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError(f"that took longer than {patience:.0f} s; the agents' logs say why")
        time.sleep(0.1)


def _caught_up(world: World, ledger: Ledger, pids: list[int], trouble: str, seconds: float, ended: int) -> Outage:
    """Waits until all that was kept before `ended` has been taken, and reckons."""
    kept, taken = ledger.lines(KEPT), ledger.lines(TAKEN)
    early = taken["name"][taken["at_ns"] <= ended]
    waited = np.setdiff1d(kept["name"][kept["at_ns"] <= ended], early)
    with suppress(RuntimeError):  # what has not come by then is lost, and said so
        _until(lambda: np.isin(waited, ledger.lines(TAKEN)["name"]).all() and math.isfinite(_live(ledger, ended)))
    for pid in pids[1:]:
        processes.kill(pid)
    time.sleep(soak.SETTLE)
    processes.end(pids[0])
    taken = ledger.lines(TAKEN)
    drained = int(taken["at_ns"][np.isin(taken["name"], waited)].max(initial=ended))
    store = open_store(world.database)
    found = oracle.look(store)
    store.close()
    promised = Oracle(set(map(_named, np.union1d(waited, taken["name"]).tolist())))
    return Outage(
        world.database.partition(":")[0], trouble, seconds, len(waited), _live(ledger, ended), (drained - ended) / 1e9,
        found.lost(promised), found.doubled(),
    )  # fmt: skip


def _live(ledger: Ledger, ended: int) -> float:
    """Seconds until of each agent a report had been taken that was made after `ended`; infinite where none was."""
    made, taken = ledger.lines(KEPT), ledger.lines(TAKEN)
    fresh = taken[np.isin(taken["name"], made["name"][made["at_ns"] > ended])]
    firsts = [fresh["at_ns"][fresh["name"] >> 56 == one].min(initial=NEVER) for one in range(AGENTS)]
    return math.inf if max(firsts) == NEVER else (max(firsts) - ended) / 1e9


def _name(agent: int, epoch: int, sequence: int) -> int:
    return agent << 56 | epoch << 32 | sequence


def _named(name: int) -> Name:
    return f"agent{name >> 56}", name >> 32 & 0xFFFFFF, name & 0xFFFFFFFF
