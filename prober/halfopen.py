"""Half-open sockets that agents without a tap found, matched to probes by the four-tuple of their SYN.

Such an agent never sees the sequence number in which a probe's identity rides. A four-tuple tells a probe as long as
it is not used again while the last socket of it may live: an agent's source ports go round in no less than half a
minute. Behind a NAT the four-tuple is another one: a stranger on the target's port makes *not there* unsayable.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from prober.observation import Asked, Seen
from prober.probe import Kind
from prober.report import HalfOpen
from prober.segment import IN, SYN
from prober.sighting import Where

KEPT = 20.0
"""Seconds for which a socket that was found waits for the outcome of its probe."""
MOST = 4096
SLACK = 5.0
"""Seconds by which agents' mapped clocks may be off here: far less than a four-tuple takes to come again."""


@dataclass(slots=True)
class Tables:
    """What each agent without a tap has found, by agent; times in the controller's monotonic seconds."""

    found: dict[str, dict[HalfOpen, tuple[float, float]]] = field(default_factory=dict)

    def take(self, agent: str, rows: list[HalfOpen], offset_ns: int, received: float) -> None:
        """What is new in an agent's table."""
        mine = self.found.setdefault(agent, {})
        for row in rows:
            mine[row] = ((row.seen_ns + offset_ns) / 1e9, received)
        for row in [row for row, (_, at) in mine.items() if at < received - KEPT]:
            del mine[row]
        while len(mine) > MOST:
            del mine[next(iter(mine))]

    def of(self, agent: str, asked: Asked, sent: float) -> Seen | None:
        """The probe's half-open socket at this agent, as a sighting at its stack."""
        flow = (asked.src, asked.sport, asked.dst, asked.dport)
        for row, (at, _) in self.found.get(agent, {}).items():
            if (row.src, row.sport, row.dst, row.dport) == flow and at >= sent - SLACK:
                return Seen(
                    agent, Kind.SYN, Where.STACK, IN, "", *flow[::2], *flow[1::2], SYN, 0, 0, 0, sealed=False,
                    after_ms=round(max(0.0, at - sent) * 1e3, 3),
                )  # fmt: skip
        return None

    def strangers(self, agent: str, asked: Asked, sent: float, known: frozenset[str]) -> bool:
        """True where somebody of no known address opened that port meanwhile: behind a NAT it may be this probe."""
        return any(
            row.dport == asked.dport and row.src not in known and at >= sent - SLACK
            for row, (at, _) in self.found.get(agent, {}).items()
        )
