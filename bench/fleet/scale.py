"""Does one controller keep up with a whole fleet? A real process, real HTTP, signatures, dedupe and fsync.

What the agents were told is held against what the controller's store says in the end.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from bench.figures import Figure, against
from bench.fleet import postgres, processes, soak
from bench.fleet.herd import Fleet, Told
from bench.fleet.simulated import fleet
from bench.fleet.world import OBJECTIVE, World, document, make
from prober.report import report_every
from prober.store import tables
from prober.store.engine import open_store

P99_MS, MIB = 250.0, 1024.0
"""What a report may take, and a controller hold."""
KEEPS_UP = 0.99
"""Of the probes that are asked for, so many must be acknowledged while they come."""
DRAIN, SETTLE = 30.0, 3.0
"""Seconds in which the last reports must be taken, and for the last of them to be judged, beyond the reports' interval.
In one such interval the agents come."""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Scale:
    """What came of one. CPU in seconds of a core a second; ``drain``: seconds until the last report was taken."""

    store: str
    agents: int
    targets: int
    every: float
    seconds: float
    told: Told
    mib: float
    core: float
    own: float
    backlog: int
    drain: float
    stored: int
    lost: int
    doubled: int

    @property
    def rate(self) -> float:
        return self.told.probes / self.seconds

    def percentile(self, share: float) -> float:
        """Milliseconds."""
        return float(np.percentile(self.told.latencies, 100 * share)) * 1e3

    @property
    def joining(self) -> float:
        """Milliseconds: p99 of the reports that were taken before every agent had its plan."""
        return float(np.percentile(self.told.joining or [0.0], 99)) * 1e3

    @property
    def ok(self) -> bool:
        keeps_up = self.rate >= KEEPS_UP * self.agents * self.targets / self.every and not self.backlog
        return keeps_up and self.percentile(0.99) <= P99_MS and self.mib <= MIB and not self.lost and not self.doubled

    def line(self) -> str:
        return (
            f"fleet: {self.store}: {self.agents:,} agents x {self.targets:,} targets, {self.rate:,.0f} probes/s for "
            f"{self.seconds:.0f} s, p99 {self.percentile(0.99):.0f} ms, {self.mib:,.0f} MiB, {self.lost} lost, "
            f"{self.doubled} doubled"
        )

    def more(self) -> str:
        """The rest, for whoever looks into it."""
        told = self.told
        return (
            f"{len(told.kept.acknowledged):,} reports ({told.twice} posted twice), {told.probes:,} probes "
            f"({told.failed} failed), {self.stored:,} counted; p50 {self.percentile(0.5):.1f} ms, "
            f"max {self.percentile(1.0):.0f} ms, p99 while they joined {self.joining:.0f} ms; "
            f"refused {told.kept.refused}, {told.made_up} reports of them taken; "
            f"{self.backlog} left after {self.drain:.1f} s; controller {self.core:.2f} cores, fleet {self.own:.2f}"
        )

    def figures(self) -> list[Figure]:
        """For bench/figures.json."""
        work = f"{self.agents:,} agents x {self.targets:,} targets every {self.every:g} s, on {self.store}"
        asked = self.agents * self.targets / self.every
        lost = f"{self.lost} lost, {self.doubled} doubled; {self.seconds:.0f} s"
        return [
            against(work, "probes/s accounted for", [self.rate], KEEPS_UP * asked, more_is_better=True, note=lost),
            against(work, "ms, p99 of a report", [self.percentile(0.99)], P99_MS, more_is_better=False),
            against(work, "MiB resident, the controller", [self.mib], MIB, more_is_better=False),
        ]


def run(folder: Path, database: str, agents: int, targets: int, every: float, seconds: float, seed: int) -> Scale:
    """One trial in an empty folder on an empty database. It must be shorter than reports are kept."""
    world = make(folder, database, agents, document(agents, targets, every))
    soak.number_agents(world, fleet(world, seed))
    with _controller(world) as (pid, port):
        herd = Fleet(world.credentials, targets, every, ("127.0.0.1", port), seed)
        own, cores, began = _own_cpu(), _cpu(pid), time.monotonic()
        drain = asyncio.run(herd.play(rest := report_every(agents), seconds, DRAIN))
        took = time.monotonic() - began
        own, cores = (_own_cpu() - own) / took, (_cpu(pid) - cores) / took
        time.sleep(SETTLE + rest)
        mib = _peak_mib(pid)
    names, counted = _kept(database)
    told = herd.told
    lost = len(told.kept.acknowledged - names) + max(0, told.probes - counted)
    return Scale(
        database.partition(":")[0], agents, targets, every, herd.lived(), told, mib, cores, own, herd.backlog(), drain,
        counted, lost, max(0, counted - told.probes) if not herd.backlog() else 0,
    )  # fmt: skip


@contextmanager
def emptied(store: str) -> Iterator[tuple[Path, str]]:
    """A folder, and an empty database of this kind, for as long as the trial takes."""
    with tempfile.TemporaryDirectory(prefix="prober-fleet-") as folder, ExitStack() as stack:
        if store == "sqlite":
            yield Path(folder), f"sqlite:///{folder}/prober.sqlite"
        else:
            yield Path(folder), postgres.database(stack.enter_context(postgres.cluster()))


@contextmanager
def _controller(world: World) -> Iterator[tuple[int, int]]:
    """A controller as an operator starts it, and its port. It must end well."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    words = [
        sys.executable, "-m", "prober", "controller", "--targets", str(world.document), "--database", world.database,
        "--state", str(world.folder), "--listen", f"127.0.0.1:{port}", "--anonymous", "operator",
    ]  # fmt: skip
    with world.log.open("wb") as log, subprocess.Popen(words, stdout=log, stderr=log) as process:
        try:
            _wait(process, port, world.log)
            yield process.pid, port
            process.send_signal(signal.SIGTERM)
            if process.wait(processes.PATIENCE):
                raise RuntimeError(f"the controller ended with {process.returncode}: {world.log.read_text()[-2000:]}")
        finally:
            process.kill()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 4 * processes.PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), 1.0):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the controller did not start: {log.read_text()[-2000:]}")


def _kept(database: str) -> tuple[set[tuple[str, int, int]], int]:
    """The names of all reports in the store, and how many probes its objective counted."""
    store = open_store(database)
    log, counts = tables.reports.c, tables.objective_minutes.c
    with store.read() as connection:
        names = {(row[0], row[1], row[2]) for row in connection.execute(sa.select(log.agent, log.epoch, log.sequence))}
        asked = sa.select(sa.func.sum(counts.total)).where(counts.objective == OBJECTIVE)
        counted = int(connection.execute(asked).scalar_one() or 0)
    store.close()
    return names, counted


def _peak_mib(pid: int) -> float:
    """The most that the process ever had resident (proc(5), VmHWM)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def _cpu(pid: int) -> float:
    """Seconds of a core (proc(5), stat: utime, stime)."""
    told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / TICKS


def _own_cpu() -> float:
    return sum(os.times()[:2])
