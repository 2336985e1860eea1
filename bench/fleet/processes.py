"""Controllers and agents as processes: forked from one that has imported everything, killed with SIGKILL."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.fleet.simulated import report
from bench.fleet.world import World
from prober import settings
from prober.agent.backlog import Backlog
from prober.agent.line import clients
from prober.agent.uplink import Uplink
from prober.controller.serve import serve
from prober.lab import namespaces

PATIENCE = 30.0
"""Seconds within which a process must answer."""


def forked(work: Callable[[], None], log: Path) -> int:
    """The pid of a child that does `work`, its words in `log`. To be called where no thread runs.

    It ends with its parent: Ctrl-C leaves nothing behind.
    """
    parent, pid = os.getpid(), os.fork()
    if pid:
        return pid
    status = 1
    try:
        namespaces.die_with_parent(parent)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, sys.stdout.fileno())
        os.dup2(file, sys.stderr.fileno())
        work()
        status = 0
    except BaseException:  # noqa: BLE001  # a child must not come back into its parent's code
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def kill(pid: int) -> None:
    """SIGKILL, and nothing of it is left."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def end(pid: int) -> None:
    """SIGTERM; raises where it did not end well."""
    os.kill(pid, signal.SIGTERM)
    _, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeError(f"process {pid} ended with status {status}; its log says why")


def controller(world: World) -> int:
    """A real controller on the world's store. Returns when it answers.

    It forgets no report for a day: the oracle looks for all of them, and a thousand kills can take longer than the
    quarter of an hour for which they are kept otherwise.
    """

    def work() -> None:
        serve(settings.load(
            targets=world.document, database=world.database, listen=(world.socket,), state=world.folder,
            anonymous="operator", keep_reports=86_400.0,
        ))  # fmt: skip

    path = Path(world.socket.removeprefix("unix:"))
    pid = forked(work, world.log)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with socket.socket(socket.AF_UNIX) as trial, contextlib.suppress(OSError):
            trial.settimeout(1.0)
            trial.connect(str(path))
            trial.sendall(b"GET /livez HTTP/1.1\r\nHost: prober\r\nConnection: close\r\n\r\n")
            if trial.recv(4096).startswith(b"HTTP/1.1 200"):
                return pid
        if os.waitpid(pid, os.WNOHANG)[0]:
            raise RuntimeError(f"the controller ended; {world.log} says why")
        time.sleep(0.005)
    kill(pid)
    raise RuntimeError("the controller did not start")


def agent(world: World, name: str, number: int, epoch: int, told: int, every: float) -> int:
    """An agent's outbox and uplink, without its wire. It writes each sequence to `told` once it is in the outbox.

    `every` seconds a report; 0: none, it delivers what is left.
    """

    def work() -> None:
        waiting = Backlog(name, epoch, world.folder / f"outbox-{name}")
        uplink = Uplink(clients(world.socket, world.credentials[name]), waiting, lambda _: None)
        uplink.start()
        for sequence in _counted(every):
            waiting.append(report(name, number, epoch, sequence, epoch * 10_000 + sequence))
            waiting.write()
            os.write(told, sequence.to_bytes(4, "big"))
        while list(waiting):
            time.sleep(0.01)
            waiting.write()

    return forked(work, world.folder / f"{name}.log")


def _counted(every: float) -> Iterator[int]:
    sequence = 0
    while every:
        sequence += 1
        yield sequence
        time.sleep(every)


def said(reading: int) -> list[int]:
    """The sequences that were written to a pipe whose writer is gone."""
    words = b""
    while piece := os.read(reading, 65536):
        words += piece
    return [int.from_bytes(words[at : at + 4], "big") for at in range(0, len(words) - 3, 4)]
