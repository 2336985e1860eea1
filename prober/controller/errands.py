"""What agents are to do once, beside their plan: parts of runs and of experiments, handed out by any controller, once.

The store holds them, so that an agent fetches its part wherever it reports, whoever asked for it; here is known for
whom something waits, so that nobody looks in vain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from prober.report import MOST_COPIED, Echo, Report, Task
from prober.store import errands
from prober.store.engine import Store


class Errand(msgspec.Struct):
    """Probes to send and answers to copy."""

    once: list[Task] = []
    echoes: list[Echo] = []


def copied(part: Errand) -> int:
    """How many copies that asks for."""
    return sum(len(echo.ttls) for echo in part.echoes)


def packed(run: str, parts: Mapping[str, Errand]) -> list[errands.Errand]:
    """Each agent's part of a run or an experiment, for the store."""
    return [errands.Errand(agent, run, msgspec.msgpack.encode(part)) for agent, part in parts.items()]


class Errands:
    """``waiting``: the agents for whom something waits in the store."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.waiting: set[str] = set()

    def sent(self, agents: Iterable[str]) -> None:
        """Something for these is in the store."""
        self.waiting = self.waiting | set(agents)

    def add(self, store: Store, parts: Mapping[str, Errand], run: str = "") -> None:
        """Put these parts into `store`, in a thread; handed out from then on."""
        errands.add(store, packed(run, parts))
        self.sent(parts)

    async def look(self) -> None:
        """For whom something waits. Raises StoreUnavailable."""
        self.waiting |= await asyncio.to_thread(errands.waiting, self.store)

    async def fetch(self, report: Report, new: bool) -> Errand:
        """What goes out with the answer to this report; where it was there before, what went out with that again."""
        if new and report.agent not in self.waiting:
            return Errand()
        self.waiting.discard(report.agent)
        named = (report.agent, report.epoch, report.sequence)
        found, more = await asyncio.to_thread(errands.fetch, self.store, *named, _room)
        if more:
            self.sent([report.agent])
        parts = [msgspec.msgpack.decode(body, type=Errand) for body in found]
        once = [task for part in parts for task in part.once]
        return Errand(once, [echo for part in parts for echo in part.echoes])


def _room(bodies: Sequence[bytes]) -> int:
    """How many of these go out at once: an agent takes so many copies in one order."""
    copies = 0
    for number, body in enumerate(bodies):
        copies += copied(msgspec.msgpack.decode(body, type=Errand))
        if number and copies > MOST_COPIED:
            return number
    return len(bodies)
