"""Copies of answers, each sent a few times by the responder: which of them arrived, by source port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from prober.flows import Losses, Side, losses_of
from prober.observation import Seen
from prober.odds import Tally
from prober.probe import Kind
from prober.segment import IN, OUT

FULL = 64
"""The TTL of a copy that is meant to arrive; one with less is part of a sweep."""


@dataclass(slots=True)
class Copies:
    """The copies of one cell's answers. ``ports``: the source port of each probe whose answer is copied."""

    source: str
    ports: Mapping[int, int]
    left: set[tuple[int, int]] = field(default_factory=set)
    arrived: set[tuple[int, int]] = field(default_factory=set)

    def see(self, one: Seen) -> None:
        """One sighting of a copy: it left the responder with its full TTL, or came in at the prober."""
        probe = one.ack - 1 & 0xFFFF_FFFF
        if one.kind != Kind.ECHO or probe not in self.ports or one.seq & 0xFF != FULL:
            return
        if one.way == IN and one.agent == self.source:
            self.arrived.add((probe, one.seq))
        elif one.way == OUT and one.ttl == FULL:
            self.left.add((probe, one.seq))

    def losses(self) -> Losses:
        """Of each source port: copies that left, and those of them that were lost."""
        told: dict[int, Tally] = {}
        for probe, number in sorted(self.left):
            sent, lost = told.get(self.ports[probe], (0, 0))
            told[self.ports[probe]] = (sent + 1, lost + ((probe, number) not in self.arrived))
        return losses_of(Side.BACK, told)
