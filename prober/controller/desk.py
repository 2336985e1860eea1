"""What is known now: reports go in, verdicts come out. It has no database, no HTTP and no clock of its own.

`now` is monotonic seconds, ``wall`` Unix seconds; both are handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import numpy as np

from prober import beside, experiment, flows, hearsay, infer
from prober.classify import classify
from prober.columns import Columns
from prober.controller import telling
from prober.controller.bench import Bench, Result
from prober.controller.counts import COUNTED, Counts
from prober.controller.plain import Plain
from prober.errors import Refused
from prober.flip import Debounce, Flip
from prober.handshake import State
from prober.joiner import Joiner
from prober.matrix import Matrix
from prober.observation import Observation
from prober.plan import pair, pairs, periods, select, whole
from prober.report import BESIDE, BYWAY, CONNECT, Report, Task, is_late
from prober.rotation import PACKETS_A_FLOW, SPARE
from prober.rules_target import is_spoilt
from prober.segment import Batch
from prober.slo import Ledger, is_good
from prober.splitting import Splitting
from prober.targets import Targets
from prober.verdict import Label, Verdict, revised, same

Judge = Callable[[Observation, float, float, "Day"], None]


@dataclass(frozen=True, slots=True)
class Judged:
    """One probe with what was said of it. ``new`` is false for a revision."""

    observation: Observation
    verdict: Verdict
    at: float
    wall: float
    new: bool

    @property
    def sent_wall(self) -> float:
        """When the SYN was sent, in Unix seconds."""
        return self.wall - (self.at - self.observation.sent)


@dataclass(slots=True)
class Day:
    """What one turn of judging brought."""

    judged: list[Judged] = field(default_factory=list)
    flips: list[Flip] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


AGAIN_A_SECOND = 50.0
"""Handshakes at most that are asked again, of a fleet whose pairs take no turns."""


class Desk:
    """The live state of one controller.

    ``counts`` are what the store is to hold of the ledger; ``faults`` how many probes could not be judged; of the cells
    ``found`` experiments have found something new.
    """

    def __init__(self, targets: Targets, ledger: Ledger | None = None) -> None:
        self.runs: dict[str, Matrix] = {}
        self._told: dict[str, dict[tuple[str, str], dict[int, flows.Judged]]] = {}
        self.evidence: dict[tuple[str, str], Judged] = {}
        self.judged_total: dict[str, int] = {}
        self.version, self.faults, self.found = 0, 0, set[tuple[str, str]]()
        self.joiner, self.past = Joiner(targets), Joiner(targets, past=True)
        self._said_of_past, self._spoilt = dict[int, Verdict](), dict[int, Verdict]()
        self._folded, self._rested = False, float("-inf")
        self.ledger, self.counts = ledger or Ledger(targets.objectives), Counts(targets.objectives)
        self._load(targets)

    def _load(self, targets: Targets) -> None:
        self.targets, self.matrix = targets, _matrix(targets)
        self.plain = Plain(targets, self.matrix)
        self.debounce = Debounce()
        self.bench = Bench(targets.policy)
        self.splitting = _splitting(targets)
        self._tried = hearsay.Tried()
        self._agents = frozenset(agent.name for agent in targets.agents)
        self._zones = {one.name: one.zone for one in targets.targets} | {one.name: one.zone for one in targets.agents}
        self._blocks = tuple((agent.name, block) for agent in targets.agents for block in agent.pods)

    def adopt(self, targets: Targets) -> None:
        """Another document: cells that are still declared keep what is known of them."""
        old, told = self.matrix, self.debounce
        self.joiner.adopt(targets)
        self.past.adopt(targets)
        rows = self.ledger.rows()
        self.ledger = Ledger(targets.objectives)
        self.ledger.load(row for row in rows if row[0] in {o.name for o in targets.objectives})
        self.counts.adopt(targets.objectives)
        self._load(targets)
        self.matrix.carry(old)
        told.keep(self.matrix.cells)
        self.debounce = told
        self._forget_undeclared()
        self.version += 1

    def _forget_undeclared(self) -> None:
        """What is under way from or to a name that the document has no more: nobody could judge it."""
        agents = self._agents
        for pending in (self.joiner.pending, self.past.pending):
            for number, probe in list(pending.items()):
                if probe.asked is not None and not (probe.source in agents and self._is_target(probe.target)):
                    del pending[number]
        for key in [key for key in self.evidence if not (key[0] in agents and self._is_target(key[1]))]:
            del self.evidence[key]

    def _is_target(self, name: str) -> bool:
        try:
            self.targets.target(name)
        except KeyError:
            return False
        return True

    def take(self, report: Report, now: float, received_ns: int = 1) -> str | None:
        """One report that is in the store already; a sentence where part of it means nothing here and was left out.

        `received_ns` is when it was received, as the store has it.
        What tells of the past is joined apart: a probe's id comes back after hours, and what is known now must not
        be mixed with what was.
        """
        past = is_late(report)
        joiner = self.past if past else self.joiner
        if report.agent not in self._agents:
            return f"agent {report.agent} is not in targets.yaml: its report was left out"
        plain = self.plain.among(report, joiner.pending)
        rest = (
            msgspec.structs.replace(report, outcomes=report.outcome_rows()[~plain].tobytes()) if plain.any() else report
        )
        self.counts.told(past, rest.outcome_rows()["probe"].tolist(), received_ns)
        left_out = self._join(rest, joiner, now)
        if plain.any():
            self._fold_plain(report, plain, joiner, now, received_ns)
        return left_out

    def _join(self, report: Report, joiner: Joiner, now: float) -> str | None:
        """The probes of which more is known than that they were answered."""
        strange = [index for index, name in enumerate(report.targets) if not self._is_target(name)]
        if not strange:
            joiner.take(report, now)
            return None
        rows = report.outcome_rows()
        kept = rows[~np.isin(rows["target"], strange)]
        joiner.take(msgspec.structs.replace(report, outcomes=kept.tobytes()), now)
        names = ", ".join(report.targets[index][:80] for index in strange[:5])
        return f"targets.yaml has no target {names}: {len(rows) - len(kept)} outcomes were left out"

    def _fold_plain(self, report: Report, plain: Batch, joiner: Joiner, now: float, received_ns: int) -> None:
        """Plain answers into the matrix, the totals and the minutes."""
        told = self.plain.answers(report, plain, joiner.vantages[report.agent].offset_ns, now)
        if not joiner.past:
            self.plain.fold(told)
            joiner.answered(report.agent, self.plain.names(told), told.sent.tolist())
        self.judged_total[Label.HEALTHY] = self.judged_total.get(Label.HEALTHY, 0) + len(told.sent)
        for one in self.plain.minutes(told, received_ns / 1e9 - now) if received_ns > self.counts.until_ns else ():
            self.ledger.count(*one)
            self.counts.count(received_ns, *one)
        self._folded = True

    def _rest(self, now: float) -> None:
        """Cells that are well again are columns again."""
        if isinstance(self.matrix, Columns) and now - self._rested >= 1.0:
            self._rested = now
            for key in self.matrix.rest(now):
                self.evidence.pop(key, None)
                self.debounce.rest(key)
                self.joiner.rest(*key)

    def judge(self, now: float, wall: float) -> Day:
        """Everything that can be said now and could not be said before.

        A probe whose judging fails is let go, counted and told in the day's ``faults``; the others are judged.
        """
        day = Day()
        due: list[tuple[Judge, Observation]] = [(self._judge_one, one) for one in self.joiner.due(now)]
        due += [(self._judge_past, one) for one in self.past.due(now)]
        due += [(self._try, one) for one in self.joiner.failing]
        self.joiner.failing.clear()
        for judge, observation in due:
            try:
                judge(observation, now, wall, day)
            except Exception as error:  # noqa: BLE001  # whatever was wrong with this one
                said = f"{type(error).__name__}: {error}"
                day.faults.append(
                    f"probe {observation.probe:#010x} {observation.source} → {observation.target}: {said}"
                )
        for result in self.bench.overdue(now):
            self._learn(result, now, wall, day)
        self._look_at_sweeps(now)
        self._ask_beside(now)
        day.faults += self.joiner.faults + self.past.faults
        self.joiner.faults, self.past.faults = [], []
        self.faults += len(day.faults)
        if day.judged or self._folded:
            self.version += 1
            self._folded = False
        self._rest(now)
        return day

    def _judge_one(self, observation: Observation, now: float, wall: float, day: Day) -> None:
        if observation.run == CONNECT or experiment.is_one(observation.run):
            self.counts.judged(False, observation.probe)  # it counts nowhere
        if observation.run == CONNECT:
            self._dialled(observation, now, wall, day)
            return
        if experiment.is_one(observation.run):
            verdict = classify(observation)
            if hearsay.is_told(verdict) and not observation.run.startswith(BYWAY):
                self._tried.add(key := (observation.source, observation.target), observation.sent, verdict)
                self._name_the_silent(key)
            self._bear_out(observation, verdict, now, wall, day)
            if result := self.bench.take(observation, verdict, now):
                self._learn(result, now, wall, day)
            return
        judged = self._judge(observation, now, wall)
        if judged is not None:
            day.judged.append(judged)
            self._tell(judged, day)

    def _dialled(self, o: Observation, now: float, wall: float, day: Day) -> None:
        """A connect() of the prober's kernel: only one that is deaf to what the tap hears says more than probes do."""
        cell = self.matrix.hold((o.source, o.target)) if o.asked.state in (State.UNHEARD, State.ANSWERED) else None
        if cell is None:
            return
        if o.asked.state == State.UNHEARD:
            cell.tried = cell.tried | {"connect()": "the tap saw its SYN-ACK, and the kernel did not connect"}
        before, cell.deaf = cell.deaf, classify(o) if o.asked.state == State.UNHEARD else None
        if cell.deaf != before:
            self.version += 1
        if cell.deaf is not None and before is None:
            day.judged.append(Judged(o, cell.deaf, now, wall, False))

    def _look_at_sweeps(self, now: float) -> None:
        """What the sweeps and repeated answers have brought, once their time is up."""
        self.bench.sweeps.copies(list(self.joiner.copies))
        self.joiner.copies.clear()
        swept, repeated = self.bench.sweeps.over(now, self.joiner.vantages)
        for sweep in swept:
            if cell := self.matrix.hold(sweep.key):
                cell.traces = cell.traces | {sweep.side: (trace := sweep.trace(self.joiner.names))}
                cell.tried = cell.tried | {f"sweep of the {sweep.side}": trace.result()}
        for one in repeated:
            if cell := self.matrix.hold(one.key):
                copies = one.copies.losses()
                said = f"{copies.lost} of {copies.sent} copies of answers were lost: {copies.shape}"
                cell.tried = cell.tried | {"repeated answers": said}
                self.bench.repeated(one.key, copies)
                cell.finding = cell.finding and flows.recast(cell.finding, *one.key, copies)
        told = self.bench.byways.tell(self.matrix.hold, self.joiner.judge_again, now)
        self.found |= {sweep.key for sweep in swept} | {one.key for one in repeated} | told
        self.version += bool(swept or repeated or told)

    def _learn(self, result: Result, now: float, wall: float, day: Day) -> None:
        """What an experiment brought becomes what its cell says; it is no probe that counts."""
        if (cell := self.matrix.hold(result.key)) is None:
            return
        cell.tried = cell.tried | {result.name: result.sentence}
        self.found.add(result.key)
        self.version += 1
        if result.finding is not None and result.last is not None:
            cell.finding = result.finding
            day.judged.append(Judged(result.last, result.finding.verdict, now, wall, False))

    def _judge_past(self, observation: Observation, now: float, wall: float, day: Day) -> None:
        """A probe that ended long ago is counted and kept; no cell, no flip and no run hears of it.

        An experiment's is neither: it was to say something of then, and counts nowhere.
        """
        if observation.run == CONNECT or experiment.is_one(observation.run):
            self.counts.judged(True, observation.probe)
            return
        self._said_of_past = {n: said for n, said in self._said_of_past.items() if n in self.past.pending}
        verdict, before = classify(observation), self._said_of_past.get(observation.probe)
        if before is not None:
            verdict = msgspec.structs.replace(verdict, revision=before.revision)
            if verdict == before:
                return
            verdict = msgspec.structs.replace(verdict, revision=before.revision + 1)
        self._said_of_past[observation.probe] = verdict
        judged = Judged(observation, verdict, observation.sent, wall - (now - observation.sent), before is None)
        day.judged.append(judged)
        if judged.new:
            self.judged_total[verdict.label] = self.judged_total.get(verdict.label, 0) + 1
            self._count(judged, past=True)

    def _judge(self, observation: Observation, now: float, wall: float) -> Judged | None:
        key = (observation.source, observation.target)
        verdict = classify(observation)
        silent, cell = infer.wanted(observation, verdict), self.matrix.cells.get(key)
        if cell and (silent or verdict.label != Label.UNKNOWN):
            lately = [(one.sent, one.verdict) for one in cell.recent if one.probe != observation.probe]
            verdict = hearsay.completed(verdict, observation.sent, lately, self._tried.of(key))
        if silent:
            verdict = infer.infer(observation, verdict, self._around(observation))
        before = self._said(observation)
        if before is not None and same(before, verdict):
            kept = self.evidence.get(key)
            if kept is not None and kept.observation.probe == observation.probe:
                self.evidence[key] = Judged(observation, kept.verdict, kept.at, kept.wall, False)
            return None  # more was seen, and it says the same
        if before is not None:
            verdict = revised(before, verdict)
        self._fold(observation, verdict)
        if cell and (verdict.label.passes or (silent and verdict.label == Label.UNKNOWN)):
            self.bench.wonder(cell, observation, self.targets, lambda name: self.joiner.is_alive(name, now), now)
        if hearsay.is_source(verdict):
            self._name_the_silent(key)
        judged = Judged(observation, verdict, now, wall, before is None)
        kept = self.evidence.get(key)
        if kept is None or (kept.observation.sent <= observation.sent and not is_spoilt(observation, verdict)):
            self.evidence[key] = judged
        return judged

    def _name_the_silent(self, key: tuple[str, str]) -> None:
        """An error was told of one probe of a pair: those of which nobody told are looked at once more."""
        for one in self.matrix.cells[key].recent if key in self.matrix.cells else ():
            if hearsay.is_silent(one.verdict):
                self.joiner.judge_again(one.probe)

    def _around(self, o: Observation) -> infer.Context:
        """The cells that say something of this probe's time: passes sent after it or in the same run, failures of late.

        A failure counts from shortly before it: what fails now may have been found out a probe earlier.
        """
        cells: list[infer.Neighbour] = []
        for matrix, since in ((self.matrix, o.sent), (self.runs.get(o.run), float("-inf"))):
            for cell in matrix.around(o.source, o.target) if matrix else ():
                newest = cell.recent[-1] if cell.recent else None
                if newest and newest.sent >= (since if newest.verdict.label.passes else since - infer.FAILED_OF_LATE):
                    cells.append(infer.Neighbour(cell.source, cell.target, newest.verdict))
        told = self.bench.byways.reading((o.source, o.target), o.sent)
        return infer.Context(tuple(cells), self._zones, self._blocks, self.matrix.asked(o.source, o.target), told)

    def _said(self, observation: Observation) -> Verdict | None:
        """What was said of this probe before."""
        if observation.probe in self._spoilt:
            return self._spoilt[observation.probe]
        for matrix in (self.matrix, self.runs.get(observation.run)):
            cell = matrix.cells.get((observation.source, observation.target)) if matrix else None
            for one in cell.recent if cell else ():
                if one.probe == observation.probe:
                    return one.verdict
        return None

    def _fold(self, observation: Observation, verdict: Verdict) -> None:
        o = observation
        where = (o.source, o.target, o.probe, o.sent, verdict, o.asked.rtt_ms)
        if is_spoilt(o, verdict):  # its own port was not free: of its cell it says nothing
            self._spoilt = {n: said for n, said in self._spoilt.items() if n in self.joiner.pending} | {
                o.probe: verdict
            }
        else:
            self._spoilt.pop(o.probe, None)
            self.matrix.take(*where)
        if observation.run in self.runs:
            self.runs[observation.run].take(*where)
            self._together(observation, verdict)

    def _together(self, o: Observation, verdict: Verdict) -> None:
        """A run's flows of one cell, looked at together as an experiment's are."""
        cell = self.runs[o.run].cells.get((o.source, o.target))
        if cell is None:
            return
        told = self._told.setdefault(o.run, {}).setdefault((o.source, o.target), {})
        told[o.probe] = (o, verdict)
        if len(told) >= flows.LEAST:
            cell.finding = flows.judge(o.source, o.target, flows.trials(told.values()))
        for ended in self._told.keys() - self.runs.keys():
            del self._told[ended]

    def _tell(self, judged: Judged, day: Day) -> None:
        """Counts and flips."""
        key = (judged.observation.source, judged.observation.target)
        if judged.new:
            self.judged_total[judged.verdict.label] = self.judged_total.get(judged.verdict.label, 0) + 1
            self._count(judged, past=False)
        if key not in self.matrix.cells or is_spoilt(judged.observation, judged.verdict):
            return
        cell = self.matrix.cells[key]
        if judged.new:
            self._try(judged.observation, judged.at, judged.wall, day)
        before = cell.finding, cell.traces
        if cell.settled():
            self.bench.healed(key)
        if (cell.finding, cell.traces) != before:
            self.found.add(key)
        if judged.new and judged.observation.run in ("", BESIDE) and self.targets.rounds > 1:
            self.splitting.judged(key, judged.verdict.label.passes, judged.at)
        if judged.new and (flip := telling.of_probe(self.debounce, cell, judged.at, judged.wall)):
            day.flips.append(flip)

    def _ask_beside(self, now: float) -> None:
        """Where pairs take turns and one has failed: others of its zones at once, and it itself again."""
        for key in () if self.splitting.idle() else self.splitting.due(now):
            if (one := pair(self.targets, *key)) is not None:
                self.bench.sweeps.ask(
                    one.source, Task(one.target, str(one.address), one.port, 0.0, 1, one.timeout, run=BESIDE)
                )

    def _bear_out(self, o: Observation, verdict: Verdict, now: float, wall: float, day: Day) -> None:
        """An experiment's handshake, judged for the first time, for what its cell says or against it."""
        cell = self.matrix.cells.get((o.source, o.target))
        if cell is None or is_spoilt(o, verdict) or not self.bench.is_new(o):
            return
        if flip := telling.of_handshake(self.debounce, cell, verdict, now, wall):
            day.flips.append(flip)

    def _try(self, o: Observation, now: float, _wall: float, _day: Day) -> None:
        """A probe was not answered, and not for its own host's sake: look into its cell, if that is allowed."""
        key, verdict = (o.source, o.target), classify(o)
        telling = not verdict.label.passes and verdict.label != Label.LOCAL and not is_spoilt(o, verdict)
        if not telling or o.run or key not in self.matrix.cells:
            return
        if not self._consider(key, now):
            self._ask_again(key, now)
            return
        self._call_back(key, now)
        for other in ((one.name, o.source) for one in self.targets.responders(o.target)):
            if self.bench.has_room():
                self._consider(other, now)

    def _ask_again(self, key: tuple[str, str], now: float) -> None:
        """There is no room for an experiment: two handshakes more, unless the failure was told or nothing is tried."""
        declared, policy = pair(self.targets, *key), self.targets.policy
        told = not Label(self.debounce.told.get(key, Label.HEALTHY)).passes
        if told or declared is None or not policy.experiments or self.bench.paused or key in self.bench.open:
            return
        if experiment.pace(declared, policy.syns_per_second) >= experiment.LEAST_PACE:
            self.splitting.ask_again(key, now)

    def _consider(self, key: tuple[str, str], now: float) -> bool:
        declared = pair(self.targets, *key)
        return declared is not None and self.bench.consider(declared, self.matrix.cells[key].rtt_ms(), now)

    def beside(self, key: tuple[str, str], now: float) -> dict[tuple[str, str], Label]:
        """The labels of the fresh cells that share a source or a target with this one, or go the other way round."""
        near = {key[0], key[1], *(agent.name for agent in self.targets.responders(key[1]))}
        cells = ((one.source, one.target, one) for one in self.matrix.near(near, near) if not one.stale(now))
        return {(a, b): cell.verdict(now).label for a, b, cell in cells if a in near or b in near}

    def _call_back(self, key: tuple[str, str], now: float) -> None:
        responders = [agent.name for agent in self.targets.responders(key[1])]
        for asker, asked in beside.one_offs(key, self.beside(key, now), responders):
            try:
                [back] = select(self.targets, [asker], [asked])
            except Refused:
                continue  # the prober is no target, or policy does not allow to dial it: then nobody does
            self.bench.call_back(key, back, now)

    def _count(self, judged: Judged, past: bool) -> None:
        """Into the minute in which the SYN was sent, however late its report came. One never sent counts not."""
        o, asked_at = judged.observation, judged.sent_wall
        received_ns = self.counts.judged(past, o.probe)
        if o.asked.state == State.NOT_SENT or received_ns == COUNTED or is_spoilt(o, judged.verdict) or o.run == BESIDE:
            return
        goals = self.plain.goals.of(o.source, o.target) if (o.source, o.target) in self.matrix.cells else ()
        for name, latency_ms in goals:
            good = is_good(judged.verdict.label, o.asked.rtt_ms, latency_ms)
            self.ledger.count(name, asked_at, int(good), 1)
            self.counts.count(received_ns, name, asked_at, int(good))


def _matrix(targets: Targets) -> Matrix:
    return (
        Columns(*periods(targets))
        if whole(targets) > 1
        else Matrix((p.source, p.target, p.every) for p in pairs(targets))
    )


def _splitting(targets: Targets) -> Splitting:
    """At the rate that the turns leave, if there are any, and each pair of zones once in all rounds."""
    zones = {one.name: one.zone for one in targets.agents}, {one.name: one.zone for one in targets.targets}
    left = targets.policy.max_packets_per_second * SPARE / PACKETS_A_FLOW
    rate = left if targets.rounds > 1 else AGAIN_A_SECOND
    return Splitting(zones, rate, max((one.every for one in targets.probes), default=0.0))
