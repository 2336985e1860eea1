"""Routing tables are asked once for many probes, and an answer serves all that want it and ended before it came."""

from __future__ import annotations

import pytest

from prober.inquiry import Inquiry
from prober.pending import Pending
from prober.report import EXPERIMENT, Question, Route

BACK = Question("10.19.0.4", "10.4.76.34")
WANTED = ("node1", BACK)


def probe(sent: float = 10.0, run: str = "") -> Pending:
    """One that ended half a second later and was told after another half."""
    return Pending(sent, sent=sent, done=sent + 0.5, known=sent + 1.0, run=run)


def told(via: str = "10.224.0.4") -> Route:
    return Route(dst=BACK.dst, src=BACK.src, prefix="10.19.0.0/24", via=via)


def test_a_question_is_handed_out_once_however_many_want_the_answer() -> None:
    held = {7: probe(), 8: probe()}
    inquiry = Inquiry(held)
    for number, one in held.items():
        inquiry.want(number, one, WANTED)
    inquiry.ask("node1", BACK)
    assert (inquiry.questions("node1"), inquiry.questions("node1")) == ([BACK], [])


def test_an_answer_serves_all_that_wait_for_it() -> None:
    held = {7: probe(), 8: probe()}
    inquiry = Inquiry(held)
    for number, one in held.items():
        inquiry.want(number, one, WANTED)
    inquiry.take("node1", told(), 11.2)
    for one in held.values():
        assert ([route.via for route in one.routes.values()], one.wanted, one.fresh) == (["10.224.0.4"], set(), True)


@pytest.mark.parametrize(
    ("run", "asks"), [("", True), (f"{EXPERIMENT}1-a", False)], ids=["any other", "of an experiment"]
)
def test_an_answer_from_before_a_probe_was_told_serves_only_an_experiment(run: str, asks: bool) -> None:
    held = {7: probe(run=run)}
    inquiry = Inquiry(held)
    inquiry.take("node1", told(), 10.6)
    inquiry.want(7, held[7], WANTED)
    assert (bool(inquiry.questions("node1")), bool(held[7].routes)) == (asks, not asks)


def test_a_table_that_said_the_same_before_and_after_is_steady() -> None:
    held = {7: probe(), 8: probe()}
    inquiry = Inquiry(held)
    inquiry.take("node1", told(), 9.0)
    inquiry.want(7, held[7], WANTED)
    inquiry.take("node1", told(), 11.2)
    assert held[7].steady == {"node1"}
    inquiry.take("node1", told(via="10.224.0.23"), 11.4)
    inquiry.want(8, held[8], WANTED)
    assert held[8].routes and held[8].steady == set()


def test_who_is_gone_waits_for_nothing_and_old_answers_go() -> None:
    held = {7: probe()}
    inquiry = Inquiry(held)
    inquiry.want(7, held[7], WANTED)
    assert len(inquiry) == 1
    inquiry.drop(7, held.pop(7))
    assert not inquiry
    inquiry.take("node1", told(), 11.2)
    inquiry.prune(11.2)
    assert len(inquiry) == 1
    inquiry.prune(11.3)
    assert not inquiry
