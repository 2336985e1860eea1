"""The desk: reports in, verdicts out, without a database or a clock of its own."""

from __future__ import annotations

import dataclasses
import time

import msgspec
import pytest

from prober import rotation, segment
from prober.controller.desk import Desk
from prober.controller.judged import Day
from prober.controller.rounds import new_run
from prober.handshake import State
from prober.matrix import Matrix
from prober.ondisk import read_targets
from prober.probe import Kind
from prober.report import BESIDE, CONNECT, Report
from prober.segment import IN, OUT
from prober.verdict import Cause, Confidence, Label, Verdict
from tests.controller.centres import TARGETS
from tests.controller.reports import MS, Reporter
from tests.stories import THERE, story

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
    assert [row[2:] for row in desk.tally.ledger.rows()] == [(1, 1)]
    rows = desk.tally.counts.settle(int(wall * 1e9), 2**62)
    assert [(row[1], row[2:]) for row in rows] == [(int(wall - 0.05) // 60 * 60, (1, 1))]


def test_a_probe_counts_in_the_minute_in_which_it_was_sent_however_late_it_is_told(desk: Desk) -> None:
    wall = 1_000_020.0
    desk.take(Reporter("firewall").answered(ago_ms=90_000), 500.0)
    judged(desk, 500.0, wall)
    assert [(row[0], row[1]) for row in desk.tally.ledger.rows()] == [
        ("firewall-to-ingress", (1_000_020 - 90) // 60 * 60)
    ]


def test_what_was_counted_before_is_judged_and_not_counted_again(desk: Desk) -> None:
    desk.tally.counts.until_ns = 2_000
    desk.take(Reporter("firewall").answered(), 500.0, received_ns=2_000)
    assert judged(desk, 500.0, 1_999.0) == [Label.HEALTHY]
    assert desk.tally.ledger.rows() == []


def test_a_syn_that_was_never_sent_counts_for_no_objective(desk: Desk) -> None:
    agent = Reporter("firewall")
    desk.take(agent.report(["ingress"], [agent.probes("ingress", time.time_ns() - MS, State.NOT_SENT, error=101)]), 5.0)
    assert judged(desk, 5.0, 1e9) == [Label.LOCAL]
    assert desk.tally.ledger.rows() == []


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
    assert [row[2:] for row in desk.tally.ledger.rows()] == [(1, 1)]
    assert PAIR in desk.evidence


def test_three_failures_make_one_flip(desk: Desk) -> None:
    agent = Reporter("firewall")
    flips = []
    for turn in range(4):
        now = 5.0 + turn * 3
        state = State.NOT_SENT if turn else State.ANSWERED
        clock = time.time_ns() + turn * 3000 * MS
        row = agent.probes("ingress", clock - MS, state, error=101)
        desk.take(agent.report(["ingress"], [row], clock_ns=clock, until_ns=clock), now)
        flips += [flip for step in range(30) for flip in desk.judge(now + step / 10, 1e9 + now).flips]
    assert [(flip.source, flip.target, flip.after) for flip in flips] == [(*PAIR, "local")]


def test_where_pairs_take_turns_a_failure_has_others_of_its_zones_asked_at_once(desk: Desk) -> None:
    limited = dataclasses.replace(desk.targets.policy, max_packets_per_second=60.0)
    one = Desk(rotation.spread(dataclasses.replace(desk.targets, policy=limited)))
    assert one.matrix.cells["vm", "pod2"].every == one.targets.rounds > 1
    for asking in (desk, one):
        row = (agent := Reporter("vm")).probes("pod2", time.time_ns() - 1200 * MS, State.TIMED_OUT)
        asking.take(agent.report(["pod2"], [row], [agent.sees(row, Kind.SYN, OUT)]), 5.0)
        judged(asking, 5.0, 1e9)
    asked = {(agent, task.target): task for agent, errand in one.looking.bench.parts().items() for task in errand.once
             if task.run == BESIDE}  # fmt: skip
    assert set(asked) == {("vm", "ingress"), ("node1", "pod2"), ("node19", "pod2")}, "one of each half"
    assert {(task.every, task.flows) for task in asked.values()} == {(0.0, 1)}
    told = {task.run for errand in desk.looking.bench.parts().values() for task in errand.once}
    assert told and BESIDE not in told, "a full matrix asks everybody soon enough: only experiments"


@pytest.mark.parametrize(("room", "may", "again"), [(0, True, 2), (8, True, 0), (0, False, 0)])
def test_where_there_is_no_room_for_an_experiment_a_pair_that_failed_is_asked_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, room: int, may: bool, again: int
) -> None:
    monkeypatch.setattr("prober.controller.bench.AT_ONCE", room)
    policy = dataclasses.replace(desk.targets.policy, experiments=may)
    one = Desk(dataclasses.replace(desk.targets, policy=policy))
    row = (agent := Reporter("vm")).probes("pod2", time.time_ns() - 1200 * MS, State.TIMED_OUT)
    one.take(agent.report(["pod2"], [row], [agent.sees(row, Kind.SYN, OUT)]), 5.0)
    judged(one, 5.0, 1e9)
    asked = [task.run for errand in one.looking.bench.parts().values() for task in errand.once]
    assert asked.count(BESIDE) == again


def test_what_is_asked_beside_a_failure_counts_in_the_matrix_and_in_no_objective(desk: Desk) -> None:
    report = Reporter("firewall").answered()
    report.runs = [BESIDE]
    desk.take(report, 100.0)
    assert judged(desk, 100.0, time.time()) == [Label.HEALTHY]
    assert (desk.matrix.cells[PAIR].sent, desk.tally.ledger.rows()) == (1, [])


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
    begun = desk.looking.bench.open[PAIR]
    assert set(desk.looking.bench.open) == {PAIR, ("node1", "firewall")}, "and the other way round"
    counted = (desk.matrix.cells[PAIR].sent, desk.tally.ledger.rows(), dict(desk.tally.labels))
    row = agent.probes("ingress", clock - 100 * MS, State.TIMED_OUT, run=1)
    report = agent.report(["ingress"], [row], clock_ns=clock + 3000 * MS, until_ns=clock + 3000 * MS)
    report.runs = ["", begun.task.run]
    desk.take(report, 8.0)
    assert judged(desk, 8.0, 1e9) == []
    assert (desk.matrix.cells[PAIR].sent, desk.tally.ledger.rows(), dict(desk.tally.labels)) == counted
    assert len(begun.judged) == 1


@pytest.mark.parametrize(("code", "label"), [(0, Label.INGRESS_DROP), (-1, Label.UNKNOWN)])
def test_an_error_that_a_handshake_of_the_experiment_met_names_the_cause_of_a_silent_probe(
    desk: Desk, code: int, label: Label
) -> None:
    """A router sends few errors, and the experiment's many SYNs get them; a TTL that ran out says nothing of a loss."""
    agent, clock = Reporter("firewall"), time.time_ns()
    tried, row = (
        agent.probes("ingress", clock - ago * MS, State.TIMED_OUT, run=run) for ago, run in ((1900, 1), (1200, 0))
    )
    error = agent.sees(tried, Kind.ICMP_SYN, IN)
    error["icmp_type"], error["icmp_code"] = (3, code) if code >= 0 else (11, 0)
    error["icmp_hi"], error["icmp_lo"] = segment.pair("10.224.0.1")
    seen = [error, agent.sees(row, Kind.SYN, OUT)]
    report = agent.report(["ingress"], [tried, row], seen, clock_ns=clock, until_ns=clock)
    report.runs = ["", "experiment-5.000-firewall"]
    desk.take(report, 5.0)
    assert judged(desk, 5.0, 1e9) == [label]


def test_an_error_that_comes_for_the_next_probe_names_the_cause_of_the_silent_one_before(desk: Desk) -> None:
    """The router's budget was spent on others when the first one died; the joiner is asked to look at it again."""
    gateway = "10.224.0.1"
    silent = msgspec.structs.replace(story("firewall >> SYN"), sent=10.0, probe=6)
    told = story(f"firewall >> SYN\nfirewall << ICMP 3/0 of SYN from {gateway}")
    told = msgspec.structs.replace(told, sent=11.0, probe=8)
    again: list[int] = []
    desk.joiner.judge_again = again.append  # type: ignore[method-assign]
    day = Day()
    for o in (silent, told, silent, told):
        desk._judge_one(o, 12.0, 1e9, day)
    assert again == [6], "once: it is not silent any more, and no source itself"
    assert [(one.verdict.cause, one.new) for one in day.judged] == [
        (Cause.F1, True), (Cause.F3, True), (Cause.F3, False),
    ]  # fmt: skip
    assert gateway in str(day.judged[2].verdict.culprit)
    assert day.judged[2].verdict.evidence[-1].startswith("revised: before more was seen it was ingress-drop F1")
    assert desk.matrix.cells[PAIR].sent == 2


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
    around = desk.surroundings.around(o)
    assert {(one.source, one.verdict.label) for one in around.cells} == {("vm", "healthy"), ("remote", "local")}
    assert around.zones["ingress"] == "pods" and ("node1", "10.4.0.0/16") in {(n, str(b)) for n, b in around.blocks}


def test_what_passed_in_the_same_run_is_of_its_time(desk: Desk) -> None:
    desk.runs["r"] = Matrix([("lb", "ingress", 1e9)])
    desk.runs["r"].take("lb", "ingress", 1, 9.9, Verdict(Label.HEALTHY, Confidence.PROVEN, "well."), None)
    o = msgspec.structs.replace(story("firewall >> SYN"), sent=10.0, run="r")
    assert [one.source for one in desk.surroundings.around(o).cells] == ["lb"]


def test_a_probe_that_met_an_earlier_ones_socket_says_nothing_of_its_cell(desk: Desk) -> None:
    well = msgspec.structs.replace(story(THERE, State.ANSWERED), sent=10.0, probe=6)
    met = msgspec.structs.replace(
        story("firewall >> SYN\nnode1 << SYN\nnode1/pod << SYN\nnode1/pod >> bare ACK"), sent=10.5
    )
    first, again = Day(), Day()
    for o in (well, met):
        desk._judge_one(o, 12.0, 1e9, first)
    desk._judge_one(met, 12.5, 1e9, again)
    assert [one.verdict.label for one in first.judged] == [Label.HEALTHY, Label.UNKNOWN]
    assert again.judged == [], "it is one probe, however often it is looked at"
    cell = desk.matrix.cells[PAIR]
    assert (cell.verdict(13.0).label, cell.sent, len(cell.recent)) == (Label.HEALTHY, 1, 1)
    assert desk.looking.bench.open == {}
    assert desk.evidence[PAIR].observation.probe == well.probe


HOUR_MS = 3_600_000


def behind(by: Reporter, ago_ms: int, state: State = State.ANSWERED, target: str = "ingress") -> Report:
    """A report of the past: written `ago_ms` ago, of a probe just before."""
    now = time.time_ns()
    written = now - ago_ms * MS
    row = by.probes(target, written - 1200 * MS, state)
    given = {"clock_ns": written, "since_ns": written - 5000 * MS, "until_ns": written, "age_ns": ago_ms * MS}
    return by.report([target], [row], [by.sees(row, Kind.SYN, OUT)], live=False, **given)


def test_the_past_is_counted_where_it_belongs_and_heals_no_cell(desk: Desk) -> None:
    wall = 2_000_000.0
    desk.take(behind(Reporter("firewall"), HOUR_MS), 9_000.0)
    assert judged(desk, 9_000.0, wall) == [Label.HEALTHY]
    assert [(row[0], row[1], row[2:]) for row in desk.tally.ledger.rows()] == [
        ("firewall-to-ingress", int(wall - 3601) // 60 * 60, (1, 1))
    ]
    cell = desk.matrix.cells[PAIR]
    assert (cell.sent, cell.verdict(9_001.0).label) == (0, Label.UNKNOWN)
    assert PAIR not in desk.evidence


def test_a_failure_of_the_past_is_kept_with_its_time_and_turns_nothing(desk: Desk) -> None:
    agent, wall = Reporter("firewall"), 2_000_000.0
    for step in range(5):
        desk.take(agent.answered(), 9_000.0 + step)
        judged(desk, 9_000.0 + step, wall + step)
    desk.take(behind(Reporter("firewall", epoch=9), HOUR_MS, State.TIMED_OUT), 9_005.0)
    day = [desk.judge(9_005.0 + step / 10, wall + 5 + step / 10) for step in range(40)]
    (failure,) = [one for turn in day for one in turn.judged]
    assert not failure.verdict.label.passes
    assert failure.wall == pytest.approx(wall + 5 - 3601.2, abs=0.1)
    assert not [flip for turn in day for flip in turn.flips]
    assert desk.matrix.cells[PAIR].verdict(9_005.0).label == Label.HEALTHY
    assert desk.joiner.questions("node1") == [], "nobody is asked for a route of an hour ago"


def test_a_failure_of_the_past_blames_nobody_who_did_not_tell(desk: Desk) -> None:
    desk.take(behind(Reporter("firewall"), HOUR_MS, State.TIMED_OUT), 9_000.0)
    (failure,) = [one for step in range(40) for one in desk.judge(9_000.0 + step / 10, 1e9).judged]
    assert failure.verdict.confidence != Confidence.PROVEN
    assert any("at that time has not come" in one for one in failure.observation.missing)


def test_a_probe_id_that_came_back_is_two_probes(desk: Desk) -> None:
    old, new = Reporter("firewall", epoch=4), Reporter("firewall", epoch=4)
    past, present = behind(old, 3 * HOUR_MS, State.TIMED_OUT), new.answered()
    assert past.outcome_rows()["probe"] == present.outcome_rows()["probe"]
    for first, second in ((past, present), (present, past)):
        one = Desk(desk.targets)
        one.take(first, 9_000.0)
        one.take(second, 9_000.1)
        said = [j for step in range(40) for j in one.judge(9_000.1 + step / 10, 1e9).judged]
        assert sorted((j.verdict.label.passes, len(j.observation.seen)) for j in said) == [(False, 1), (True, 2)]


def test_the_wrong_clock_of_an_agent_changes_no_word_of_a_verdict(desk: Desk) -> None:
    """An hour ahead, an hour behind, or right; live, or told an hour later."""
    said = set()
    for wrong_ms in (-HOUR_MS, 0, HOUR_MS):
        for late in (False, True):
            report = (
                behind(Reporter("firewall"), HOUR_MS, State.TIMED_OUT) if late else Reporter("firewall").timed_out()
            )
            one = Desk(desk.targets)
            one.take(shifted(report, wrong_ms * MS), 9_000.0)
            (judged_,) = [j for step in range(40) for j in one.judge(9_000.0 + step / 10, 1e9).judged]
            assert judged_.observation.sent == pytest.approx(9_000.0 - 1.1 - (3600.1 if late else 0), abs=0.1)
            said.add((late, msgspec.json.encode(judged_.verdict)))
    assert len(said) == 2


def shifted(report: Report, by_ns: int) -> Report:
    """As an agent would have told it whose clock is off by so much."""
    outcomes, sightings = report.outcome_rows().copy(), report.sighting_rows().copy()
    for rows, names in ((outcomes, ("sent_ns", "done_ns")), (sightings, ("time_ns",))):
        for name in names:
            rows[name] += by_ns
    return msgspec.structs.replace(
        report, outcomes=outcomes.tobytes(), sightings=sightings.tobytes(), clock_ns=report.clock_ns + by_ns,
        since_ns=report.since_ns + by_ns, until_ns=report.until_ns + by_ns,
    )  # fmt: skip
