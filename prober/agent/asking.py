"""Tasks -> SYNs to send: each with an id nobody can guess, the address the kernel would send from, the next port.

Whatever costs a system call or a parse is done once for many probes.
"""

from __future__ import annotations

import random
import socket
from functools import lru_cache

import numpy as np

from prober import probe, segment
from prober.agent.outbox import Lasting
from prober.agent.ports import Ports
from prober.host.changes import Changes
from prober.report import Plan, Task
from prober.segment import Batch
from prober.wire.feeder import Asked

SOURCES_AGAIN = 10.0
"""Seconds for which the address that a target is asked from is taken to stay the same, if the kernel tells of no change
of an address or a route: policy rules change without one."""

_pair = lru_cache(maxsize=65_536)(segment.pair)


class Asking:
    """Where an agent stands in its ids and ports. `ports` are the source ports it holds."""

    def __init__(self, ports: tuple[int, ...]) -> None:
        self.number = 0
        self.targets, self.runs = Lasting(), Lasting("")
        self._serial = random.SystemRandom().randrange(probe.SERIALS)
        self._stride = random.SystemRandom().randrange(probe.SERIALS) | 1  # all serials, in an order nobody can guess
        self.ports = Ports(ports, self._serial)
        self._sources, self._sourced, self._changes = dict[str, str](), 0.0, Changes()

    def close(self) -> None:
        """Nothing is asked any more."""
        self._changes.close()

    def next_id(self) -> int:
        """The next id of this agent's."""
        self._serial += self._stride
        return probe.identity(self.number, self._serial)

    def syns(self, tasks: list[Task], plan: Plan, now: float) -> Asked:
        """A SYN for each task, with the indexes of its names; `now` in monotonic seconds."""
        if self._changes.happened() or now - self._sourced > SOURCES_AGAIN:
            self._sources, self._sourced = {}, now
        batch = segment.empty(len(tasks))
        ids = np.array([self.next_id() for _ in tasks], np.uint32)
        batch["src_hi"], batch["src_lo"] = _columns([_pair(self._source(task, plan)) for task in tasks])
        batch["dst_hi"], batch["dst_lo"] = _columns([_pair(task.address) for task in tasks])
        batch["sport"] = [t.ports[0] if t.ports else self.ports.next(t.address, t.port, now) for t in tasks]
        batch["dport"] = [task.port for task in tasks]
        probe.ask(ids, plan.keys[0], batch)
        batch["ttl"] = [task.ttl for task in tasks]
        targets = np.array([self.targets.index(task.target) for task in tasks], np.uint16)
        runs = np.array([self.runs.index(task.run) for task in tasks], np.uint16)
        return Asked(batch, targets, runs, np.array([int(task.timeout * 1e9) for task in tasks], np.int64))

    def _source(self, task: Task, plan: Plan) -> str:
        """The address that the kernel would send from, as last looked up."""
        known = self._sources.get(task.address)
        if known is None:
            known = self._sources[task.address] = _looked_up(task, plan)
        return known


def _looked_up(task: Task, plan: Plan) -> str:
    """A connected UDP socket knows its source and sends nothing."""
    family = socket.AF_INET6 if ":" in task.address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as question:
            question.connect((task.address, task.port))
            return str(question.getsockname()[0])
    except OSError:  # the send itself will say what is wrong
        mine = [a for a in plan.addresses if (":" in a) == (family == socket.AF_INET6)]
        return mine[0] if mine else ("::1" if family == socket.AF_INET6 else "127.0.0.1")


def _columns(pairs: list[tuple[int, int]]) -> Batch:
    """Addresses as their two columns."""
    return np.array(pairs, np.uint64).T
