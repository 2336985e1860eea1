"""A task done once, flow by flow: each source port asked its number of times, and never again before it is closed."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import msgspec

from prober.report import Task

PAUSE = 0.3
"""Seconds between the end of one attempt and the next on the same four-tuple: the RST that closes it goes first."""


def flows(task: Task, next_port: Callable[[Task], int]) -> Iterator[Task]:
    """One task a flow, on the ports that are asked for or the agent's next ones."""
    for index in range(task.flows):
        port = task.ports[index % len(task.ports)] if task.ports else next_port(task)
        yield msgspec.structs.replace(task, flows=1, ports=[port])


def attempts(sent: list[Task], now: float, chance: random.Random) -> Iterator[tuple[float, Task]]:
    """What was just sent and is to be asked again: when, and the task."""
    for task in sent:
        if task.every == 0.0 and task.attempts > 1:
            at = now + task.timeout + PAUSE + chance.random() * task.spread
            yield at, msgspec.structs.replace(task, attempts=task.attempts - 1)
