"""What is usual of a cell, and how it grows."""

from __future__ import annotations

from prober.baseline import usual
from prober.handshake import State
from prober.observation import Usual
from tests.stories import AND_BACK, EVERYBODY, THERE, story

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
