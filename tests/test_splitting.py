"""How far a failure goes is found by asking halves; what it may cost is bounded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prober.splitting import PATIENCE, Cell, Splitting

SOURCES, TARGETS = [f"s{n}" for n in range(8)], [f"t{n}" for n in range(16)]


def fleet(rate: float = 1000.0) -> Splitting:
    zones = dict.fromkeys(SOURCES, "here") | {"far": "elsewhere"}, dict.fromkeys(TARGETS, "there")
    return Splitting(zones, rate, 300.0)


def played(one: Splitting, first: Cell, failing: set[Cell], answers: bool = True) -> tuple[list[list[Cell]], float]:
    """What is asked, step by step a second apart, and when it was over. Without ``answers`` only failures are told."""
    one.judged(first, False, 0.0)
    steps, now = [], 0.0
    while one.open:
        one.again.clear()  # of asking again below
        steps.append(one.due(now))
        now += 1.0
        for cell in steps[-1]:
            if answers or cell in failing:
                one.judged(cell, cell not in failing, now)
    return [step for step in steps if step], now


def test_one_pair_alone_costs_four_handshakes():
    steps, _ = played(fleet(), ("s3", "t5"), {("s3", "t5")})
    assert steps == [[("s3", "t0"), ("s3", "t9"), ("s0", "t5"), ("s5", "t5")]]


def test_a_target_that_fails_from_everywhere_is_asked_by_all_and_the_others_are_let_be():
    steps, _ = played(fleet(), ("s3", "t5"), {(source, "t5") for source in SOURCES})
    asked = [cell for step in steps for cell in step]
    assert {cell for cell in asked if cell[1] == "t5"} == {(source, "t5") for source in SOURCES if source != "s3"}
    assert [cell for cell in asked if cell[1] != "t5"] == [("s3", "t0"), ("s3", "t9")]
    assert len(steps) == 3, "halves of seven"


def test_silence_is_no_failure():
    failing = {("s3", target) for target in TARGETS}
    told, silent = (played(fleet(), ("s3", "t5"), failing, answers) for answers in (True, False))
    assert [sorted(step) for step in told[0]] == [sorted(step) for step in silent[0]]
    assert told[1] < silent[1] <= told[1] + PATIENCE + 1.0


def test_what_failed_is_asked_again_twice_once_in_all_rounds():
    one = fleet()
    one.zones[0].clear()
    one.zones[1].clear()  # nobody beside it
    one.judged(("s3", "t5"), False, 0.0)
    assert [one.due(at / 10) for at in range(4)] == [[("s3", "t5")], [], [("s3", "t5")], []]
    assert one.idle()
    one.judged(("s3", "t5"), False, 299.0)
    assert one.idle()
    one.judged(("s3", "t5"), False, 300.0)
    assert not one.idle()


def test_a_mass_of_failures_is_asked_again_no_faster_than_the_turns_leave():
    one = fleet(rate=10.0)
    for number in range(2000):
        one.judged((f"x{number}", "t5"), False, 0.0)
    asked = sum(len(one.due(at / 10)) for at in range(600))
    assert 500 <= asked <= 10 + 10 * 60


@given(st.sets(st.tuples(st.sampled_from(SOURCES), st.sampled_from(TARGETS))), st.floats(0.1, 20.0))
def test_no_pair_is_asked_twice_none_outside_its_zones_and_none_too_fast(failing: set[Cell], rate: float):
    one = fleet(rate)
    steps, seconds = played(one, ("s3", "t5"), failing | {("s3", "t5")})
    asked = [cell for step in steps for cell in step]
    assert len(asked) == len(set(asked)) <= len(SOURCES) + len(TARGETS) - 2
    assert all(cell[0] == "s3" or cell[1] == "t5" for cell in asked)
    assert len(asked) <= max(1.0, rate) + rate * seconds


def test_a_pair_of_zones_is_split_once_until_all_its_pairs_have_had_their_turn():
    one = fleet()
    _, now = played(one, ("s3", "t5"), set())
    one.judged(("s4", "t6"), False, now + 298.0)
    assert not one.open
    one.judged(("far", "t6"), False, now + 298.0)
    assert set(one.open) == {("elsewhere", "there")}, "another pair of zones"
    one.judged(("s4", "t6"), False, now + 300.5)
    assert ("here", "there") in one.open
