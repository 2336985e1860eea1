"""What a routing table said, and whether it was so while a probe was under way."""

from __future__ import annotations

import msgspec
import pytest

from prober.answers import BEFORE, MOST, Answers
from prober.report import Question, Route
from tests.stories import FIREWALL, NODE1

GOOD = Route("", FIREWALL, NODE1, prefix="0.0.0.0/0", via="10.224.0.1", dev="eth0")
NONE = Route("", FIREWALL, NODE1, type="", error="ENETUNREACH")
KEY = ("node1", Question(FIREWALL, NODE1))


def told(*answers: tuple[float, Route]) -> Answers:
    known = Answers()
    for at, route in answers:
        assert known.take("node1", route, at) == KEY
    return known


@pytest.mark.parametrize(
    "answers",
    [[(10.5, GOOD), (11.3, GOOD)], [(10.0 - BEFORE, GOOD), (11.3, GOOD)], [(8.0, NONE), (9.0, GOOD), (11.3, GOOD)]],
    ids=["during the probe", "shortly before it", "put right well before it"],
)
def test_a_route_that_was_told_before_the_probes_end_and_is_so_since_is_steady(answers):
    assert told(*answers).steady(KEY, 10.0, 11.0)


@pytest.mark.parametrize(
    "answers",
    [[], [(11.3, GOOD)], [(9.9 - BEFORE, GOOD), (11.3, GOOD)], [(10.5, NONE), (11.3, GOOD)],
     [(10.5, GOOD), (11.2, NONE), (11.3, GOOD)]],
    ids=["never told", "only after it", "too long before it", "put right at its end", "gone in between"],
)  # fmt: skip
def test_any_other_is_not(answers):
    assert not told(*answers).steady(KEY, 10.0, 11.0)


def test_a_neighbour_that_was_asked_for_meanwhile_is_no_other_route():
    known = told((10.5, GOOD), (11.3, msgspec.structs.replace(GOOD, neighbour="STALE 02:00:00:00:00:01")))
    assert known.steady(KEY, 10.0, 11.0)


def test_the_newest_answer_serves_who_asked_before_it_came():
    known = told((10.5, NONE), (11.3, GOOD))
    assert known.newest(KEY, 11.0).via == GOOD.via
    assert known.newest(KEY, 11.4) is None
    assert known.newest(("node2", KEY[1]), 0.0) is None


def test_nothing_is_remembered_for_ever():
    known = told(*((float(at), GOOD) for at in range(2 * MOST)))
    assert len(known._told[KEY]) == MOST
    known.prune(2 * MOST - 1)
    assert known
    known.prune(2 * MOST)
    assert not known
