"""The vector of places, the baseline, and sightings in words."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober import observation as ob
from prober import segment
from prober.handshake import State
from prober.observation import Observation, Place, Sight, Usual, usual
from prober.probe import Kind
from prober.segment import IN, OUT
from prober.sighting import SIGHTING, Where
from tests.stories import AND_BACK, EVERYBODY, HOST, NODE1, POD, THERE, sighting, story

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
    short = ob.places(o.asked, o.source, o.responders, o.seen, EVERYBODY, False, 0.1)
    assert short[Place.B_STACK] == X


def test_on_one_host_no_nic_is_on_the_way():
    o = story("node1/pod << SYN", source="node1", src=NODE1)
    assert (o.at(Place.A_NIC_OUT), o.at(Place.B_NIC_IN), o.at(Place.B_POD_IN)) == (X, X, S)


def test_a_probe_that_was_not_sent_says_so():
    assert story("", State.NOT_SENT).at(Place.A_SENT) == N


def test_witnesses_are_neither_ends_nor_the_declared_balancer():
    o = story(AND_BACK + "lb << SYN-ACK\nnode19 << SYN-ACK\nnode2 >> SYN-ACK", through=("lb",))
    assert [one.agent for one in o.witnesses(Kind.SYN_ACK)] == ["node19"]


# -- the baseline ------------------------------------------------------------------------------------------------


AWAY = "node1 eth0 02:00:00:00:00:01"


def test_the_baseline_says_how_a_healthy_probe_went():
    o = story("node2 << SYN ttl 63\n" + AND_BACK + "node2 << SYN-ACK ttl 63", State.ANSWERED)
    assert usual(o, frozenset({"node1", "node2"})) == Usual(
        62, (AWAY,), ("node2",), ("node2",), ("node1", "node2"), (AWAY,)
    )


def test_a_baseline_only_grows_by_agents_that_were_not_watching_before():
    before = Usual(62, (), (), (), ("node1",), (AWAY,))
    o = story(AND_BACK + "node19 << SYN-ACK", State.ANSWERED)
    assert usual(o, frozenset({"node1"}), before) == before
    assert usual(o, frozenset({"node19"}), before) == Usual(62, (), ("node19",), (), ("node1", "node19"), (AWAY,))


def test_a_responder_that_missed_the_answer_that_arrived_was_not_watching_yet():
    o = story("firewall >> SYN\nfirewall << SYN-ACK ttl 62", State.ANSWERED)
    first = usual(o, EVERYBODY)
    assert "node1" not in first.watched and first.exits == ()
    assert usual(story(AND_BACK, State.ANSWERED), EVERYBODY, first).exits == (AWAY,)


def test_a_baseline_says_by_which_tunnel_the_reply_left():
    o = story(AND_BACK + "node1 >> SYN-ACK within 10.224.0.4>10.224.0.5", State.ANSWERED)
    assert usual(o, EVERYBODY).exits == (AWAY, f"{AWAY} in a tunnel with 10.224.0.5")


def test_every_way_in_by_which_the_answer_went_back_is_as_usual_as_the_first():
    by_other = AND_BACK.replace("node1 << SYN\n", "node1 << SYN via 02:00:00:00:00:02\n")
    other, before = "node1 eth0 02:00:00:00:00:02", Usual(62, (), (), (), ("node1",), (AWAY,))
    lucky = story(by_other, State.ANSWERED)
    assert usual(lucky, frozenset({"node1"}), before).entries == (AWAY,), "a firewall may have let it pass once"
    both = by_other.replace("node1 >> SYN-ACK\n", "node1 >> SYN-ACK via 02:00:00:00:00:02\n")
    assert usual(story(both, State.ANSWERED), frozenset({"node1"}), before).entries == (AWAY, other)


def test_an_answer_that_nobody_saw_arrive_makes_no_baseline():
    assert usual(story(THERE, State.ANSWERED), EVERYBODY) is None


# -- sightings ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("after", "out"), [(0, N), (890, N), (910, X), (1200, X)])
def test_of_a_syn_that_came_as_the_prober_gave_up_nobody_can_say_that_it_was_not_answered(after: int, out: Sight):
    told = f"firewall >> SYN\nnode1 << SYN after {after}\nnode1/pod << SYN after {after}"
    assert [story(told).at(place) for place in (Place.B_NIC_OUT, Place.B_POD_OUT)] == [out, out]


def test_a_row_in_words():
    row = np.zeros(1, SIGHTING)
    row["src_hi"], row["src_lo"] = segment.pair("fd00::1")
    row["dst_hi"], row["dst_lo"] = segment.pair(POD)
    row["kind"], row["where"], row["way"], row["flags"], row["ttl"] = Kind.SYN_ACK, Where.POD, OUT, 0x12, 63
    row["sport"], row["dport"], row["neighbour"] = 8080, 61440, 0x0200_0000_0001
    one = ob.seen("node1", row.tolist()[0], "veth1", b"frame", 1.23456)
    assert one.text() == "SYN,ACK [fd00::1]:8080 > 10.4.76.34:61440 ttl 63"
    assert (one.neighbour, one.after_ms, one.frame, one.interface) == ("02:00:00:00:00:01", 1.235, b"frame", "veth1")


def test_an_icmp_error_in_words():
    assert sighting("node1 << ICMP 3/1 of SYN-ACK from 10.224.0.23").text() == "ICMP 3/1 from 10.224.0.23"


def test_saw_asks_by_agent_way_and_place():
    o = story(AND_BACK)
    assert [one.agent for one in o.saw(Kind.SYN, way=IN, where=Where.NIC)] == ["node1"]
    assert len(o.saw(Kind.SYN, Kind.SYN_ACK)) == 6 and o.saw(Kind.SYN, by="node19") == ()


@given(st.lists(st.sampled_from([*AND_BACK.split("\n    ")[1:], "node19 << SYN-ACK"]), unique=True))
def test_an_observation_survives_json(lines):
    o = story("\n".join(lines))
    assert msgspec.json.decode(msgspec.json.encode(o), type=Observation) == o
