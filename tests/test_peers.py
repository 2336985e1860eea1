"""Whom a target answered before and after a probe that it did not answer."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.peers import BEFORE, MOST, Peers


def told(*answered: tuple[float, str]) -> tuple[str, ...]:
    peers = Peers()
    for sent, source in answered:
        peers.answered("ingress", source, sent)
    return peers.of("ingress", "firewall", 10.0)


def test_those_that_were_answered_since_are_named_where_some_were_before_as_well() -> None:
    assert told((9.0, "vm"), (10.0, "vm"), (10.5, "lb"), (10.7, "lb")) == ("lb", "vm")
    assert told((10.5, "lb"), (9.0, "vm")) == ("lb",)


@pytest.mark.parametrize(
    "answered",
    [[], [(10.5, "lb")], [(9.9 - BEFORE, "lb"), (10.5, "lb")], [(9.0, "lb")], [(9.0, "firewall"), (10.5, "firewall")]],
    ids=["nobody", "only since, as after a heal", "too long before", "only before", "the source itself"],
)
def test_else_nobody_is(answered: list[tuple[float, str]]) -> None:
    assert told(*answered) == ()


def test_another_targets_answers_say_nothing() -> None:
    peers = Peers()
    for sent in (9.0, 11.0):
        peers.answered("web2", "lb", sent)
    assert peers.of("ingress", "firewall", 10.0) == ()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["lb", "vm", "firewall"]), st.floats(5.0, 15.0))))
def test_many_at_once_are_remembered_as_one_by_one(answered: list[tuple[str, str, float]]) -> None:
    one_by_one, at_once = Peers(), Peers()
    for target, source, sent in answered:
        one_by_one.answered(target, source, sent)
        at_once.all_answered([target, "z"], source, np.array([sent, sent]))
    for target in "abc":
        assert at_once.of(target, "firewall", 10.0) == one_by_one.of(target, "firewall", 10.0)
    assert at_once.of("z", "firewall", 10.0) == told(*((sent, source) for _, source, sent in answered))


def test_the_newest_stay() -> None:
    assert told((9.0, "vm"), (10.5, "lb"), *[(10.2, "node")] * (MOST - 2)) == ("lb", "node")
    assert told((9.0, "vm"), (10.5, "lb"), *[(10.2, "node")] * (MOST - 1)) == (), "the one before is forgotten"
