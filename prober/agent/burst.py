"""A task done once, flow by flow: each source port asked its number of times, and never again before it is closed."""

from __future__ import annotations

import random
from collections.abc import Iterator

import msgspec

from prober.agent.ports import Ports
from prober.report import Task

PAUSE = 0.15
"""Seconds between the end of one attempt and the next on the same four-tuple: the RST that closes it goes first."""


def flows(task: Task, ports: Ports, now: float) -> Iterator[Task]:
    """One task a flow, on the ports that are asked for or the agent's next ones, each another one."""
    taken: set[int] = set()
    for index in range(task.flows):
        asked = task.ports[index % len(task.ports)] if task.ports else None
        port = asked or ports.next(task.address, task.port, now, taken)
        taken.add(port)
        yield msgspec.structs.replace(task, flows=1, ports=[port])


def attempts(sent: list[Task], now: float, chance: random.Random) -> Iterator[tuple[float, Task]]:
    """What was just sent and is to be asked again: when, and the task."""
    for task in sent:
        if task.every == 0.0 and task.attempts > 1:
            at = now + task.timeout + PAUSE + chance.random() * task.spread
            yield at, msgspec.structs.replace(task, attempts=task.attempts - 1)
