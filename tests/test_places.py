"""The vector: seen, not seen while watched, not watched."""

from __future__ import annotations

import pytest

from prober import places
from prober.handshake import State
from prober.observation import Observation, Place, Sight
from tests.stories import AND_BACK, EVERYBODY, HOST, NODE1, story

S, N, X = Sight.SEEN, Sight.NOT_SEEN, Sight.NOT_WATCHED


def vector(o: Observation) -> list[Sight]:
    return [o.at(place) for place in Place if place != Place.A_NODE_OUT]


def test_a_whole_handshake_with_a_pod_is_seen_everywhere():
    assert vector(story(AND_BACK)) == [S, S, S, S, X, S, S, S]


def test_what_capturing_agents_did_not_see_is_not_seen():
    assert vector(story("")) == [S, N, N, N, X, N, N, N]


def test_what_nobody_was_capturing_is_not_watched():
    assert vector(story("", deaf=("firewall", "node1"))) == [S, X, X, X, X, X, X, X]


def test_every_responder_must_have_captured_for_a_not_seen():
    both = story("", responders=("node1", "node2"), deaf=("node2",))
    assert both.at(Place.B_NIC_IN) == X
    assert story("node1 << SYN", responders=("node1", "node2"), deaf=("node2",)).at(Place.B_NIC_IN) == S


def test_without_an_agent_at_the_target_nothing_is_watched_there():
    assert story("firewall >> SYN", responders=()).at(Place.B_NIC_IN) == X


def test_a_host_has_no_pod_and_a_stack():
    assert vector(story("firewall >> SYN\nnode1 << SYN", dst=NODE1)) == [S, S, S, X, N, X, N, N]
    assert story("node1 << SYN\nnode1 >> SYN-ACK", dst=NODE1).at(Place.B_STACK) == S, "it answered"


def test_an_error_about_an_answer_shows_that_there_was_one():
    told = f"{HOST}\nnode1 << ICMP 3/1 of SYN-ACK from {NODE1} after 2"
    assert vector(story(told, dst=NODE1)) == [S, S, S, X, S, X, N, N]
    elsewhere = story(f"{HOST}\nnode19 << ICMP 3/1 of SYN-ACK from {NODE1}", dst=NODE1)
    assert elsewhere.at(Place.B_STACK) == N, "node19 is not the responder"


def test_a_probe_that_was_over_at_once_says_nothing_of_the_stack():
    o = story("node1 << SYN", dst=NODE1)
    short = places.places(o.asked, o.source, o.responders, o.seen, EVERYBODY, False, 0.1)
    assert short[Place.B_STACK] == X


def test_on_one_host_no_nic_is_on_the_way():
    o = story("node1/pod << SYN", source="node1", src=NODE1)
    assert (o.at(Place.A_NIC_OUT), o.at(Place.B_NIC_IN), o.at(Place.B_POD_IN)) == (X, X, S)


def test_a_probe_that_was_not_sent_says_so():
    assert story("", State.NOT_SENT).at(Place.A_SENT) == N


@pytest.mark.parametrize(("after", "out"), [(0, N), (890, N), (910, X), (1200, X)])
def test_of_a_syn_that_came_as_the_prober_gave_up_nobody_can_say_that_it_was_not_answered(after: int, out: Sight):
    told = f"firewall >> SYN\nnode1 << SYN after {after}\nnode1/pod << SYN after {after}"
    assert [story(told).at(place) for place in (Place.B_NIC_OUT, Place.B_POD_OUT)] == [out, out]
