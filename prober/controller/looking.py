"""What a failing cell leads to, and what comes of it: experiments, calls, sweeps, hosts asked, pairs asked again.

Nothing of it is a probe that counts. The desk says what has failed; what is found is said by the cell itself.
"""

from __future__ import annotations

from prober import beside, experiment, flows
from prober.classify import classify
from prober.controller.bench import Bench, Result
from prober.flip import Debounce
from prober.handshake import State
from prober.joiner import Joiner
from prober.matrix import Matrix
from prober.observation import Observation
from prober.plan import between, pair
from prober.report import BESIDE, Task
from prober.rotation import PACKETS_A_FLOW, SPARE
from prober.rules_target import is_spoilt
from prober.splitting import Splitting
from prober.targets import Targets
from prober.verdict import Label, Verdict

AGAIN_A_SECOND = 50.0
"""Handshakes at most that are asked again, of a fleet whose pairs take no turns."""


class Looking:
    """Of one document. Of the cells ``found`` something new is known; ``changed``: a cell says something else now."""

    def __init__(self, targets: Targets, matrix: Matrix, joiner: Joiner, debounce: Debounce) -> None:
        self.targets, self.matrix, self.joiner, self.debounce = targets, matrix, joiner, debounce
        self.bench, self.splitting = Bench(targets.policy), _splitting(targets)
        self.found, self.changed = set[tuple[str, str]](), False

    def dialled(self, o: Observation) -> Verdict | None:
        """A connect() of the prober's kernel: of one that is deaf to what its tap hears something is newly said."""
        cell = self.matrix.hold((o.source, o.target)) if o.asked.state in (State.UNHEARD, State.ANSWERED) else None
        if cell is None:
            return None
        if o.asked.state == State.UNHEARD:
            cell.tried = cell.tried | {"connect()": "the tap saw its SYN-ACK, and the kernel did not connect"}
        before, cell.deaf = cell.deaf, classify(o) if o.asked.state == State.UNHEARD else None
        self.changed |= cell.deaf != before
        return cell.deaf if before is None else None

    def look_at_sweeps(self, now: float) -> None:
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
        self.changed |= bool(swept or repeated or told)

    def learn(self, result: Result) -> tuple[Observation, Verdict] | None:
        """What an experiment brought becomes what its cell says; the handshake that failed last, with what is found."""
        if (cell := self.matrix.hold(result.key)) is None:
            return None
        cell.tried = cell.tried | {result.name: result.sentence}
        self.found.add(result.key)
        self.changed = True
        if result.finding is None or result.last is None:
            return None
        cell.finding = result.finding
        return result.last, result.finding.verdict

    def ask_beside(self, now: float) -> None:
        """Where pairs take turns and one has failed: others of its zones at once, and it itself again."""
        for key in () if self.splitting.idle() else self.splitting.due(now):
            if (one := pair(self.targets, *key)) is not None:
                self.bench.sweeps.ask(
                    one.source, Task(one.target, str(one.address), one.port, 0.0, 1, one.timeout, run=BESIDE)
                )

    def look_into(self, o: Observation, now: float) -> None:
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
        back = {(one, key[0]): self.matrix.cells.get((one, key[0])) for one in responders}
        fresh = {calls: cell.verdict(now).label for calls, cell in back.items() if cell and not cell.stale(now)}
        for asker, asked in beside.one_offs(key, fresh, responders):
            if (call := between(self.targets, asker, asked)) is not None:  # else it is no target, or outside policy
                self.bench.call_back(key, call, now)


def _splitting(targets: Targets) -> Splitting:
    """At the rate that the turns leave, if there are any, and each pair of zones once in all rounds."""
    zones = {one.name: one.zone for one in targets.agents}, {one.name: one.zone for one in targets.targets}
    left = targets.policy.max_packets_per_second * SPARE / PACKETS_A_FLOW
    rate = left if targets.rounds > 1 else AGAIN_A_SECOND
    return Splitting(zones, rate, max((one.every for one in targets.probes), default=0.0))
