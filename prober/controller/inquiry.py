"""One host asked for its way to one prober: which SYNs a helper sends by way of it, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from prober import byway
from prober.byway import Byway, Shot, Way
from prober.controller.approaches import task
from prober.declared import Targets
from prober.plan import Pair, between
from prober.report import BYWAY, Task

WHOLE = 6.5
"""Seconds after which nobody waits for more: an ARP that fails takes three."""
SHOTS = 2
"""SYNs that go each way."""


class Waiting(NamedTuple):
    """A cell whose target's host is being looked for: by which document, and when it last passed."""

    targets: Targets
    passed: float
    well: bool = False


@dataclass(slots=True)
class Inquiry:
    """One host asked for its way to one prober. ``shots`` are the latest of each run: what comes late revises one.

    ``news``: it is over, and that has not been told to all its cells. ``well``: it was asked while they passed.
    """

    about: Byway
    begun: float
    ways: dict[str, Way]
    well: bool = False
    shots: dict[str, Shot] = field(default_factory=dict)
    cells: set[tuple[str, str]] = field(default_factory=set)
    over: bool = False
    news: bool = False

    def value(self) -> Byway:
        return msgspec.structs.replace(self.about, shots=tuple(self.shots.values()))

    def ends(self, now: float) -> bool:
        """True once it is known, or nothing more is to come."""
        made = self.value()
        known = self.well or byway.arrives(made) or byway.reading(made) is not None
        return (known and len(self.shots) == len(self.ways)) or now >= self.begun + WHOLE


def begin(
    about: Byway, key: tuple[str, str], cell: Waiting, pair: Pair, router: str, now: float
) -> tuple[Inquiry, list[Task]]:
    """It, and what its helper is to send; `pair` is how the helper dials the prober, `router` the helper's own."""
    tasks, ways = list[Task](), dict[str, Way]()
    for way, (to, via) in _ways(cell, key[1], about, pair, router).items():
        ttl = {Way.FIRST: 1, Way.NEXT: byway.BEYOND}.get(way, byway.FULL)
        for number in range(SHOTS):
            run = f"{BYWAY}{now:.3f}-{about.helper}-{about.host}-{about.prober}-{way.name}-{number}"
            ways[run] = way
            tasks.append(task(to, run, ttl, via))
    return Inquiry(about, now, ways, cell.well, cells={key}), tasks


def _ways(cell: Waiting, target: str, about: Byway, pair: Pair, router: str) -> dict[Way, tuple[Pair, str]]:
    """How a helper's SYNs go: to whom, and by way of whom."""
    ways = {Way.BY: (pair, about.host), Way.NEXT: (pair, about.host), Way.FIRST: (pair, "")}
    if cell.well:
        return ways
    ways[Way.STRAIGHT] = pair, ""
    if other := _another(cell.targets, about.helper, pair.target):
        ways[Way.OTHER] = other, about.host
    if router and (there := between(cell.targets, about.helper, target)):
        ways[Way.ROUND] = there, router
    return ways


def _another(targets: Targets, helper: str, source: str) -> Pair | None:
    """Some other agent's listener or target, in another network than both."""
    mine = {targets.agent(helper).zone, targets.agent(source).zone}
    for one in targets.targets:
        covering = {agent.name for agent in targets.responders(one.name)}
        if one.zone not in mine and covering and not covering & {helper, source}:
            pair = between(targets, helper, one.name)
            if pair is not None and pair.address not in targets.agent(helper).addresses:
                return pair
    return None
