"""Tasks -> SYNs to send: each with an id nobody can guess, the address the kernel would send from, the next port.

Whatever costs a system call or a parse is done once for many probes.
"""

from __future__ import annotations

import random
import socket
import struct
from functools import lru_cache

import numpy as np

from prober import probe, segment
from prober.agent.outbox import Lasting
from prober.agent.ports import Ports
from prober.host.changes import Changes
from prober.report import Plan, Task
from prober.segment import Batch
from prober.wire.feeder import Asked

SOURCES_AGAIN = 60.0
"""Seconds for which the address that a target is asked from is taken to stay the same, if the kernel tells of no change
of an address, a route or a rule."""

_pack = struct.Struct("<4Q").pack

_pair = lru_cache(maxsize=65_536)(segment.pair)


class Asking:
    """Where an agent stands in its ids and ports. `ports` are the source ports it holds."""

    def __init__(self, ports: tuple[int, ...]) -> None:
        self.number = 0
        self.targets, self.runs = Lasting(), Lasting("")
        self._serial = random.SystemRandom().randrange(probe.SERIALS)
        self._stride = random.SystemRandom().randrange(probe.SERIALS) | 1  # all serials, in an order nobody can guess
        self.ports = Ports(ports, self._serial)
        self._ends, self._sourced, self._changes = dict[str, bytes](), 0.0, Changes()

    def close(self) -> None:
        """Nothing is asked any more."""
        self._changes.close()

    def next_id(self) -> int:
        """The next id of this agent's."""
        return int(self._ids(1)[0])

    def _ids(self, count: int) -> Batch:
        serials = (self._serial + self._stride * np.arange(1, count + 1)) % probe.SERIALS
        self._serial = (self._serial + self._stride * count) % probe.SERIALS
        ids: Batch = (serials | probe.identity(self.number, 0)).astype(np.uint32)
        return ids

    def syns(self, tasks: list[Task], plan: Plan, now: float) -> Asked:
        """A SYN for each task, with the indexes of its names; `now` in monotonic seconds."""
        if self._changes.happened() or now - self._sourced > SOURCES_AGAIN:
            self._ends, self._sourced = {}, now
        batch = segment.empty(len(tasks))
        known, ports = self._ends, self.ports
        ends = b"".join([known.get(task.address) or self._look_up(task, plan) for task in tasks])
        segment.span(batch, "src_hi", "dst_lo")[:] = np.frombuffer(ends, "V32")
        batch["sport"] = [t.ports[0] if t.ports else ports.next(t.address, t.port, now) for t in tasks]
        batch["dport"] = [task.port for task in tasks]
        probe.ask(self._ids(len(tasks)), plan.keys[0], batch)
        batch["ttl"] = [task.ttl for task in tasks]
        targets = self.targets.indexes([task.target for task in tasks])
        runs = self.runs.indexes([task.run for task in tasks])
        return Asked(batch, targets, runs, np.array([int(task.timeout * 1e9) for task in tasks], np.int64))

    def _look_up(self, task: Task, plan: Plan) -> bytes:
        """The address that the kernel would send from now, and the target's, as a batch's columns have them."""
        found = self._ends[task.address] = _pack(*_pair(_looked_up(task, plan)), *_pair(task.address))
        return found


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
