"""Byways under way: for a cell that nobody at the target's side can explain, an agent on the link of the target's host
asks that host the way to the prober (`prober.byway`). First who stands before a target, then what he says.

While the cell is well it is seen now and then whether the host hands on to the prober at all: only one that did so
lately is asked. So nothing is told of a network that does not work like that, or of a firewall that never lets it pass.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from prober import byway
from prober.byway import Byway, Reading
from prober.controller.approaches import Approaches, on_one_link
from prober.controller.inquiry import Inquiry, Waiting, begin
from prober.declared import Targets
from prober.matrix import Cell
from prober.observation import Observation
from prober.plan import between
from prober.report import Task
from prober.verdict import Label

NAME = "by way of the target's host"
AT_ONCE, A_MINUTE, EACH = 8, 30, 2
"""Byways under way, and begun within a minute, and of one helper; a cell beside them waits for its next failure."""
AGAIN, HOLDS, BEFORE = 20.0, 45.0, 10.0
"""Seconds before the same is asked again; for which what was told holds; and for which it held already."""
FRESH, CLOCKS = 15.0, 0.5
"""Seconds for which another cell's asking serves; and by which two controllers' may differ and be the same."""
LEARN, LESSONS = 900.0, 60
"""Seconds after which it is seen once more that a host hands on, and for twice as long it counts; a minute at most."""


class Well(NamedTuple):
    """When a host was last seen to hand on to a prober, whom it hands to, and the helper's own router."""

    at: float
    beyond: frozenset[str]
    router: str


NEVER = Well(float("-inf"), frozenset(), "")


class Told(msgspec.Struct):
    """What a host was told and said, for another controller: ``begun`` in seconds of whose clock the reader knows."""

    about: Byway
    begun: float


@dataclass(slots=True)
class Byways:
    """``waiting``: cells whose target's host is looked for. ``told``: the last that each host was asked, by prober
    and host, once it was over. ``rests``, ``learnt``: until when a cell is let alone. ``well``: when a host was last
    seen to hand on to a prober what a helper sent, by the three.
    """

    approaches: Approaches = field(default_factory=Approaches)
    waiting: dict[tuple[str, str], Waiting] = field(default_factory=dict)
    asked: dict[tuple[str, str], Inquiry] = field(default_factory=dict)
    told: dict[tuple[str, str], Inquiry] = field(default_factory=dict)
    begun: deque[float] = field(default_factory=deque)
    rests: dict[tuple[str, str], float] = field(default_factory=dict)
    lessons: deque[float] = field(default_factory=deque)
    learnt: dict[tuple[str, str], float] = field(default_factory=dict)
    well: dict[tuple[str, str, str], Well] = field(default_factory=dict)
    _tasks: list[tuple[str, Task]] = field(default_factory=list)

    def tasks(self) -> list[tuple[str, Task]]:
        """What each agent is to send, said once."""
        tasks, self._tasks = self._tasks, []
        return tasks

    def consider(
        self, key: tuple[str, str], targets: Targets, alive: Callable[[str], bool], passed: float, now: float
    ) -> None:
        """This cell met silence, and nothing says which way: find its target's host, if there is room.

        ``passed`` is when its last handshake was sent that passed: what was told before that is over.
        """
        if now < self.rests.get(key, now) or not self._room(key, self.begun, A_MINUTE, now):
            return
        self.rests = {one: until for one, until in self.rests.items() if now < until} | {key: now + AGAIN}
        self._begin(key, Waiting(targets, passed), alive, now)

    def learn(self, key: tuple[str, str], targets: Targets, alive: Callable[[str], bool], now: float) -> None:
        """This cell is well, and nobody watches its target: see whether its host hands on to the prober."""
        if now < self.learnt.get(key, now) or not self._room(key, self.lessons, LESSONS, now):
            return
        self.learnt[key] = now + LEARN
        self._begin(key, Waiting(targets, float("-inf"), True), alive, now)

    def _room(self, key: tuple[str, str], begun: deque[float], most: int, now: float) -> bool:
        while begun and now - begun[0] > 60.0:
            begun.popleft()
        if key in self.waiting or len(self.waiting) + len(self.asked) >= AT_ONCE or len(begun) >= most:
            return False
        begun.append(now)
        return True

    def _begin(self, key: tuple[str, str], cell: Waiting, alive: Callable[[str], bool], now: float) -> None:
        self.waiting[key] = cell
        self._tasks += self.approaches.begin(*key, cell.targets, alive, now)
        self._go_on(now)

    def take(self, o: Observation, now: float) -> None:
        """A judged SYN of a byway's; the same one again where something came late."""
        self.approaches.take(o)
        for asked in self.asked.values():
            if o.run in asked.ways:
                asked.shots[o.run] = byway.shot(asked.ways[o.run], o)
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        """Where it is known who stands before a target, he is asked for each cell that waits for it; a helper that asks
        much already is waited for, for a router tells one address few errors a second."""
        for key, cell in list(self.waiting.items()):
            if (hosts := self.approaches.hosts(key[1], now)) is None:
                continue
            standing = self._standing(key[0], hosts, cell, now)
            if self._joined(key, set(hosts.values()), cell, now):
                del self.waiting[key]
            elif cell.well or not standing or self._busy(standing[0]) < EACH:
                del self.waiting[key]
                any(self._ask(key, helper, host, cell, now) for helper, host in standing)

    def _standing(self, source: str, hosts: dict[str, str], cell: Waiting, now: float) -> list[tuple[str, str]]:
        """Who may ask which host, the least busy first: who sees it, and who has seen it hand on to this prober.

        Who is in the prober's network may lack what it lacks. While a cell fails only who saw that all was well asks.
        """
        seen = [(helper, host) for who, host, helper in self.well if who == source and host in hosts.values()]
        both, mine = dict.fromkeys([*seen, *hosts.items()]), cell.targets.agent(source).addresses
        near = {one[0] for one in both for a in mine if on_one_link(cell.targets, cell.targets.agent(one[0]), a)}
        fit = [one for one in both if one[0] not in near and one[0] != source]
        if not cell.well:
            fit = [(one, host) for one, host in fit if now < self._well(source, host, one).at + 2 * LEARN]
        return sorted(fit, key=self._busy)

    def _well(self, source: str, host: str, helper: str) -> Well:
        return self.well.get((source, host, helper), NEVER)

    def _joined(self, key: tuple[str, str], hosts: set[str], cell: Waiting, now: float) -> bool:
        """True where one of them is being asked already for this prober, or was just now."""
        for host in hosts:
            known = self.asked.get((key[0], host)) or self.told.get((key[0], host))
            if known is not None and known.well == cell.well and max(cell.passed, now - FRESH) < known.begun:
                known.cells.add(key)
                known.news |= known.over
                return True
        return False

    def _busy(self, standing: tuple[str, str]) -> int:
        """How much this helper is asking."""
        return sum(one.about.helper == standing[0] for one in self.asked.values())

    def _ask(self, key: tuple[str, str], helper: str, host: str, cell: Waiting, now: float) -> bool:
        """Ask the host; False where policy does not let this helper send to that prober."""
        source, targets = key[0], cell.targets
        pair, last = between(targets, helper, source), self._well(source, host, helper)
        if pair is None or (source, host) in self.asked:
            return False
        if cell.well and now < last.at + LEARN:
            return True
        about = Byway(source, str(pair.address), helper, host, usual=last.beyond)
        self.asked[source, host], tasks = begin(about, key, cell, pair, last.router, now)
        self._tasks += [(helper, one) for one in tasks]
        return True

    def tell(
        self, hold: Callable[[tuple[str, str]], Cell | None], judge_again: Callable[[int], None], now: float
    ) -> set[tuple[str, str]]:
        """The cells of which something is known now that was not: they keep it in words, and those of their probes of
        which nothing was known are to be judged again."""
        self._go_on(now)
        for pair, one in list(self.asked.items()):
            if one.ends(now):
                one.over = one.news = not one.well
                ended = self.asked.pop(pair)
                if one.well:
                    self._learn(ended, now)
                else:
                    self.told[pair] = ended
        self.told = {pair: one for pair, one in self.told.items() if now < one.begun + HOLDS}
        found: set[tuple[str, str]] = set()
        for one in (one for one in self.told.values() if one.news):
            one.news, said = False, byway.result(one.value())
            for key, cell in [(key, cell) for key in one.cells if (cell := hold(key))]:
                cell.tried = cell.tried | {NAME: said}
                for probe in [each.probe for each in cell.recent if each.verdict.label == Label.UNKNOWN]:
                    judge_again(probe)
                found.add(key)
        return found

    def _learn(self, ended: Inquiry, now: float) -> None:
        about = ended.about
        if byway.arrives(ended.value()):
            self.well[about.prober, about.host, about.helper] = Well(
                now, byway.beyond(ended.value()), byway.router(ended.value())
            )  # fmt: skip
        else:
            self.well.pop((about.prober, about.host, about.helper), None)

    def trying(self, key: tuple[str, str]) -> list[str]:
        """Its name, while it is under way for a cell."""
        return [NAME] * (key in self.waiting or any(key in one.cells for one in self.asked.values()))

    def passed(self, key: tuple[str, str], sent: float) -> None:
        """A handshake of this cell passed: what its target's host was asked before is over, for all cells."""
        self.rests.pop(key, None)
        for several in (self.asked, self.told):
            over = [pair for pair, one in several.items() if not one.well and key in one.cells and one.begun < sent]
            for pair in over:
                del several[pair]

    def last(self, key: tuple[str, str]) -> Told | None:
        """The last that was told of this cell's host."""
        return next((Told(one.value(), one.begun) for one in self.told.values() if key in one.cells), None)

    def adopt(self, key: tuple[str, str], about: Byway, begun: float) -> None:
        """Another controller had this cell's host asked."""
        known = self.told.get((about.prober, about.host))
        if known is not None and known.begun > begun + CLOCKS:
            return
        cells = known.cells | {key} if known is not None and known.begun > begun - CLOCKS else {key}
        shots = {str(number): shot for number, shot in enumerate(about.shots)}
        self.told[about.prober, about.host] = Inquiry(about, begun, {}, False, shots, cells, True, True)

    def reading(self, key: tuple[str, str], sent: float) -> Reading | None:
        """What was told that holds for a probe of this cell sent then."""
        for one in self.told.values():
            if key in one.cells and -BEFORE <= sent - one.begun <= HOLDS:
                return byway.reading(one.value())
        return None
