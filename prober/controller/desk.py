"""What is known now: reports go in, verdicts come out. It has no database, no HTTP and no clock of its own.

`now` is monotonic seconds, ``wall`` Unix seconds; both are handed in.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from prober import experiment, flows, hearsay, infer
from prober.classify import classify
from prober.columns import Columns
from prober.controller import telling
from prober.controller.bench import Result
from prober.controller.judged import Day, Judged
from prober.controller.looking import Looking
from prober.controller.past import Past
from prober.controller.plain import Plain
from prober.controller.surroundings import Surroundings
from prober.controller.tally import Tally
from prober.flip import Debounce
from prober.joiner import Joiner
from prober.matrix import Matrix
from prober.observation import Observation
from prober.plan import cells, periods, unresolved, whole
from prober.report import BESIDE, CONNECT, Report, is_late
from prober.rules_target import is_spoilt
from prober.segment import Batch
from prober.targets import Targets
from prober.verdict import Verdict, revised, same

Judging = Callable[[Observation, float, float, Day], None]


class Desk:
    """The live state of one controller.

    ``faults``: how many probes could not be judged; ``looking`` is what failing cells lead to; ``evidence`` the last
    judged probe of each cell.
    """

    def __init__(self, targets: Targets) -> None:
        self.runs: dict[str, Matrix] = {}
        self._told: dict[str, dict[tuple[str, str], dict[int, flows.Judged]]] = {}
        self.evidence: dict[tuple[str, str], Judged] = {}
        self.version = self.faults = 0
        self.joiner, self.past = Joiner(targets), Past(targets)
        self._spoilt = dict[int, Verdict]()
        self._folded, self._rested = False, float("-inf")
        self.tally = Tally(targets.objectives)
        self.debounce = Debounce()
        self._load(targets)

    def _load(self, targets: Targets) -> None:
        self.targets, self.matrix = targets, _matrix(targets)
        self.plain = Plain(targets, self.matrix)
        self.looking = Looking(targets, self.matrix, self.joiner, self.debounce)
        self.surroundings = Surroundings(targets, self.matrix, self.runs, self.joiner, self.looking)
        self._agents = frozenset(agent.name for agent in targets.agents)

    def adopt(self, targets: Targets) -> None:
        """Another document: cells that are still declared keep what is known of them."""
        old, found = self.matrix, self.looking.found
        self.joiner.adopt(targets)
        self.past.joiner.adopt(targets)
        self.tally.adopt(targets.objectives)
        self._load(targets)
        self.matrix.carry(old)
        self.debounce.keep(self.matrix.cells)
        self.looking.found |= found
        self._forget_undeclared()
        self.version += 1

    def _forget_undeclared(self) -> None:
        """What is under way from or to a name that the document has no more: nobody could judge it."""
        agents = self._agents
        for pending in (self.joiner.pending, self.past.joiner.pending):
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
        What tells of the past is joined apart; see `prober.controller.past`.
        """
        past = is_late(report)
        joiner = self.past.joiner if past else self.joiner
        if report.agent not in self._agents:
            return f"agent {report.agent} is not in targets.yaml: its report was left out"
        plain = self.plain.among(report, joiner.pending)
        rest = (
            msgspec.structs.replace(report, outcomes=report.outcome_rows()[~plain].tobytes()) if plain.any() else report
        )
        self.tally.counts.told(past, rest.outcome_rows()["probe"].tolist(), received_ns)
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
            joiner.answered(report.agent, self.plain.names(told), told.sent)
        self.tally.plain(len(told.sent), self.plain.minutes(told, received_ns / 1e9 - now), received_ns)
        self._folded = True

    def _rest(self, now: float) -> None:
        """Cells that are well again are columns again."""
        if isinstance(self.matrix, Columns) and now - self._rested >= 1.0:
            self._rested = now
            for key in (rested := self.matrix.rest(now)):
                self.evidence.pop(key, None)
                self.debounce.rest(key)
            self.joiner.rest(rested)

    def judge(self, now: float, wall: float) -> Day:
        """Everything that can be said now and could not be said before.

        A probe whose judging fails is let go, counted and told in the day's ``faults``; the others are judged.
        """
        day = Day()
        due: list[tuple[Judging, Observation]] = [(self._judge_one, one) for one in self.joiner.due(now)]
        due += [(self._judge_past, one) for one in self.past.due(now)]
        due += [(self._look_into, one) for one in self.joiner.failing]
        self.joiner.failing.clear()
        for judge, observation in due:
            try:
                judge(observation, now, wall, day)
            except Exception as error:  # noqa: BLE001  # whatever was wrong with this one
                said = f"{type(error).__name__}: {error}"
                day.faults.append(
                    f"probe {observation.probe:#010x} {observation.source} → {observation.target}: {said}"
                )
        for result in self.looking.bench.overdue(now):
            self._learn(result, now, wall, day)
        self.looking.look_at_sweeps(now)
        self.looking.ask_beside(now)
        day.faults += self.joiner.faults + self.past.joiner.faults
        self.joiner.faults, self.past.joiner.faults = [], []
        self.faults += len(day.faults)
        if day.judged or self._folded or self.looking.changed:
            self.version += 1
            self._folded = self.looking.changed = False
        self._rest(now)
        return day

    def _judge_one(self, observation: Observation, now: float, wall: float, day: Day) -> None:
        if _counts_nowhere(observation):
            self.tally.counts.judged(False, observation.probe)
        if observation.run == CONNECT:
            if (deaf := self.looking.dialled(observation)) is not None:
                day.judged.append(Judged(observation, deaf, now, wall, False))
            return
        if experiment.is_one(observation.run):
            verdict = classify(observation)
            self.surroundings.tried(observation, verdict)
            self._bear_out(observation, verdict, now, wall, day)
            if result := self.looking.bench.take(observation, verdict, now):
                self._learn(result, now, wall, day)
            return
        judged = self._judge(observation, now, wall)
        if judged is not None:
            day.judged.append(judged)
            self._tell(judged, day)

    def _learn(self, result: Result, now: float, wall: float, day: Day) -> None:
        """What an experiment brought is no probe that counts."""
        if (last := self.looking.learn(result)) is not None:
            day.judged.append(Judged(*last, now, wall, False))

    def _look_into(self, o: Observation, now: float, _wall: float, _day: Day) -> None:
        self.looking.look_into(o, now)

    def _judge_past(self, observation: Observation, now: float, wall: float, day: Day) -> None:
        """A probe that ended long ago is counted and kept; no cell, no flip and no run hears of it.

        An experiment's is neither: it was to say something of then, and counts nowhere.
        """
        if _counts_nowhere(observation):
            self.tally.counts.judged(True, observation.probe)
        elif (judged := self.past.judge(observation, now, wall)) is not None:
            day.judged.append(judged)
            if judged.new:
                self._count(judged, past=True)

    def _judge(self, observation: Observation, now: float, wall: float) -> Judged | None:
        key = (observation.source, observation.target)
        verdict, cell = self.surroundings.verdict(observation), self.matrix.cells.get(key)
        before = self._said(observation)
        if before is not None and same(before, verdict):
            kept = self.evidence.get(key)
            if kept is not None and kept.observation.probe == observation.probe:
                self.evidence[key] = Judged(observation, kept.verdict, kept.at, kept.wall, False)
            return None  # more was seen, and it says the same
        if before is not None:
            verdict = revised(before, verdict)
        self._fold(observation, verdict)
        if cell and (verdict.label.passes or infer.wanted(observation, verdict)):
            self.looking.bench.wonder(
                cell, observation, self.targets, lambda name: self.joiner.is_alive(name, now), now
            )
        if hearsay.is_source(verdict):
            self.surroundings.name_the_silent(key)
        judged = Judged(observation, verdict, now, wall, before is None)
        kept = self.evidence.get(key)
        if kept is None or (kept.observation.sent <= observation.sent and not is_spoilt(observation, verdict)):
            self.evidence[key] = judged
        return judged

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
            self._count(judged, past=False)
        if key not in self.matrix.cells or is_spoilt(judged.observation, judged.verdict):
            return
        cell = self.matrix.cells[key]
        if judged.new:
            self.looking.look_into(judged.observation, judged.at)
        before = cell.finding, cell.traces
        if cell.settled():
            self.looking.bench.healed(key)
        if (cell.finding, cell.traces) != before:
            self.looking.found.add(key)
        if judged.new and judged.observation.run in ("", BESIDE) and self.targets.rounds > 1:
            self.looking.splitting.judged(key, judged.verdict.label.passes, judged.at)
        if judged.new and (flip := telling.of_probe(self.debounce, cell, judged.at, judged.wall)):
            day.flips.append(flip)

    def _bear_out(self, o: Observation, verdict: Verdict, now: float, wall: float, day: Day) -> None:
        """An experiment's handshake, judged for the first time, for what its cell says or against it."""
        cell = self.matrix.cells.get((o.source, o.target))
        if cell is None or is_spoilt(o, verdict) or not self.looking.bench.is_new(o):
            return
        if flip := telling.of_handshake(self.debounce, cell, verdict, now, wall):
            day.flips.append(flip)

    def _count(self, judged: Judged, past: bool) -> None:
        key = judged.observation.source, judged.observation.target
        self.tally.judged(judged, self.plain.goals.of(*key) if key in self.matrix.cells else (), past)


def _counts_nowhere(o: Observation) -> bool:
    """It was to say something of its own moment alone."""
    return o.run == CONNECT or experiment.is_one(o.run)


def _matrix(targets: Targets) -> Matrix:
    waiting = frozenset(unresolved(targets))
    return Columns(*periods(targets), waiting) if whole(targets) > 1 else Matrix(cells(targets), waiting)
