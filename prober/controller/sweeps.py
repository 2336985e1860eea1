"""TTL sweeps and repeated answers under way: what is asked of the agents, what has come of it, when it is over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from prober.controller.errands import Errand, copied
from prober.copies import FULL, Copies
from prober.flows import Side
from prober.observation import Observation, Seen
from prober.plan import Pair
from prober.probe import Kind
from prober.report import EXPERIMENT, MOST_COPIED, Echo, Task
from prober.segment import IN
from prober.trace import LONGEST, Trace
from prober.vantage import Vantage

WAIT, LATEST, SETTLED = 2.0, 8.0, 0.5
"""Seconds in which whatever comes back has come: routers answer at once or not at all. Then the agents' word is waited
for, that they captured until `SETTLED` before the end; after `LATEST` more nothing is said of it."""
SWEEP_TIMEOUT = 0.5
COPIES, REPEATED = 4, 24
"""Copies of one answer, and of how many source ports: what tells a dead leg from random loss where the responder's
kernel picks another leg for each answer of its own. One port of 24 that loses all its copies is no chance (7e-6)."""
ARRIVES = 0.5
"""Seconds in which a copy that has left arrives, if it does."""
_RAN_OUT = {(11, 0), (3, 0)}
"""ICMP's and ICMPv6's time exceeded in transit (RFC 792; RFC 4443, 3.3)."""


@dataclass(frozen=True, slots=True)
class Watch:
    """From when to when something may come back, and whose word it takes that nothing else did."""

    begun: float
    end: float
    agents: tuple[str, ...]

    def told(self, vantages: Mapping[str, Vantage]) -> bool:
        """True where each has said what it saw until the end."""
        return all(one in vantages and vantages[one].reaches(self.end - SETTLED) for one in self.agents)

    def kept(self, vantages: Mapping[str, Vantage]) -> bool:
        """True where each captured throughout, so that what was not seen did not come."""
        return all(
            one in vantages and vantages[one].watched(self.begun, self.end - SETTLED) for one in self.agents
        )  # fmt: skip


@dataclass(slots=True)
class Sweep:
    """One sweep of one cell. ``runs``: the run of each SYN with its TTL (way in); ``probe``: whose answer is copied."""

    key: tuple[str, str]
    side: Side
    watch: Watch
    runs: dict[str, int] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    probe: int = 0
    hops: dict[int, str] = field(default_factory=dict)
    arrived: int | None = None

    def trace(self, names: Mapping[str, str]) -> Trace:
        """What came of it; `names` of addresses."""
        return Trace(self.side, self.hops, self.arrived, {a: names[a] for a in self.hops.values() if a in names})

    def reach(self, ttl: int) -> None:
        self.arrived = ttl if self.arrived is None else min(ttl, self.arrived)


@dataclass(slots=True)
class Repeat:
    """Answers of many flows of one cell, each copied a few times."""

    key: tuple[str, str]
    watch: Watch
    copies: Copies
    left: bool = False

    def settle(self, now: float) -> None:
        """Once all copies have left, only so much longer is waited for those that arrive."""
        if not self.left and len(self.copies.left) >= COPIES * len(self.copies.ports):
            self.left = True
            self.watch = replace(self.watch, end=min(self.watch.end, now + ARRIVES + SETTLED))


@dataclass(slots=True)
class Sweeps:
    """Everything of that kind that is under way, at most one of each a cell and side."""

    open: list[Sweep] = field(default_factory=list)
    repeats: list[Repeat] = field(default_factory=list)
    _tasks: list[tuple[str, Task]] = field(default_factory=list)
    _echoes: list[tuple[str, Echo]] = field(default_factory=list)

    def there(self, pair: Pair, port: int, now: float) -> None:
        """Sweep the way in from the prober, with SYNs of one five-tuple."""
        if self._busy(pair.key, Side.IN):
            return
        sweep = Sweep(pair.key, Side.IN, Watch(now, now + WAIT + LONGEST / 10, (pair.source,)))
        for ttl in range(1, LONGEST + 1):
            run = f"{EXPERIMENT}{now:.3f}-{pair.source}-ttl-{ttl}"
            sweep.runs[run] = ttl
            task = Task(
                pair.target, str(pair.address), pair.port, 0.0, 1, SWEEP_TIMEOUT, run=run, ports=[port], ttl=ttl
            )  # fmt: skip
            self.ask(pair.source, task)
        self.open.append(sweep)

    def ask(self, agent: str, task: Task) -> None:
        """One more thing for an agent to do, once."""
        self._tasks.append((agent, task))

    def back(self, key: tuple[str, str], responder: str, probe: int, now: float) -> None:
        """Sweep the way back from the responder, with copies of its answer to this probe."""
        if not self._busy(key, Side.BACK):
            self._echoes.append((responder, Echo(probe, list(range(1, LONGEST + 1)))))
            self.open.append(Sweep(key, Side.BACK, Watch(now, now + WAIT, (key[0], responder)), probe=probe))

    def repeat(self, key: tuple[str, str], responder: str, ports: dict[int, int], now: float) -> None:
        """Copy the answers to these probes (-> source ports) a few times each."""
        if ports and all(one.key != key for one in self.repeats):
            self._echoes += [(responder, Echo(probe, [FULL] * COPIES)) for probe in ports]
            self.repeats.append(Repeat(key, Watch(now, now + WAIT, (key[0], responder)), Copies(key[0], ports)))

    def _busy(self, key: tuple[str, str], side: Side) -> bool:
        return any((one.key, one.side) == (key, side) for one in self.open)

    def trying(self, key: tuple[str, str]) -> list[str]:
        """The names of what is under way for a cell."""
        swept = [f"sweep of the {one.side}" for one in self.open if one.key == key]
        return swept + ["repeated answers"] * any(one.key == key for one in self.repeats)

    def parts(self) -> dict[str, Errand]:
        """What each agent is to send and to copy, said once; no more copies at a time than an agent takes."""
        parts: dict[str, Errand] = {}
        for agent, task in self._tasks:
            parts.setdefault(agent, Errand()).once.append(task)
        later = []
        for agent, echo in self._echoes:
            part = parts.setdefault(agent, Errand())
            if copied(part) + len(echo.ttls) > MOST_COPIED:
                later.append((agent, echo))
            else:
                part.echoes.append(echo)
        self._tasks, self._echoes = [], later
        return {agent: part for agent, part in parts.items() if part.once or part.echoes}

    def take(self, o: Observation) -> None:
        """A judged SYN of a sweep."""
        for sweep in self.open:
            ttl = sweep.runs.get(o.run)
            if ttl is None:
                continue
            sweep.taken.add(o.run)
            for one in o.saw(Kind.ICMP_SYN, by=o.source, way=IN):
                if (one.icmp_type, one.icmp_code) in _RAN_OUT:
                    sweep.hops[ttl] = one.icmp_from
            if any(one.agent in o.responders for one in o.saw(Kind.SYN, way=IN)):
                sweep.reach(ttl)

    def copies(self, seen: list[Seen]) -> None:
        """Sightings of copied answers, and of the errors that quote one."""
        for one in seen:
            probe, ttl = one.ack - 1 & 0xFFFF_FFFF, one.seq & 0xFF
            for sweep in self.open:
                if sweep.side == Side.BACK and sweep.probe == probe:
                    self._swept(sweep, one, ttl)
            for repeat in self.repeats:
                repeat.copies.see(one)

    def _swept(self, sweep: Sweep, one: Seen, ttl: int) -> None:
        if one.kind == Kind.ICMP_ECHO and (one.icmp_type, one.icmp_code) in _RAN_OUT:
            sweep.hops[ttl] = one.icmp_from
        elif one.kind == Kind.ECHO and one.way == IN and one.agent == sweep.key[0]:
            sweep.reach(ttl)

    def over(self, now: float, vantages: Mapping[str, Vantage]) -> tuple[list[Sweep], list[Repeat]]:
        """What has had its time and its agents' word; what had its time and not their word is let go."""
        swept = [one for one in self.open if now >= one.watch.end and _is_complete(one, vantages)]
        for one in self.repeats:
            one.settle(now)
        repeated = [one for one in self.repeats if now >= one.watch.end and one.watch.told(vantages)]
        self.open = [one for one in self.open if one not in swept and now < one.watch.end + LATEST]
        self.repeats = [one for one in self.repeats if one not in repeated and now < one.watch.end + LATEST]
        return [s for s in swept if s.watch.kept(vantages)], [r for r in repeated if r.watch.kept(vantages)]


def _is_complete(sweep: Sweep, vantages: Mapping[str, Vantage]) -> bool:
    """True where all has been told: every SYN of a sweep there is judged, every agent of one back has spoken."""
    return sweep.taken >= sweep.runs.keys() and sweep.watch.told(vantages)
