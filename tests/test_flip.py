"""People are told when a cell changes, once, and not because of one lost packet."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.flip import Debounce, Flip, flips

CELL = ("firewall", "ingress")


def told(labels: str, n: int = 2, m: int = 3) -> list[tuple[int, str | None, str]]:
    """Judge one label a second (h healthy, m misroute, u unknown, d detour); the flips as (second, before, after)."""
    words = {"h": "healthy", "m": "return-path-misroute", "u": "unknown", "d": "detour"}
    bounce = Debounce(n, m)
    found = [bounce.judge(second, *CELL, words[letter]) for second, letter in enumerate(labels)]
    return [(int(flip.at), flip.before, flip.after) for flip in found if flip]


def test_a_break_and_a_heal_are_one_flip_each() -> None:
    assert told("hhhhmmmmmhhhhh") == [
        (5, "healthy", "return-path-misroute"),
        (10, "return-path-misroute", "healthy"),
    ]


def test_one_lost_packet_is_no_news() -> None:
    assert told("hhhmhhhmhhh") == []
    assert told("hhmhm") == [(4, "healthy", "return-path-misroute")]


def test_a_start_in_health_or_without_vantage_is_no_news_but_a_start_in_failure_is() -> None:
    assert told("hhhh") == []
    assert told("uuuhhh") == []
    assert told("uummm") == [(3, None, "return-path-misroute")]
    assert told("mm") == [(1, None, "return-path-misroute")]
    assert told("dd") == [(1, None, "detour")]


def test_losing_sight_of_a_failure_is_told_and_so_is_its_healing() -> None:
    assert told("mmuuhh") == [
        (1, None, "return-path-misroute"),
        (3, "return-path-misroute", "unknown"),
        (5, "unknown", "healthy"),
    ]


def test_one_of_one_tells_at_once() -> None:
    assert [one[0] for one in told("hmh", 1, 1)] == [1, 2]


@pytest.mark.parametrize(("n", "m"), [(1, 2), (2, 4), (4, 3), (0, 0)])
def test_n_of_m_that_could_contradict_itself_is_refused(n: int, m: int) -> None:
    with pytest.raises(ValueError, match="more than half"):
        Debounce(n, m)


@given(st.text("hmud", max_size=60))
def test_each_flip_starts_where_the_one_before_it_ended(labels: str) -> None:
    found = told(labels)
    for (_, _, after), (_, before, then) in pairwise(found):
        assert before is not None
        assert before == after != then


def test_cells_do_not_mix_and_a_restart_goes_on_from_what_was_told() -> None:
    bounce = Debounce(2, 3, told={CELL: "return-path-misroute"})
    assert bounce.judge(1, "vm", "ingress", "healthy") is None
    assert bounce.judge(2, *CELL, "healthy") is None
    flip = bounce.judge(3, *CELL, "healthy")
    assert flip is not None
    assert flip.sentence == "firewall → ingress is healthy again, it was return-path-misroute."
    bounce.keep({("vm", "ingress")})
    assert bounce.told == {}


def test_the_sentence_says_what_changed_and_carries_the_verdicts_own() -> None:
    bounce = Debounce(1, 1, told={CELL: "healthy"})
    flip = bounce.judge(5.0, *CELL, "return-path-misroute", "node1 routes 10.19.0.0/16 via 10.224.0.23 (node19).")
    assert flip == Flip(
        5.0, "firewall", "ingress", "healthy", "return-path-misroute",
        "firewall → ingress is return-path-misroute, it was healthy. "
        "node1 routes 10.19.0.0/16 via 10.224.0.23 (node19).",
    )  # fmt: skip


def test_two_matrices_differ_in_their_flips() -> None:
    before = {("a", "x"): "healthy", ("b", "x"): "target", ("c", "x"): "healthy", ("gone", "x"): "target"}
    after = {
        ("a", "x"): "target",
        ("b", "x"): "healthy",
        ("c", "x"): "healthy",
        ("new", "x"): "healthy",
        ("bad", "x"): "local",
    }
    assert [(flip.source, flip.before, flip.after, flip.at) for flip in flips(before, after, 9.0)] == [
        ("a", "healthy", "target", 9.0),
        ("b", "target", "healthy", 9.0),
        ("bad", None, "local", 9.0),
    ]
    assert flips(after, after) == ()


def test_of_a_cell_that_rests_only_news_is_remembered() -> None:
    seen = Debounce()
    for label in ("healthy", "healthy"):
        seen.judge(1.0, "a", "x", label)
    for label in ("target", "target"):
        seen.judge(1.0, "b", "x", label)
    seen.rest(("a", "x"))
    seen.rest(("b", "x"))
    assert seen.told == {("b", "x"): "target"}
    assert seen.judge(2.0, "a", "x", "target") is None, "what came before its rest does not count"
    flip = seen.judge(3.0, "a", "x", "target")
    assert flip is not None and (flip.before, flip.after) == (None, "target")
