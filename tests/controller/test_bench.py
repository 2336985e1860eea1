"""Experiments under way: begun on a failure, handed out once, bounded."""

from __future__ import annotations

import dataclasses
import ipaddress

import msgspec
import pytest

from prober.controller import bench
from prober.controller.bench import Bench
from prober.controller.errands import Errand
from prober.declared import Policy
from prober.handshake import State
from prober.plan import Pair
from prober.report import EXPERIMENT, Report
from prober.verdict import Cause, Confidence, Label, Verdict
from tests.stories import HOST, NODE1, story

PAIR = Pair("firewall", "ingress", 1.0, 1, 1.0, 1, ipaddress.ip_address(NODE1), 7007)
POLICY = Policy(syns_per_second=40.0)
GOOD = Verdict(Label.HEALTHY, Confidence.PROVEN, "it answers.")
LOST = Verdict(Label.RETURN_PATH_LOSS, Confidence.LIKELY, "lost.")
LEG = {20481, 20484, 20490, 20493, 20499}


def report(agent: str = "firewall", sequence: int = 1) -> Report:
    return Report(agent, 1, sequence, 0, 0, 0)


def play(one: Bench, dead: set[int], now: float = 6.0) -> list[bench.Result]:
    """Every handshake of the experiment that is under way, judged."""
    begun = one.open[PAIR.key]
    results = []
    for number in range(begun.task.flows * begun.task.attempts):
        ports = begun.task.ports or list(range(20480, 20480 + begun.task.flows))
        port, state = ports[number % len(ports)], State.ANSWERED
        o = story(HOST + "\nnode1 << own RST", state, dst=NODE1)
        asked = msgspec.structs.replace(o.asked, sport=port)
        o = msgspec.structs.replace(o, probe=number, sent=now + number / 32, asked=asked, run=begun.task.run)
        results += [one.take(o, LOST if port in dead else GOOD, now)]
    return [result for result in results if result]


def test_a_failure_begins_one_experiment_and_its_agent_fetches_it_once() -> None:
    one = Bench(POLICY)
    assert one.consider(PAIR, 0.5, 5.0)
    assert not one.consider(PAIR, 0.5, 5.1)
    assert one.trying(PAIR.key) == ["many flows"]
    parts = one.parts()
    assert list(parts) == ["firewall"]
    [task] = parts["firewall"].once
    assert (task.flows, task.attempts, task.target) == (32, 3, "ingress")
    assert one.parts() == {}


@pytest.mark.parametrize("one", [Bench(dataclasses.replace(POLICY, experiments=False)), Bench(POLICY, paused=True)])
def test_nothing_is_tried_where_policy_says_so_or_old_reports_are_read(one: Bench) -> None:
    assert not one.consider(PAIR, 0.5, 5.0)


def test_a_pattern_is_told_after_the_second_round_and_at_the_end() -> None:
    one = Bench(POLICY)
    one.consider(PAIR, 0.5, 5.0)
    results = play(one, LEG)
    assert [(r.finding.verdict.cause, r.final) for r in results if r.finding] == [(Cause.R8, False), (Cause.R8, True)]
    assert results[-1].last is not None
    assert results[-1].last.asked.sport in LEG
    assert one.open == {}


def test_answers_are_repeated_once_as_soon_as_one_is_lost_after_the_first_round() -> None:
    one = Bench(POLICY)
    one.consider(PAIR, 0.5, 5.0)
    play(one, LEG)
    assert one.trying(PAIR.key) == ["sweep of the way back", "repeated answers"]
    asked = [echo for _ in range(3) for echo in one.parts().get("node1", Errand()).echoes]
    copies = [echo for echo in asked if len(set(echo.ttls)) == 1]
    assert (len(copies), {len(echo.ttls) for echo in copies}) == (24, {4})


def test_there_is_room_for_the_other_way_round_while_few_are_under_way() -> None:
    one = Bench(POLICY)
    rooms = []
    for number in range(5):
        rooms.append(one.has_room())
        one.consider(dataclasses.replace(PAIR, source=f"s{number}", target=f"t{number}"), None, 5.0)
    assert rooms == [True] * 4 + [False]


def test_where_it_cannot_be_told_the_same_source_ports_are_asked_once_more() -> None:
    one = Bench(POLICY)
    one.consider(PAIR, 0.5, 5.0)
    [first] = play(one, {20490})
    assert not first.final
    assert len(one.open[PAIR.key].task.ports) == 32
    [second] = play(one, {20490}, now=12.0)
    assert second.final
    assert second.finding is not None
    assert one.open == {}


def test_all_lost_or_all_passed_is_a_result_too() -> None:
    for dead, words in ((set(), "all passed"), (set(range(20480, 20544)), "all failed")):
        one = Bench(POLICY)
        one.consider(PAIR, 0.5, 5.0)
        [result] = play(one, dead)
        assert result.finding is None
        assert words in result.sentence


def test_a_cell_rests_longer_each_time_and_starts_afresh_when_it_was_left_alone() -> None:
    one = Bench(POLICY)
    one.consider(PAIR, 0.5, 5.0)
    play(one, set())
    assert not one.consider(PAIR, 0.5, 6.0 + bench.REST - 1)
    assert one.consider(PAIR, 0.5, 6.0 + bench.REST + 1)
    play(one, set(), now=40.0)
    assert not one.consider(PAIR, 0.5, 40.0 + bench.REST + 1)
    assert one.consider(PAIR, 0.5, 40.0 + 10 * bench.REST)
    play(one, set(), now=400.0)
    assert one.rests[PAIR.key].length == 2 * bench.REST


def test_a_cell_that_healed_may_be_tried_at_once() -> None:
    one = Bench(POLICY)
    one.consider(PAIR, 0.5, 5.0)
    play(one, set())
    one.healed(PAIR.key)
    assert one.consider(PAIR, 0.5, 7.0)


def test_only_so_many_at_a_time_of_an_agent_and_of_the_fleet() -> None:
    one = Bench(POLICY)
    pairs = [dataclasses.replace(PAIR, source=f"s{n // 4}", target=f"t{n}") for n in range(20)]
    begun = [pair for pair in pairs if one.consider(pair, None, 5.0)]
    assert len(begun) == bench.AT_ONCE
    assert max(sum(p.source == s for p in begun) for s in {p.source for p in begun}) == bench.AT_ONE_AGENT


def test_only_so_many_within_a_minute() -> None:
    one = Bench(POLICY)
    for number in range(2 * bench.A_MINUTE):
        pair = dataclasses.replace(PAIR, target=f"t{number}")
        if one.consider(pair, None, 5.0):
            one.open.clear()
    assert len(one.begun) == bench.A_MINUTE


def test_an_agent_that_never_comes_ends_it_all_the_same() -> None:
    one = Bench(POLICY)
    one.consider(PAIR, 0.5, 5.0)
    assert list(one.overdue(6.0)) == []
    [result] = one.overdue(5.0 + 60.0)
    assert result.final
    assert result.finding is None
    assert one.open == {}


def test_the_prober_is_dialled_from_the_targets_side_once_and_its_answer_is_a_result() -> None:
    one = Bench(POLICY)
    back = Pair("node1", "firewall", 10.0, 1, 1.0, 1, ipaddress.ip_address("10.19.0.4"), 7007)
    one.call_back(PAIR.key, back, 5.0)
    parts = one.parts()
    assert list(parts) == ["node1"]
    [task] = parts["node1"].once
    o = msgspec.structs.replace(story(HOST, dst=NODE1), source="node1", target="firewall", run=task.run)
    result = one.take(o, LOST, 6.0)
    assert result is not None
    assert (result.key, result.name) == (PAIR.key, "the other way round")
    assert result.sentence == "node1 → firewall is return-path-loss"


def test_a_strangers_run_is_no_experiment_of_ours() -> None:
    one = Bench(POLICY)
    o = msgspec.structs.replace(story(HOST, dst=NODE1), run=f"{EXPERIMENT}1")
    assert one.take(o, LOST, 5.0) is None
    assert LOST.label == Label.RETURN_PATH_LOSS
