"""Many handshakes together: a dead leg, a band of ports, random loss, and in which direction."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prober import flows
from prober.flows import SIDES, Shape, Side, Trial, judge
from prober.handshake import STILL_OPEN, State
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict
from tests.stories import HOST, NODE1, story

PORTS = [port for pair in zip(range(20480, 20492), range(61440, 61452), strict=True) for port in pair]
OF = {side: label for label, side in SIDES.items()} | {None: Label.HEALTHY, Side.BACK: Label.RETURN_PATH_LOSS}
SURE = {Side.UNTOLD: Confidence.AMBIGUOUS, None: Confidence.PROVEN}


def verdict(lost: Side | None) -> Verdict:
    """What was said of one handshake."""
    return Verdict(OF[lost], SURE.get(lost, Confidence.LIKELY), "a story.", None, Culprit("hop", "x", "y"))


def trials(fate, attempts=3, ports=PORTS):
    """Rounds of attempts; `fate(port, round, number)` says where each is lost."""
    return [
        Trial(number, port, number / 32, lost, verdict(lost))
        for number, (turn, port) in enumerate((turn, port) for turn in range(attempts) for port in ports)
        for lost in [fate(port, turn, number)]
    ]


def found(fate, **how):
    finding = judge("a", "b", trials(fate, **how))
    assert finding is not None
    return finding


def chance(side, rate, seed):
    dice = random.Random(seed)
    return lambda *_: side if dice.random() < rate else None


LEG = {20481, 20484, 20490, 61443, 61449, 61450}
DIRECTIONS = [(Side.IN, Cause.F5, "way in"), (Side.BACK, Cause.R8, "way back")]


@pytest.mark.parametrize(("side", "cause", "words"), DIRECTIONS)
def test_the_same_source_ports_always_are_a_dead_leg(side, cause, words):
    said = found(lambda port, *_: side if port in LEG else None).verdict
    assert (said.label, said.cause, said.confidence) == (Label.INTERMITTENT, cause, Confidence.LIKELY)
    assert str(said.culprit).startswith(f"{words}: a dead leg, source ports 20481, 20484, 20490")
    assert f"On the {words} the" in said.sentence
    assert "6 of 24 source ports are always lost" in said.sentence


@pytest.mark.parametrize(("side", "words"), [(Side.IN, "way in"), (Side.BACK, "way back")])
@pytest.mark.parametrize("seed", range(20))
def test_losses_over_most_source_ports_are_chance(side, words, seed):
    said = found(chance(side, 0.3, seed)).verdict
    assert (said.label, said.cause) == (Label.INTERMITTENT, Cause.B1)
    assert str(said.culprit).startswith(f"{words}: ")
    assert "lost at random" in str(said.culprit)


@pytest.mark.parametrize(("side", "cause"), [(Side.IN, Cause.F1), (Side.BACK, Cause.R5B)])
def test_one_range_of_source_ports_is_a_band(side, cause):
    said = found(lambda port, *_: side if port >= 61440 else None).verdict
    assert said.cause == cause
    assert "source ports 61440-61451 always lost, 12 others never" in str(said.culprit)


def test_random_loss_both_ways_has_a_rate_each():
    dice = random.Random(1)
    finding = found(lambda *_: Side.IN if dice.random() < 0.3 else Side.BACK if dice.random() < 0.3 else None)
    there, back = finding.losses
    assert (there.side, back.side, there.sent, back.sent) == (Side.IN, Side.BACK, 72, 72 - there.lost)
    assert finding.verdict.cause == Cause.B1
    assert "On the way in" in finding.verdict.sentence
    assert "On the way back" in finding.verdict.sentence


def test_what_fails_for_a_while_is_neither_a_leg_nor_chance():
    for start in range(4, 60):
        finding = judge("a", "b", trials(lambda _, __, number, start=start: Side.IN if number > start else None))
        assert finding is None or (finding.losses[0].shape, finding.verdict.cause) == (Shape.UNSURE, None)


def test_where_nobody_saw_the_direction_none_is_named():
    said = found(lambda port, *_: Side.UNTOLD if port in LEG else None).verdict
    assert (said.label, said.cause, said.confidence) == (Label.INTERMITTENT, None, Confidence.AMBIGUOUS)
    assert str(said.culprit).startswith("way there or back: a dead leg")
    assert found(chance(Side.UNTOLD, 0.3, 2)).verdict.cause == Cause.B1


def test_a_few_losses_without_a_direction_do_not_hide_the_others():
    said = found(lambda port, turn, number: Side.UNTOLD if number == 5 else Side.IN if port in LEG else None).verdict
    assert said.cause == Cause.F5


def test_all_passed_all_lost_or_too_few_say_nothing_together():
    for fate in (lambda *_: None, lambda *_: Side.IN, lambda _, __, number: Side.IN if number == 3 else None):
        assert judge("a", "b", trials(fate)) is None
    assert judge("a", "b", trials(chance(Side.IN, 0.5, 3), attempts=1, ports=PORTS[:7])) is None


def test_too_few_to_tell_says_so_and_names_no_cause():
    finding = found(lambda port, turn, _: Side.IN if (port, turn) in {(20481, 0), (20482, 1)} else None)
    assert finding.verdict.cause is None
    assert not finding.decided
    assert any("dead leg from random loss" in words for words in finding.verdict.missing)


@settings(max_examples=150)
@given(
    st.integers(0, 2**32), st.floats(0.05, 0.6), st.sampled_from([Side.IN, Side.BACK]), st.integers(3, 6),
)  # fmt: skip
def test_random_loss_is_never_called_a_leg_nor_given_the_other_direction(seed, rate, side, attempts):
    finding = judge("a", "b", trials(chance(side, rate, seed), attempts=attempts))
    if finding is not None:
        assert finding.verdict.cause in (Cause.B1, None)  # but once in 1 / SURE = 100,000 times
        assert [one.side for one in finding.losses] == [side]


@settings(max_examples=150)
@given(st.sets(st.sampled_from(PORTS), min_size=1, max_size=23), st.sampled_from([Side.IN, Side.BACK]))
def test_a_dead_leg_is_never_called_random_nor_given_the_other_direction(dead, side):
    finding = judge("a", "b", trials(lambda port, *_: side if port in dead else None))
    assert finding is not None
    assert [one.side for one in finding.losses] == [side]
    assert finding.losses[0].shape != Shape.RANDOM
    assert set(finding.losses[0].dead) == dead


@given(st.permutations(range(72)))
def test_the_order_in_which_they_were_judged_changes_nothing(order):
    told = trials(lambda port, *_: Side.BACK if port in LEG else None)
    assert judge("a", "b", [told[index] for index in order]).losses[0].shape == Shape.LEG


# -- observations ------------------------------------------------------------------------------------------------

SAID = verdict(Side.IN)


def at(text, sent, probe, state=State.TIMED_OUT):
    o = story(text, state, dst=NODE1)
    return msgspec.structs.replace(o, sent=sent, probe=probe)


def test_an_attempt_that_met_its_predecessors_half_open_socket_does_not_count():
    arrived, closed = HOST + "\nnode1 >> SYN-ACK", HOST + "\nnode1 >> SYN-ACK\nnode1 << own RST"
    held = at(HOST, 2.0, 2)
    assert [one.probe for one in flows.trials([(at(arrived, 1.0, 1), SAID), (held, SAID)])] == [1]
    assert [one.probe for one in flows.trials([(held, SAID), (at(closed, 1.0, 1), SAID)])] == [1, 2]
    long_ago = at(arrived, 2.0 - STILL_OPEN, 1)
    assert [one.probe for one in flows.trials([(long_ago, SAID), (held, SAID)])] == [1, 2]


def test_the_probers_own_troubles_say_nothing_of_the_network():
    mine = Verdict(Label.LOCAL, Confidence.LIKELY, "mine.")
    assert flows.trials([(at(HOST, 1.0, 1), mine)]) == ()


@pytest.mark.parametrize("lost", [range(51), range(51, 72), range(20, 60)], ids=["healed", "broke", "broke and healed"])
def test_what_broke_or_healed_meanwhile_is_no_loss_at_random(lost):
    assert judge("a", "b", trials(lambda _port, _turn, number: Side.BACK if number in lost else None)) is None
