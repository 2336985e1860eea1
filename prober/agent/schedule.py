"""What is due when. Continuous tasks are spread over their period; a token bucket a target bounds its SYNs a second.

Times are monotonic seconds, handed in.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from prober.report import EXPERIMENT, Task

BURST = 4.0
"""SYNs that a target may get at once before its bucket makes them wait."""
LEAVE = 2.0
"""Tokens that experiments leave for continuous probing and for runs, which never wait for them."""
LEAST_WAIT = 0.001
"""Seconds: a wait so short that adding it to a clock changes nothing would never end."""
JITTER = 0.05
"""Each period is longer or shorter by up to this part of it, so that agents do not march in step."""


@dataclass(slots=True)
class Bucket:
    """A token bucket: `rate` tokens a second, `BURST` at most."""

    rate: float
    tokens: float = BURST
    at: float = 0.0

    def wait(self, now: float, leave: float = 0.0) -> float:
        """Takes a token and returns 0, or returns the seconds until there is one besides those to `leave`."""
        self.tokens = min(BURST, self.tokens + (now - self.at) * self.rate)
        self.at = now
        if self.tokens >= 1.0 + leave:
            self.tokens -= 1.0
            return 0.0
        return max(LEAST_WAIT, (1.0 + leave - self.tokens) / self.rate)

    def owe(self, now: float) -> None:
        """Takes a token, whether there is one or not: whoever is next waits for it."""
        self.tokens = min(BURST, self.tokens + (now - self.at) * self.rate) - 1.0
        self.at = now


@dataclass(slots=True)
class Schedule:
    """The tasks of a plan and the one-off ones of runs, each flow at its time."""

    random: random.Random
    syns_per_second: float = 1.0
    ahead: float = 0.0
    """Seconds by which the wall clock is ahead of the times handed in: what has its moment has it by that clock."""
    _queue: list[tuple[float, int, Task, list[Task]]] = field(default_factory=list)
    """``(when, count, task, what follows it once it is sent)``, the last of those first."""
    _buckets: dict[str, Bucket] = field(default_factory=dict)
    _count: int = 0

    def replace(self, tasks: list[Task], now: float) -> None:
        """A new plan. What is probed already keeps its phase, new tasks begin at random points of their period;
        one-off tasks stay."""
        phases = {(task.address, task.port): at for at, _, task, _ in self._queue if task.every > 0.0 > task.phase}
        self._queue = [entry for entry in self._queue if entry[2].every == 0.0]
        heapq.heapify(self._queue)
        for task in tasks:
            if task.phase >= 0.0:  # it takes turns with others: all its flows at its moment
                for _ in range(task.flows):
                    self._push(self._moment(task, now), task)
                continue
            begin = now + self.random.random() * task.every / task.flows
            self._push(min(phases.get((task.address, task.port), begin), now + task.every / task.flows), task)
        named = {task.address for _, _, task, _ in self._queue}
        self._buckets = {address: bucket for address, bucket in self._buckets.items() if address in named}

    def once(self, flows: Sequence[Task], now: float) -> None:
        """One-off tasks, the flows of one pair: one after the other, as fast as the target's bucket lets them.

        Only one of them stands in the queue, so that at an empty bucket they take turns with whatever else is waiting:
        a run of many flows does not keep an address' continuous probes waiting until their cells are stale.
        """
        first, *later = flows
        self._push(now, first, later[::-1])

    def due(self, now: float) -> list[Task]:
        """The tasks to send a SYN for now; a continuous one comes up again by itself."""
        result: list[Task] = []
        queue, buckets, rate = self._queue, self._buckets, self.syns_per_second
        while queue and queue[0][0] <= now:
            at, _, task, later = queue[0]
            bucket = buckets.get(task.address)
            if bucket is None:
                bucket = buckets[task.address] = Bucket(rate, at=now)
            bucket.rate = rate
            wait = bucket.wait(now, LEAVE if task.run and task.run.startswith(EXPERIMENT) else 0.0)
            if wait <= 0.0:
                result.append(task)
            if (again := now + wait if wait > 0.0 else self._again(task, at, now, later)) is None:
                heapq.heappop(queue)
            else:
                self._count += 1
                following = later.pop() if later and wait <= 0.0 else task
                heapq.heapreplace(queue, (again, self._count, following, later))
        return result

    def sent_again(self, address: str, now: float) -> None:
        """A SYN that could not wait for its turn has left: what is due to that address next waits the longer."""
        if address in self._buckets:
            self._buckets[address].owe(now)

    def _again(self, task: Task, at: float, now: float, later: list[Task]) -> float | None:
        """When a task that was due `at`, or what follows it, comes up next; None: it was done once."""
        if task.every <= 0.0:
            return now if later else None
        if task.phase >= 0.0:
            return self._moment(task, max(at + task.every / 2.0, now))
        period = task.every / task.flows * (1.0 + JITTER * (2.0 * self.random.random() - 1.0))
        return max(at + period, now)

    def _moment(self, task: Task, after: float) -> float:
        """The first moment of a task that takes turns, from `after` on."""
        return after + (task.phase - after - self.ahead) % task.every

    def next_due(self) -> float | None:
        """When something is due next."""
        return self._queue[0][0] if self._queue else None

    def clear(self) -> None:
        """Nothing is due any more (the plan has expired)."""
        self._queue.clear()

    def _push(self, at: float, task: Task, later: Sequence[Task] = ()) -> None:
        self._count += 1
        heapq.heappush(self._queue, (at, self._count, task, [*later]))
