"""The experiments under way: begun when a cell fails, handed to its agent, bounded in number and in time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from prober import experiment
from prober.controller.byways import Byways
from prober.controller.errands import Errand
from prober.controller.sweeps import REPEATED, Sweeps
from prober.declared import Policy, Targets
from prober.experiment import Experiment
from prober.flows import SIDES, Finding, Losses, Shape, Side
from prober.matrix import Cell
from prober.observation import Observation
from prober.plan import Pair
from prober.probe import Kind
from prober.report import EXPERIMENT, Task
from prober.segment import IN
from prober.sighting import Where
from prober.verdict import Verdict

AT_ONCE, AT_ONE_AGENT = 8, 3
"""Experiments under way, of the fleet and of one agent; what fails beside them waits for its next failure."""
A_MINUTE = 30
"""Experiments begun within a minute at most."""
REST, LONG_REST = 30.0, 900.0
"""Seconds before the same cell is tried again; each time doubles them, until the cell has been left alone as long."""


@dataclass(slots=True)
class Rest:
    """When a cell may be tried again, and how long it rests after that."""

    until: float = float("-inf")
    length: float = REST


@dataclass(frozen=True, slots=True)
class Result:
    """What an experiment has brought so far: a finding, or none, and in any case a sentence. ``final``: it is over.

    ``last`` is the handshake that failed last.
    """

    key: tuple[str, str]
    finding: Finding | None
    sentence: str
    final: bool
    last: Observation | None = None
    name: str = "many flows"


@dataclass(slots=True)
class Bench:
    """Everything that is being tried. While ``paused`` nothing is begun: old reports are being read again."""

    policy: Policy
    paused: bool = False
    sweeps: Sweeps = field(default_factory=Sweeps)
    byways: Byways = field(default_factory=Byways)
    calls: dict[str, tuple[str, str]] = field(default_factory=dict)
    open: dict[tuple[str, str], Experiment] = field(default_factory=dict)
    rests: dict[tuple[str, str], Rest] = field(default_factory=dict)
    begun: deque[float] = field(default_factory=deque)

    def consider(self, pair: Pair, rtt_ms: float | None, now: float) -> bool:
        """A handshake of this pair has failed: begin an experiment, if that is allowed and there is room."""
        rest = self.rests.setdefault(pair.key, Rest())
        while self.begun and now - self.begun[0] > 60.0:
            self.begun.popleft()
        theirs = sum(one.pair.source == pair.source for one in self.open.values())
        full = len(self.open) >= AT_ONCE or theirs >= AT_ONE_AGENT or len(self.begun) >= A_MINUTE
        full |= experiment.pace(pair, self.policy.syns_per_second) < experiment.LEAST_PACE
        if self.paused or not self.policy.experiments or pair.key in self.open or now < rest.until or full:
            return False
        if now > rest.until + rest.length:
            rest.length = REST
        self._begin(pair, rtt_ms, now)
        return True

    def has_room(self) -> bool:
        """True while so few are under way that a cell is tried which has not failed: the other way round of one that
        has. A fault of some flows only shows there sooner or later."""
        return len(self.open) < AT_ONCE // 2

    def _begin(self, pair: Pair, rtt_ms: float | None, now: float, before: Experiment | None = None) -> None:
        self.open[pair.key] = experiment.burst(
            pair, experiment.pace(pair, self.policy.syns_per_second), rtt_ms, now, before
        )  # fmt: skip
        self.begun.append(now)

    def healed(self, key: tuple[str, str]) -> None:
        """The cell is well again: its next failure is a new one."""
        self.rests.pop(key, None)

    def wonder(self, cell: Cell, o: Observation, targets: Targets, alive: Callable[[str], bool], now: float) -> None:
        """A handshake of a cell of which nobody at the target's side says anything: its target's host is asked where it
        was lost, and while all is well whether it can be asked."""
        key = (cell.source, cell.target)
        if not o.failed:
            self.byways.passed(key, o.sent)
        if self.paused or not self.policy.experiments:
            return
        if o.failed:
            passed = [one.sent for one in cell.recent if one.verdict.label.passes]
            self.byways.consider(key, targets, alive, max(passed, default=float("-inf")), now)
        elif not o.responders:
            self.byways.learn(key, targets, alive, now)

    def call_back(self, key: tuple[str, str], pair: Pair, now: float) -> None:
        """Dial the prober of a failing cell from the target's side, once: nobody does so all the time."""
        run = f"{EXPERIMENT}{now:.3f}-{pair.source}-calls-{key[0]}"
        self.calls[run] = key
        while len(self.calls) > AT_ONCE:
            del self.calls[next(iter(self.calls))]
        self.sweeps.ask(
            pair.source, Task(pair.target, str(pair.address), pair.port, 0.0, 1, pair.timeout, run=run)
        )  # fmt: skip

    def parts(self) -> dict[str, Errand]:
        """What each agent is to do, said once."""
        for agent, task in self.byways.tasks():
            self.sweeps.ask(agent, task)
        parts = self.sweeps.parts()
        for one in self.open.values():
            if not one.handed:
                one.handed = True
                parts.setdefault(one.pair.source, Errand()).once.append(one.task)
        return parts

    def trying(self, key: tuple[str, str]) -> list[str]:
        """The names of the experiments of this cell that are under way."""
        return ["many flows"] * (key in self.open) + self.sweeps.trying(key) + self.byways.trying(key)

    def is_new(self, o: Observation) -> bool:
        """Whether a handshake is one of an experiment under way, and was not judged before."""
        found = self.open.get((o.source, o.target))
        return found is not None and found.task.run == o.run and o.probe not in found.judged

    def take(self, o: Observation, verdict: Verdict, now: float) -> Result | None:
        """One judged handshake of an experiment; what can be said with it, if a round or all of it is over."""
        self.sweeps.take(o)
        self.byways.take(o, now)
        if o.run in self.calls:
            said = f"{o.source} → {o.target} is {verdict.label}"
            return Result(self.calls[o.run], None, said, True, None, "the other way round")
        found = self.open.get((o.source, o.target))
        if found is None or found.task.run != o.run:
            return None
        found.judged[o.probe] = (o, verdict)
        if found.over(now):
            return self._end(found, now)
        if found.first_round() and not found.copied and SIDES.get(verdict.label) == Side.BACK:
            self._repeat(found, o, now)
        finding = found.finding() if found.round_over() or found.quarter_over() else None
        if finding and found.early() and not finding.by_chance:
            return None
        return _result(found, finding, False) if finding and finding.decided else None

    def overdue(self, now: float) -> Iterator[Result]:
        """The experiments whose time is up, whatever is missing."""
        for one in [one for one in self.open.values() if one.over(now)]:
            yield self._end(one, now)

    def _end(self, told: Experiment, now: float) -> Result:
        """It is over; where it could not decide, the same source ports are asked once more."""
        finding = told.finding()
        del self.open[told.key]
        if finding is not None and not finding.decided and not told.before:
            rtts = [o.asked.rtt_ms for o, _ in told.judged.values() if o.asked.rtt_ms is not None]
            self._begin(told.pair, max(rtts, default=None), now, told)
            return _result(told, finding, False)
        self._follow(told, finding, now)
        rest = self.rests.setdefault(told.key, Rest())
        rest.until, rest.length = now + rest.length, min(2.0 * rest.length, LONG_REST)
        return _result(told, finding, True)

    def _follow(self, told: Experiment, finding: Finding | None, now: float) -> None:
        """Sweep the way on which handshakes are lost."""
        tried = sorted(told.all(), key=lambda one: one[0].sent)
        lost = {SIDES[verdict.label]: o for o, verdict in tried if verdict.label in SIDES}
        shapes = {one.side: one.shape for one in finding.losses} if finding else dict.fromkeys(lost, Shape.LEG)
        steady = (Shape.LEG, Shape.BAND)
        if shapes.get(Side.IN) in steady and Side.IN in lost:
            self.sweeps.there(told.pair, lost[Side.IN].asked.sport, now)
        if shapes.get(Side.BACK) in steady and Side.BACK in lost and (at := _answering(lost[Side.BACK])):
            self.sweeps.back(told.key, at, lost[Side.BACK].probe, now)

    def _repeat(self, told: Experiment, lost: Observation, now: float) -> None:
        """Have the answers repeated as soon as some are lost: by the time that this looks like chance, the copies have
        told whether it is."""
        if not (at := _answering(lost)):
            return
        told.copied = True
        ports = {o.asked.sport: o.probe for o, _ in told.all() if _answering(o) == at}
        self.sweeps.repeat(told.key, at, {probe: port for port, probe in list(ports.items())[:REPEATED]}, now)

    def repeated(self, key: tuple[str, str], copies: Losses) -> None:
        """What became of repeated answers, for the experiment that is under way."""
        if key in self.open:
            self.open[key].copies = copies


def _answering(o: Observation) -> str:
    """The responder at whose NIC the SYN came in, or ''."""
    arrived = o.saw(Kind.SYN, way=IN, where=Where.NIC)
    return next((one.agent for one in arrived if one.agent in o.responders), "")


def _result(told: Experiment, finding: Finding | None, final: bool) -> Result:
    failed = [o for o, verdict in told.all() if not verdict.label.passes]
    return Result(told.key, finding, told.result(), final, max(failed, key=lambda o: o.sent, default=None))
