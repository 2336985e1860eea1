"""Rules that can't lie: one verdict each, no quarrel about the direction, and evidence hidden never makes it surer."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from prober.classify import BEFORE, RULES, Rule, classify, not_enough
from prober.facts import Reached, reached
from prober.observation import Observation, Place, Sight
from prober.report import Route
from prober.verdict import Label, Verdict
from tests.anything import AGENTS, observations
from tests.stories import FIREWALL, INCIDENT, NODE1, NODE19, NORMAL, POD, hide, overlook, rank, said, story

MANY = settings(max_examples=300, deadline=None)


def speaking(o: Observation) -> list[tuple[Rule, Verdict]]:
    """Every rule that has something to say, in order."""
    told = ((rule, rule(o)) for rule in RULES[reached(o)])
    return [(rule, verdict) for rule, verdict in told if verdict is not None]


@given(observations())
@MANY
def test_the_first_rule_that_speaks_is_the_one_verdict(o):
    told = speaking(o)
    assert classify(o) == (told[0][1] if told else not_enough(o))


@given(observations())
@MANY
def test_rules_that_blame_different_directions_speak_together_only_where_their_order_has_a_reason(o):
    (first, said), *others = speaking(o) or [(not_enough, not_enough(o))]
    for rule, verdict in others:
        if {said.label, verdict.label}.isdisjoint({Label.UNKNOWN}) and said.label.direction != verdict.label.direction:
            assert (first.__name__, rule.__name__) in BEFORE, (said.sentence, verdict.sentence)


def test_the_reasons_are_of_rules_that_stand_in_that_order():
    for before, after in BEFORE:
        assert any([before, after] == [r.__name__ for r in rules if r.__name__ in (before, after)]
                   for rules in RULES.values())  # fmt: skip


@given(observations(), AGENTS)
@MANY
def test_a_silent_agent_never_makes_it_surer(o, agent):
    assert rank(hide(o, agent)) <= rank(o), (classify(o), classify(hide(o, agent)))


@given(observations(), st.integers(0, 9))
@MANY
def test_a_packet_less_never_makes_it_surer(o, which):
    if which < len(o.seen):
        assert rank(overlook(o, which)) <= rank(o), (classify(o), classify(overlook(o, which)))


@given(observations(), st.integers(0, 2))
@MANY
def test_a_route_less_never_makes_it_surer(o, which):
    fewer = msgspec.structs.replace(o, routes=o.routes[:which] + o.routes[which + 1 :])
    assert rank(fewer) <= rank(o), (classify(o), classify(fewer))


AGAINST = ("IpOutNoRoutes", "Ip6OutNoRoutes", "TcpExtIPReversePathFilter")


@given(observations())
@MANY
def test_no_counters_never_make_it_surer(o):
    """But for those by which a way back was missing: that they stood still is a fact as well."""
    left = {name: moved for name, moved in o.counters.items() if name in AGAINST}
    assert rank(msgspec.structs.replace(o, counters=left)) <= rank(o)


@given(observations())
@MANY
def test_no_past_never_makes_it_surer(o):
    bare = msgspec.structs.replace(o, usual=None)
    assert rank(bare) <= rank(o) or not o.failed, (classify(o), classify(bare))  # a detour is healthy without its past


@given(observations(), AGENTS)
@MANY
def test_hiding_an_agent_never_turns_a_return_fault_into_a_forward_one(o, agent):
    """What an answer showed is never taken for a SYN that was lost, as long as any packet of the answer is left."""
    less = hide(o, agent)
    if reached(less) == reached(o) == Reached.ANSWER:
        assert classify(less).label.direction in ("return", "unknown")


# -- what arbitrary observations found once ----------------------------------------------------------------------------

BACK = f"ICMP 3/1 of SYN-ACK from {NODE19}"
"""An error that quotes an answer: there was one, and so the SYN had arrived, whoever says that he saw none."""
STRAY = "firewall >> SYN\nnode19 << SYN ttl 62"
CAUGHT = "firewall >> SYN\nnode19 << RST ttl 62"


def test_who_got_an_error_about_an_answer_can_not_have_watched_for_the_syn():
    o = story(f"firewall >> SYN\nnode1 << {BACK}", dst=NODE1)
    assert said(o) == said(overlook(o, 1)) == "unknown ambiguous"


def test_a_syn_that_came_to_the_node_and_drew_an_error_is_lost_there():
    text = f"firewall >> SYN\nnode1 << SYN\nfirewall << ICMP 3/1 of SYN from {NODE1}"
    o = story(text, dst=NODE1, deaf=("node1",))
    assert said(o) == said(hide(o, "node1")) == said(overlook(o, 1)) == "ingress-drop F4 inferred"
    assert "reached node1 and was refused there, or further on" in classify(o).sentence
    assert said(msgspec.structs.replace(o, held=31.5)) == "ingress-drop F4 inferred", "no older socket sends errors"


def test_who_missed_packets_is_not_known_to_have_kept_the_syn():
    assert said(story(STRAY, deaf=("node1",))) == "ingress-drop F9 inferred"
    assert said(story(STRAY, deaf=("node1", "node19"))) == "unknown ambiguous", "it may have passed it on unseen"
    refusing = Route("node19", POD, prefix="10.4.0.0/16", type="blackhole")
    usual = msgspec.structs.replace(NORMAL, forwarders=("node19",))
    for known in (None, usual):
        both = [story(STRAY, deaf=deaf, routes=(refusing,), usual=known) for deaf in (("node1",), ("node1", "node19"))]
        assert [said(o) for o in both] == ["ingress-drop F4 inferred", "unknown ambiguous"]


def test_the_probers_own_route_alone_makes_nobody_a_stray():
    onward = Route("firewall", POD, prefix="10.4.0.0/16", via=NODE19, dev="eth0")
    assert said(story(STRAY, routes=(onward,), usual=None)) == "ingress-drop F1 likely"


def test_an_rst_in_wrong_hands_is_a_filters_until_the_syn_was_seen_to_arrive():
    o = story(CAUGHT)
    assert said(o) == "ingress-drop F1 likely"
    assert said(hide(o, "node1")) == "unknown ambiguous"
    ends = Route("node19", FIREWALL, prefix="10.19.0.0/16", dev="pods0")
    assert said(hide(story(CAUGHT, routes=(ends,)), "node1")) == "return-path-misroute R1b inferred"


def test_a_witness_that_may_be_a_router_does_not_hide_one_that_is_wrong():
    usual = msgspec.structs.replace(NORMAL, watched=("firewall", "node1", "node19"))
    there = f"{STRAY}\nnode2 << SYN ttl 61"
    assert said(story(there, usual=usual)) == said(story(STRAY, usual=usual)) == "ingress-drop F9 likely"
    back = f"{INCIDENT}node2 << SYN-ACK ttl 61"
    assert said(story(back, usual=usual)) == said(story(INCIDENT, usual=usual)) == "return-path-misroute likely"


def test_of_several_responders_only_the_one_that_had_the_syn_has_a_way_back():
    refusing = Route("node2", FIREWALL, prefix="10.19.0.0/16", type="unreachable")
    two = {"responders": ("node1", "node2"), "routes": (refusing,), "dst": NODE1, "usual": None}
    assert said(story(f"firewall >> SYN\nnode1 << {BACK}", **two)) == "unknown ambiguous"


def test_who_was_asked_by_a_pod_that_refused_had_the_syn():
    o = story("node1/pod >> RST", responders=("node1",))
    assert (o.at(Place.B_POD_IN), o.at(Place.B_NIC_IN)) == (Sight.NOT_WATCHED, Sight.NOT_WATCHED)
    caught = story("node1 << SYN\nnode19 << SYN-ACK ttl 62", dst=NODE1)
    assert caught.at(Place.B_STACK) == Sight.NOT_WATCHED, "it answered: its TCP had the SYN, though no row was seen"
