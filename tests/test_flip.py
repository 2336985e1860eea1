"""People are told when a cell changes, once, and not because of one lost packet."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.flip import Debounce, Flip, flips, news
from prober.flows import Finding, Losses, Shape, Side
from prober.verdict import Confidence, Label, Verdict

CELL = ("firewall", "ingress")


def told(labels: str, n: int = 3, m: int = 4) -> list[tuple[int, str | None, str]]:
    """Judge one label a second (h healthy, m misroute, u unknown, d detour, . an experiment's handshake that does not
    agree); the flips as (second, before, after)."""
    words = {"h": "healthy", "m": "return-path-misroute", "u": "unknown", "d": "detour"}
    bounce = Debounce(n, m)
    found = []
    for second, letter in enumerate(labels):
        found.append(None if letter == "." else bounce.judge(second, *CELL, words[letter]))
        if letter == ".":
            bounce.doubt(*CELL)
    return [(int(flip.at), flip.before, flip.after) for flip in found if flip]


def test_a_break_and_a_heal_are_one_flip_each() -> None:
    assert told("hhhhmmmmmhhhhh") == [
        (6, "healthy", "return-path-misroute"),
        (11, "return-path-misroute", "healthy"),
    ]


def test_one_lost_packet_is_no_news_nor_are_two() -> None:
    assert told("hhhmhhhmhhh") == []
    assert told("hhhmmhhhhmhmhhh") == []
    assert told("hhhmmhm") == [(6, "healthy", "return-path-misroute")]


def test_what_fails_beside_a_cell_that_was_told_to_fail_needs_one_failure_less() -> None:
    bounce = Debounce(told=dict.fromkeys([CELL, ("firewall", "pod2"), ("vm", "pod2")], "healthy"))
    for second in (1.0, 2.0, 3.0):
        bounce.judge(second, *CELL, "ingress-drop")
    assert bounce.judge(3.5, "firewall", "pod2", "ingress-drop") is None
    assert bounce.judge(4.0, "vm", "pod2", "ingress-drop") is None
    assert bounce.judge(4.5, "firewall", "pod2", "ingress-drop"), "its source's other path was told"
    assert bounce.judge(5.0, "vm", "pod2", "ingress-drop"), "and now its target's"
    assert bounce.judge(4.0, "ingress", "nodes", "local") is None
    assert bounce.judge(5.0, "ingress", "nodes", "local"), "and the other way round"
    assert bounce.judge(5.0, "firewall", "vm", "local") is None
    assert bounce.judge(6.0, "firewall", "vm", "local"), "another label: no chance either"
    assert bounce.judge(6.0, "firewall", "vm", "target") is None
    assert bounce.judge(6.5, "firewall", "vm", "target") is None, "what was told of it is not changed as lightly"
    assert bounce.judge(6.0, "remote", "lb", "ingress-drop") is None
    assert bounce.judge(7.0, "remote", "lb", "ingress-drop") is None, "nothing was told of its source or target"
    assert bounce.judge(17.0, "firewall", "lb", "ingress-drop") is None
    assert bounce.judge(18.0, "firewall", "lb", "ingress-drop") is None, "too long ago"


def test_handshakes_that_pass_beside_a_failing_probe_speak_against_telling() -> None:
    assert told("hhhm.m.m..m") == []
    assert told("hhh" + "." * 9) == [], "and make no state of their own"


def test_a_start_in_health_or_without_vantage_is_no_news_but_a_start_in_failure_is() -> None:
    assert told("hhhh") == []
    assert told("uuuhhh") == []
    assert told("uummm") == [(4, None, "return-path-misroute")]
    assert told("mmm") == [(2, None, "return-path-misroute")]
    assert told("ddd") == [(2, None, "detour")]


def test_losing_sight_of_a_failure_is_told_and_so_is_its_healing() -> None:
    assert told("mmmuuuhhh") == [
        (2, None, "return-path-misroute"),
        (5, "return-path-misroute", "unknown"),
        (8, "unknown", "healthy"),
    ]


def test_one_of_one_tells_at_once() -> None:
    assert [one[0] for one in told("hmh", 1, 1)] == [1, 2]


@pytest.mark.parametrize(("n", "m"), [(1, 2), (2, 4), (4, 3), (0, 0)])
def test_n_of_m_that_could_contradict_itself_is_refused(n: int, m: int) -> None:
    with pytest.raises(ValueError, match="more than half"):
        Debounce(n, m)


@given(st.text("hmud.", max_size=60))
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
    for label in ("healthy",) * 3:
        seen.judge(1.0, "a", "x", label)
    for label in ("target",) * 3:
        seen.judge(1.0, "b", "x", label)
    seen.rest(("a", "x"))
    seen.rest(("b", "x"))
    assert seen.told == {("b", "x"): "target"}
    for at in (20.0, 21.0):
        assert seen.judge(at, "a", "x", "target") is None, "what came before its rest does not count"
    flip = seen.judge(22.0, "a", "x", "target")
    assert flip is not None and (flip.before, flip.after) == (None, "target")


SAID = Verdict(Label.INTERMITTENT, Confidence.LIKELY, "comes and goes.")
GOOD = Verdict(Label.HEALTHY, Confidence.PROVEN, "a → b answers.")


def found(shape: Shape, sent: int, lost: int) -> Finding:
    ports = {port: (1, int(port < lost)) for port in range(sent)}
    return Finding(SAID, (Losses(Side.IN, ports, shape),), 0.0, lost / sent)


@pytest.mark.parametrize(
    ("probes_lost", "finding", "label"),
    [
        (2, None, "healthy"), (4, None, "healthy"), (5, None, "intermittent"),
        (1, found(Shape.UNSURE, 54, 2), "healthy"), (1, found(Shape.RANDOM, 54, 6), "healthy"),
        (1, found(Shape.RANDOM, 54, 7), "intermittent"), (1, found(Shape.LEG, 54, 3), "intermittent"),
    ],
)  # fmt: skip
def test_what_comes_and_goes_is_news_only_where_the_loss_of_every_network_does_not_make_it(probes_lost, finding, label):
    passed = [True] * (20 - probes_lost) + [False] * probes_lost
    assert news(SAID, GOOD, passed, finding).label == label


def test_what_does_not_come_and_go_is_news_as_it_is() -> None:
    lost = Verdict(Label.INGRESS_DROP, Confidence.PROVEN, "lost.")
    assert news(lost, GOOD, [False], None) == lost


def test_chance_makes_three_of_four_of_one_probe_in_a_million() -> None:
    """At 0.3 % each way, as three links of 0.1 % each make, and 59 cells a second, as the incident's network has."""
    from prober.odds import of_so_many

    assert 2 * of_so_many(4, 3, 0.003) * 59 * 3600 < 0.05, "of an hour"
    assert 2 * of_so_many(3, 2, 0.003) * 59 * 3600 > 10, "and this is why two of three will not do"
