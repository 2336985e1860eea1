"""What prober tries by itself when a cell fails: which handshakes to ask for, and what came of them.

An experiment is a set of one-off probes of one cell whose run carries the experiment's name. Its handshakes are
judged one by one like any other, but they count in no matrix, objective or flip: they are asked *because* something
failed. What they say together is a `flows.Finding`, which the cell then says.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from prober import flows
from prober.flows import Finding, Judged, Losses
from prober.plan import Pair
from prober.report import EXPERIMENT, Task

FLOWS, ATTEMPTS = 32, 3
"""Source ports, and attempts of each: what tells a dead leg of four from random loss but for one case in a thousand;
after two attempts, but for one in forty."""
SLOW = 6.0
"""Seconds that one round of attempts may take; with a lower pace of SYNs fewer flows are asked."""
LEAST_TIMEOUT, USUAL_TIMES = 0.65, 20.0
"""A burst waits for twenty of the cell's usual round trips, never longer than the pair's timeout, and at least as long
as the responder's half-open sockets must be looked at to say that a SYN was not taken (`observation.STACK_LOOKS`)."""
PATIENCE = 5.0
"""Seconds beyond a burst's own length after which nobody waits for what is missing."""
LEAST_PACE = 0.5
"""SYNs a second that must be left of the policy's for an experiment to be worth while."""


def is_one(run: str) -> bool:
    """True where a probe's run is an experiment."""
    return run.startswith(EXPERIMENT)


@dataclass(slots=True)
class Experiment:
    """Many flows of one cell. ``handed``: the task is on its way to the agent.

    ``before`` is what an earlier burst, which could not decide, has seen of the same source ports. ``copied``: answers
    are being repeated; ``copies`` is what became of them.
    """

    pair: Pair
    task: Task
    deadline: float
    before: tuple[Judged, ...] = ()
    handed: bool = False
    judged: dict[int, Judged] = field(default_factory=dict)
    looked: int = 1
    quarters: int = 0
    copied: bool = False
    copies: Losses | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.pair.key

    def over(self, now: float) -> bool:
        """Whether nothing more is to come."""
        return now >= self.deadline or len(self.judged) >= self.task.flows * self.task.attempts

    def round_over(self) -> bool:
        """True once for each round of attempts that has been judged, from the second on: a look has its odds."""
        rounds = len(self.judged) // self.task.flows
        fresh = rounds > self.looked and not self.before
        self.looked = max(self.looked, rounds)
        return fresh

    def quarter_over(self) -> bool:
        """True once for each quarter of the second round. A pattern is not looked for then: only chance, which flows
        show that pass and fail, and no leg does."""
        quarters = 4 * len(self.judged) // self.task.flows
        fresh = self.early() and quarters > max(4, self.quarters)
        self.quarters = max(quarters, self.quarters)
        return fresh

    def early(self) -> bool:
        """True until the second round has been judged."""
        return not self.before and len(self.judged) < 2 * self.task.flows

    def all(self) -> tuple[Judged, ...]:
        """Everything that was judged of these source ports."""
        return (*self.before, *self.judged.values())

    def finding(self) -> Finding | None:
        """What all of them say together, and the copies of answers with them."""
        found = flows.judge(*self.key, flows.trials(self.all()))
        return flows.recast(found, *self.key, self.copies) if found and self.copies else found

    def first_round(self) -> bool:
        """True where each source port has been judged once, as far as their number says."""
        return len(self.judged) >= self.task.flows

    def result(self) -> str:
        """What came of it, in a sentence."""
        told = flows.trials(self.all())
        ports, lost = len({one.port for one in told}), sum(one.lost is not None for one in told)
        asked = f"{len(told)} handshakes from {ports} source ports"
        if not told:
            return "no handshake of the experiment could be judged"
        if not lost or lost == len(told):
            return f"{asked}: all {'failed, so it goes by no source port and not by chance' if lost else 'passed'}"
        found = self.finding()
        return f"{asked}: {lost} failed" + (f"; {'; '.join(found.verdict.evidence)}" if found else "")


def pace(pair: Pair, syns_per_second: float) -> float:
    """What continuous probing of this pair leaves of the policy's SYNs a second."""
    return syns_per_second - pair.flows / pair.every


def burst(
    pair: Pair, left: float, rtt_ms: float | None, now: float, before: Experiment | None = None
) -> Experiment:  # fmt: skip
    """Many flows of a pair, as fast as `left` allows (SYNs a second); after another burst its ports once more."""
    timeout = round(min(pair.timeout, max(LEAST_TIMEOUT, USUAL_TIMES * (rtt_ms or 1000.0) / 1e3)), 3)
    ports = sorted({o.asked.sport for o, _ in before.judged.values()}) if before else []
    width = len(ports) or max(flows.LEAST, min(FLOWS, int(left * SLOW)))
    spread = round(width / left, 3)
    run = f"{EXPERIMENT}{now:.3f}-{pair.source}"
    task = Task(pair.target, str(pair.address), pair.port, 0.0, width, timeout, ATTEMPTS, run, ports, spread)
    deadline = now + ATTEMPTS * (timeout + 0.5 + 2.0 * spread) + PATIENCE
    if before is None:
        return Experiment(pair, task, deadline)
    return Experiment(pair, task, deadline, before.all(), copied=before.copied, copies=before.copies)
