"""The half of an agent that asks: what is due leaves as SYNs, and now and then by the kernel's own connect().

What it is handed has been admitted: see `prober.agent.policy`.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator

import numpy as np

from prober import segment
from prober.agent import burst
from prober.agent.asking import Asking
from prober.agent.dialler import Dialler
from prober.agent.engine import Engine, Heard
from prober.agent.handing import Handing
from prober.agent.schedule import Schedule
from prober.report import CONNECT, Plan, Task
from prober.segment import Batch
from prober.wire import packets

AGENT_RATE = 20_000.0
"""SYNs a second that an agent sends at most, whatever it is told: a thousand targets' flows in one second."""


class Prober:
    """`ports` are the source ports it holds; outcomes index ``targets`` and ``runs``. `note` is told what was not sent.

    Times are monotonic seconds. ``begun``: something was asked.
    """

    def __init__(self, engine: Engine, ports: tuple[int, ...], handing: Handing, note: Callable[[str], object]) -> None:
        self.engine, self.handing, self._note = engine, handing, note
        self.schedule = Schedule(random.Random(os.urandom(8)))  # noqa: S311  # it spreads probes, it hides nothing
        self.asking = Asking(ports)
        self.targets, self.runs = self.asking.targets, self.asking.runs
        self.dialler, self._muted = Dialler(self.targets.index), np.array(ports, np.uint16)
        self.begun = False

    def adopt(self, plan: Plan, tasks: list[Task], now: float) -> None:
        """Goes by this plan, of which `tasks` were admitted."""
        self.asking.number, self.schedule.syns_per_second = plan.number, plan.syns_per_second
        self.schedule.ahead = time.time() - now
        self.schedule.replace(tasks, now)
        self.dialler.adopt(tasks if plan.connects else [], now)

    def once(self, task: Task, now: float) -> None:
        """A task done once, as soon as its target's bucket lets it."""
        self.schedule.once(list(burst.flows(task, self.asking.ports, now)), now)

    def rest(self, now: float) -> None:
        """Nothing is asked any more, until there is a plan again."""
        self.schedule.clear()
        self.dialler.adopt([], now)

    def ask(self, plan: Plan) -> Iterator[Batch]:
        """Sends the SYNs that are due, as it is iterated; the outcomes of those that could not be sent."""
        if not (tasks := self.schedule.due(time.monotonic())):
            return
        packets.prepare()
        self.begun = True
        for sender, part in self.handing.parted(tasks, self._note):
            asked = self.asking.syns(part, plan, time.monotonic())
            if any(task.ports for task in part):
                self.engine.close(self.engine.handshakes.again(asked.syns))
            yield self.engine.ask(asked, time.time_ns(), AGENT_RATE, sender)
        for at, task in burst.attempts(tasks, time.monotonic(), self.schedule.random):
            self.schedule.once([task], at)

    def dial(self, now: float) -> Batch:
        """The kernel's own connect(), now and then: the outcomes of those that have ended."""
        now_ns = time.time_ns()
        outcomes: Batch = np.concatenate(
            [self.dialler.finished(now, now_ns), self.dialler.begin(self.asking.next_id, now, now_ns)]
        )  # fmt: skip
        outcomes["run"] = self.runs.index(CONNECT)
        return outcomes

    def hear(self, heard: Heard) -> None:
        """The answers to connect() are among all that was captured; what was sent again is charged to its target."""
        self.dialler.hear(heard.segments, self._muted)
        for syn in heard.again:
            self.schedule.sent_again(str(segment.address(syn["dst_hi"], syn["dst_lo"])), time.monotonic())

    def ended(self, outcomes: Batch) -> None:
        """The ports of those that were not answered rest."""
        self.asking.ports.rest(outcomes, time.monotonic())

    def close(self) -> None:
        """Nothing is asked any more."""
        for one in (self.dialler, self.asking, self.handing):
            one.close()
