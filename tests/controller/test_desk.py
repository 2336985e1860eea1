"""The desk: reports in, verdicts out, without a database or a clock of its own."""

from __future__ import annotations

import dataclasses
import time

import msgspec
import pytest

from prober.controller.desk import Desk
from prober.controller.rounds import new_run
from prober.handshake import State
from prober.matrix import Matrix
from prober.probe import Kind
from prober.report import CONNECT
from prober.segment import OUT
from prober.settings import read_targets
from prober.verdict import Confidence, Label, Verdict
from tests.controller.centres import TARGETS
from tests.controller.reports import MS, Reporter
from tests.stories import story

PAIR = ("firewall", "ingress")


@pytest.fixture
def desk() -> Desk:
    return Desk(read_targets(TARGETS))


def judged(desk: Desk, now: float, wall: float) -> list[Label]:
    """All that is said in the three seconds after `now`."""
    labels = []
    for step in range(30):
        labels += [one.verdict.label for one in desk.judge(now + step / 10, wall + step / 10).judged]
    return labels


def test_an_answered_probe_makes_its_cell_healthy_and_counts_once(desk: Desk) -> None:
    wall = time.time()
    assert desk.take(Reporter("firewall").answered(), 100.0) is None
    assert judged(desk, 100.0, wall) == [Label.HEALTHY]
    assert desk.matrix.cells[PAIR].verdict(101.0).label == Label.HEALTHY
    assert [row[2:] for row in desk.ledger.rows()] == [(1, 1)]
    assert desk.touched == {int(wall - 0.05) // 60 * 60}


def test_a_probe_counts_in_the_minute_in_which_it_was_sent_however_late_it_is_told(desk: Desk) -> None:
    wall = 1_000_020.0
    desk.take(Reporter("firewall").answered(ago_ms=90_000), 500.0)
    judged(desk, 500.0, wall)
    assert [(row[0], row[1]) for row in desk.ledger.rows()] == [("firewall-to-ingress", (1_000_020 - 90) // 60 * 60)]


def test_what_was_counted_before_is_judged_and_not_counted_again(desk: Desk) -> None:
    desk.count_from = 2_000.0
    desk.take(Reporter("firewall").answered(), 500.0)
    assert judged(desk, 500.0, 1_999.0) == [Label.HEALTHY]
    assert desk.ledger.rows() == []


def test_a_syn_that_was_never_sent_counts_for_no_objective(desk: Desk) -> None:
    agent = Reporter("firewall")
    desk.take(agent.report(["ingress"], [agent.probes("ingress", time.time_ns() - MS, State.NOT_SENT, error=101)]), 5.0)
    assert judged(desk, 5.0, 1e9) == [Label.LOCAL]
    assert desk.ledger.rows() == []


def test_outcomes_of_targets_that_nobody_declared_are_left_out_and_told(desk: Desk) -> None:
    agent = Reporter("firewall")
    rows = [agent.probes("ingress", time.time_ns() - 5 * MS), agent.probes("nowhere", time.time_ns() - 5 * MS)]
    said = desk.take(agent.report(["ingress", "nowhere"], rows), 5.0)
    assert said == "targets.yaml has no target nowhere: 1 outcomes were left out"
    assert len(judged(desk, 5.0, 1e9)) == 1
    assert desk.faults == 0


def test_the_report_of_an_agent_that_nobody_declared_is_left_out(desk: Desk) -> None:
    report = Reporter("firewall").answered()
    report.agent = "stranger"
    assert "stranger is not in targets.yaml" in str(desk.take(report, 5.0))
    assert judged(desk, 5.0, 1e9) == []


def test_a_target_that_a_reload_takes_out_stops_no_other_probe(desk: Desk) -> None:
    agent = Reporter("firewall")
    desk.take(agent.answered("pod2"), 5.0)
    desk.take(agent.answered("ingress"), 5.0)
    old = desk.targets
    left = tuple(one for one in old.targets if one.name != "pod2")
    probes = tuple(dataclasses.replace(p, targets=tuple(t for t in p.targets if t != "pod2")) for p in old.probes)
    desk.adopt(dataclasses.replace(old, targets=left, probes=probes))
    assert judged(desk, 5.0, 1e9) == [Label.HEALTHY]
    assert ("firewall", "pod2") not in desk.matrix.cells
    assert desk.faults == 0


def test_a_probe_that_cannot_be_judged_is_counted_told_and_stops_no_other(desk: Desk) -> None:
    agent = Reporter("firewall")
    desk.take(agent.answered("ingress"), 5.0)
    desk.take(agent.answered("pod2"), 5.0)
    spoilt = next(iter(desk.joiner.pending.values()))
    spoilt.target = "gone"
    days = [desk.judge(5.0 + step / 10, 1e9) for step in range(30)]
    faults = [fault for day in days for fault in day.faults]
    assert sum(len(day.judged) for day in days) == 1
    assert len(faults) == 1 == desk.faults
    assert "firewall → gone: KeyError" in faults[0]


def test_a_reload_keeps_what_is_known_of_cells_that_are_still_declared(desk: Desk) -> None:
    desk.take(Reporter("firewall").answered(), 5.0)
    judged(desk, 5.0, 1e9)
    desk.adopt(read_targets(TARGETS))
    assert desk.matrix.cells[PAIR].sent == 1
    assert [row[2:] for row in desk.ledger.rows()] == [(1, 1)]
    assert PAIR in desk.evidence


def test_two_failures_make_one_flip(desk: Desk) -> None:
    agent = Reporter("firewall")
    flips = []
    for turn in range(3):
        now = 5.0 + turn * 3
        state = State.NOT_SENT if turn else State.ANSWERED
        clock = time.time_ns() + turn * 3000 * MS
        row = agent.probes("ingress", clock - MS, state, error=101)
        desk.take(agent.report(["ingress"], [row], clock_ns=clock, until_ns=clock), now)
        flips += [flip for step in range(30) for flip in desk.judge(now + step / 10, 1e9 + now).flips]
    assert [(flip.source, flip.target, flip.after) for flip in flips] == [(*PAIR, "local")]


def test_a_run_of_many_flows_is_looked_at_together(desk: Desk) -> None:
    """Every second of 16 handshakes, all from one source port, got no answer: that is no leg."""
    run = new_run("r1", desk.targets, ["firewall"], ["ingress"], 16, "me", 5.0, 1e9)
    desk.runs["r1"] = run.matrix
    agent, clock = Reporter("firewall"), time.time_ns()
    rows = [
        agent.probes("ingress", clock - (20 - n) * MS, State.TIMED_OUT if n % 2 else State.ANSWERED, run=1)
        for n in range(16)
    ]
    seen = [agent.sees(row, Kind.SYN, OUT) for row in rows]
    report = agent.report(["ingress"], rows, seen, clock_ns=clock, until_ns=clock)
    report.runs = ["", "r1"]
    desk.take(report, 5.0)
    judged(desk, 5.0, 1e9)
    cell = run.matrix.cells[PAIR]
    assert cell.sent == 16
    assert cell.verdict(9.0).label == Label.INTERMITTENT
    assert "8 of 16 handshakes failed" in cell.verdict(9.0).sentence
    desk.runs.clear()


def test_a_failure_begins_an_experiment_whose_handshakes_count_nowhere(desk: Desk) -> None:
    agent, clock = Reporter("firewall"), time.time_ns()
    row = agent.probes("ingress", clock - 1200 * MS, State.TIMED_OUT)
    seen = [agent.sees(row, Kind.SYN, OUT)]
    desk.take(agent.report(["ingress"], [row], seen, clock_ns=clock, until_ns=clock), 5.0)
    judged(desk, 5.0, 1e9)
    [begun] = desk.bench.open.values()
    counted = (desk.matrix.cells[PAIR].sent, desk.ledger.rows(), dict(desk.judged_total))
    row = agent.probes("ingress", clock - 100 * MS, State.TIMED_OUT, run=1)
    report = agent.report(["ingress"], [row], clock_ns=clock + 3000 * MS, until_ns=clock + 3000 * MS)
    report.runs = ["", begun.task.run]
    desk.take(report, 8.0)
    assert judged(desk, 8.0, 1e9) == []
    assert (desk.matrix.cells[PAIR].sent, desk.ledger.rows(), dict(desk.judged_total)) == counted
    assert len(begun.judged) == 1


def test_a_connect_that_was_not_heard_makes_its_cell_local_until_one_is(desk: Desk) -> None:
    agent, now, labels = Reporter("firewall"), 5.0, []
    for state, run in ((State.ANSWERED, 0), (State.UNHEARD, 1), (State.ANSWERED, 0), (State.ANSWERED, 1)):
        clock = time.time_ns() + int(now * 1000) * MS
        report = agent.report(
            ["ingress"], [agent.probes("ingress", clock - MS, state, run=run)], clock_ns=clock, until_ns=clock
        )  # fmt: skip
        report.runs = ["", CONNECT]
        desk.take(report, now)
        judged(desk, now, 1e9)
        now += 3.0
        labels.append(desk.matrix.cells[PAIR].verdict(now - 2.0).label)
    assert labels == [Label.HEALTHY, Label.LOCAL, Label.LOCAL, Label.HEALTHY]
    assert desk.matrix.cells[PAIR].sent == 2


def test_what_passed_before_a_failure_says_nothing_of_its_time(desk: Desk) -> None:
    """A break lies between them: another source's older pass must not make the failure look like this source's own."""
    well = Verdict(Label.HEALTHY, Confidence.PROVEN, "well.")
    ill = Verdict(Label.LOCAL, Confidence.LIKELY, "ill.")
    for probe, source, sent, verdict in ((1, "lb", 9.9, well), (2, "vm", 10.1, well), (3, "remote", 8.5, ill),
                                         (4, "node2", 7.5, ill)):  # fmt: skip
        desk.matrix.take(source, "ingress", probe, sent, verdict, None)
    o = msgspec.structs.replace(story("firewall >> SYN"), sent=10.0)
    around = desk._around(o)
    assert {(one.source, one.verdict.label) for one in around.cells} == {("vm", "healthy"), ("remote", "local")}
    assert around.zones["ingress"] == "pods" and ("node1", "10.4.0.0/16") in {(n, str(b)) for n, b in around.blocks}


def test_what_passed_in_the_same_run_is_of_its_time(desk: Desk) -> None:
    desk.runs["r"] = Matrix([("lb", "ingress", 1e9)])
    desk.runs["r"].take("lb", "ingress", 1, 9.9, Verdict(Label.HEALTHY, Confidence.PROVEN, "well."), None)
    o = msgspec.structs.replace(story("firewall >> SYN"), sent=10.0, run="r")
    assert [one.source for one in desk._around(o).cells] == ["lb"]
