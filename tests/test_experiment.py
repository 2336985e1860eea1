"""Which handshakes an experiment asks for, and what it says of what came."""

from __future__ import annotations

import ipaddress

import msgspec

from prober import experiment
from prober.flows import Side, losses_of
from prober.handshake import State
from prober.plan import Pair
from prober.verdict import Cause, Confidence, Label, Verdict
from tests.stories import HOST, NODE1, story

PAIR = Pair("firewall", "ingress", 1.0, 1, 1.0, 1, ipaddress.ip_address(NODE1), 7007)
CLOSED = HOST + "\nnode1 << own RST"
GOOD = Verdict(Label.HEALTHY, Confidence.PROVEN, "it answers.")
LOST = Verdict(Label.INGRESS_DROP, Confidence.LIKELY, "lost.")


def judged(begun, lost=lambda port: False, rounds=3):
    """Everything it asked for, judged: the flows on their ports, round by round."""
    number = len(begun.judged)
    for _ in range(rounds):
        for port in begun.task.ports or range(20480, 20480 + begun.task.flows):
            number += 1
            o = story(CLOSED, State.TIMED_OUT if lost(port) else State.ANSWERED, dst=NODE1)
            o = msgspec.structs.replace(
                o, probe=number, sent=number / 32, asked=msgspec.structs.replace(o.asked, sport=port)
            )
            begun.judged[number] = (o, LOST if lost(port) else GOOD)
    return begun


def test_a_burst_is_as_wide_as_the_policys_pace_allows_and_waits_no_longer_than_it_must():
    fast, slow = (experiment.burst(PAIR, pace, rtt, 5.0).task for pace, rtt in ((40.0, 0.5), (2.0, None)))
    assert (fast.flows, fast.attempts, fast.every, fast.timeout, fast.spread) == (32, 3, 0.0, 0.65, 0.8)
    assert (slow.flows, slow.timeout, slow.spread) == (12, 1.0, 6.0)
    assert experiment.burst(PAIR, 0.1, None, 5.0).task.flows == 8
    assert experiment.is_one(fast.run)
    assert not experiment.is_one("")
    assert not experiment.is_one("8f3a")


def test_it_is_over_when_all_is_judged_or_its_time_is_up():
    begun = experiment.burst(PAIR, 40.0, 0.5, 5.0)
    assert not begun.over(5.0)
    assert begun.over(begun.deadline)
    assert judged(begun).over(5.0)


def test_a_pattern_is_looked_for_once_a_round_from_the_second_on():
    begun, looks = experiment.burst(PAIR, 40.0, 0.5, 5.0), []
    for _ in range(3):
        judged(begun, rounds=1)
        looks += [begun.round_over(), begun.round_over()]
    assert looks == [False, False, True, False, True, False]


def test_chance_is_looked_for_at_each_quarter_of_the_second_round_and_no_pattern_is():
    begun, looks = experiment.burst(PAIR, 40.0, 0.5, 5.0), []
    for number in range(70):
        begun.judged[number] = (story(CLOSED, State.ANSWERED, dst=NODE1), GOOD)
        looks += [number + 1] * begun.quarter_over()
    assert looks == [40, 48, 56], "the whole round is looked at by itself"
    assert not begun.early()


def test_copies_of_answers_say_what_chance_looks_like_and_go_with_it_to_the_next_burst():
    begun = experiment.burst(PAIR, 40.0, 0.5, 5.0)
    back = Verdict(Label.RETURN_PATH_LOSS, Confidence.LIKELY, "lost.")
    for number in range(64):
        o = story(CLOSED, State.TIMED_OUT if number % 5 == 0 else State.ANSWERED, dst=NODE1)
        asked = msgspec.structs.replace(o.asked, sport=20480 + number % 32)
        o = msgspec.structs.replace(o, probe=number, sent=number / 32, asked=asked)
        begun.judged[number] = (o, back if number % 5 == 0 else GOOD)
    assert begun.finding().by_chance and begun.finding().verdict.cause == Cause.B1
    begun.copied, begun.copies = True, losses_of(Side.BACK, {20480 + n: (4, 4 * (n % 4 == 0)) for n in range(24)})
    assert begun.finding().verdict.cause == Cause.R8
    after = experiment.burst(PAIR, 40.0, 0.5, 9.0, begun)
    assert after.copied and after.copies == begun.copies


def test_the_result_is_a_sentence():
    leg = {20481, 20484, 20490, 20493, 20499}
    results = [
        judged(experiment.burst(PAIR, 40.0, 0.5, 5.0), lost).result()
        for lost in (lambda _: False, lambda _: True, lambda port: port in leg)
    ]
    assert results[0] == "96 handshakes from 32 source ports: all passed"
    assert results[1].startswith("96 handshakes from 32 source ports: all failed")
    assert "15 failed; a dead leg, source ports 20481" in results[2]
    assert experiment.burst(PAIR, 40.0, 0.5, 5.0).result() == "no handshake of the experiment could be judged"


def test_asked_once_more_it_takes_the_same_source_ports_and_both_count():
    first = judged(experiment.burst(PAIR, 40.0, 0.5, 5.0), lambda port: port == 20490)
    assert not first.finding().decided
    second = experiment.burst(PAIR, 40.0, 0.5, 9.0, first)
    assert second.task.ports == sorted(second.task.ports)
    assert set(second.task.ports) == {o.asked.sport for o, _ in first.judged.values()}
    second.judged = {
        1000 + n: (msgspec.structs.replace(o, probe=1000 + n, sent=o.sent + 5.0), v)
        for n, (o, v) in first.judged.items()
    }
    assert second.finding().verdict.cause == Cause.F5
    assert len(second.all()) == 192
