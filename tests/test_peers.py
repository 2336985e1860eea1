"""Whom a target answered before and after a probe that it did not answer."""

from __future__ import annotations

import pytest

from prober.peers import BEFORE, Peers


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
