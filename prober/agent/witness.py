"""The half of an agent that tells what it saw: at once, a little later, or when it is asked again.

To an agent that may not capture, half-open sockets are all that it sees.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from prober.agent.brief import Brief
from prober.agent.echoes import Echoes
from prober.agent.engine import Heard
from prober.agent.memory import Memory
from prober.agent.outbox import Outbox
from prober.agent.policy import permitted
from prober.agent.takers import Table, Takers
from prober.report import Echo, Plan
from prober.segment import Batch

LAST_MINUTE_NS = 60_000_000_000
"""How far back the controller may ask what was seen of a probe."""


class Witness:
    """Tells the `outbox` what `brief` does not hold back. `send` sends the copies of answers that are asked for.

    Times are nanoseconds of this host's clock.
    """

    def __init__(self, outbox: Outbox, brief: Brief, send: Callable[[Batch], object]) -> None:
        self.outbox, self.brief, self._send = outbox, brief, send
        self.takers, self.table, self.echoes, self.memory = Takers(), Table(), Echoes(), Memory()

    def take(self, heard: Heard, plan: Plan) -> None:
        """What was captured and recognised."""
        self.outbox.saw(*self.brief.take(heard.sightings, heard.frames))
        self.memory.keep(heard.sightings)
        self.echoes.hear(heard.arrived)
        self.takers.hear(heard.arrived, frozenset(plan.addresses))

    def ended(self, outcomes: Batch) -> None:
        """How probes of this agent's own ended."""
        self.outbox.ended(self.brief.ended(outcomes))

    def recall(self, probes: list[int], now_ns: int) -> None:
        """Tells once more what was seen of these in the last minute."""
        self._tell(self.memory.of(probes, now_ns - LAST_MINUTE_NS))

    def copy(self, wanted: list[Echo], now_ns: int) -> list[str]:
        """Sends copies of this host's answers; for each that it can't, a sentence."""
        copies, refused = self.echoes.segments(wanted, now_ns)
        if len(copies):
            self._send(copies)
        return refused

    def gather(self, now_ns: int, plan: Plan | None) -> None:
        """Half-open sockets live for a moment only: they are looked at as often as a report may be due."""
        self._tell(self.takers.look(now_ns))
        self.outbox.saw(*self.brief.settle(now_ns))
        if plan is not None and not self.outbox.tap:
            self.outbox.found(self.table.look(now_ns, partial(permitted, plan)))

    def close(self) -> None:
        """Tells what is held back."""
        self.outbox.saw(*self.brief.all())

    def _tell(self, sightings: Batch) -> None:
        self.outbox.saw(sightings, [b""] * len(sightings))
