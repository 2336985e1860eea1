"""Verdicts by the story they are told, and held against worlds of which the truth is known."""

from __future__ import annotations

import errno
from itertools import product

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from prober.classify import RULES, classify
from prober.facts import Reached
from prober.handshake import REFUSED_ONCE, State
from prober.observation import Observation, Place, Sight
from prober.places import places
from prober.probe import Kind
from prober.report import Route
from prober.rules_target import is_spoilt
from prober.segment import IN
from prober.sighting import Where
from prober.verdict import Cause, Confidence, Label
from tests.anything import AGENTS, observations
from tests.stories import (
    AND_BACK,
    EVERYBODY,
    HOST,
    INCIDENT,
    NAMES,
    NODE1,
    NORMAL,
    POD,
    RIGHT,
    THERE,
    WRONG,
    hide,
    overlook,
    rank,
    said,
    story,
)
from tests.worlds import DEATHS, World

# -- it works ----------------------------------------------------------------------------------------------------------


def test_a_handshake_seen_at_both_ends_is_proven_healthy():
    assert said(story(AND_BACK, State.ANSWERED)) == "healthy proven"


def test_a_handshake_whose_target_nobody_watches_is_healthy_and_inferred():
    assert said(hide(story(AND_BACK, State.ANSWERED), "node1")) == "healthy inferred"


def test_a_node_that_asks_its_own_pod_is_at_both_ends():
    text = "node1/pod << SYN\nnode1/pod >> SYN-ACK"
    assert said(story(text, State.ANSWERED, source="node1", src=NODE1)) == "healthy proven"


def test_a_reply_that_a_newcomer_carries_is_a_detour():
    text = THERE + "node19 << SYN-ACK ttl 62\nfirewall << SYN-ACK ttl 61"
    verdict = classify(story(text, State.ANSWERED, routes=(WRONG,)))
    assert (verdict.label, verdict.cause, verdict.confidence) == (Label.DETOUR, Cause.R1D, Confidence.PROVEN)
    assert "node19 carried it" in verdict.sentence and "TTL is 61, it was 62" in verdict.sentence
    assert str(verdict.culprit) == "node1: 10.19.0.0/16 via 10.224.0.23 (node19)"


@pytest.mark.parametrize("also", ["witnesses", "forwarders"])
def test_a_forwarder_that_always_carried_it_makes_no_detour(also):
    usual = msgspec.structs.replace(NORMAL, **{also: ("node19",)})
    text = THERE + "node19 << SYN-ACK ttl 62\nfirewall << SYN-ACK ttl 62"
    assert said(story(text, State.ANSWERED, usual=usual)) == "healthy proven"


def test_a_witness_that_was_not_watching_when_all_was_well_makes_no_detour():
    usual = msgspec.structs.replace(NORMAL, watched=("firewall", "node1"))
    text = THERE + "node19 << SYN-ACK ttl 62\nfirewall << SYN-ACK ttl 62"
    assert said(story(text, State.ANSWERED, usual=usual)) == "healthy proven"


def test_another_next_hop_is_a_detour_even_with_the_same_ttl():
    usual = msgspec.structs.replace(NORMAL, exits=("node1 eth0 02:00:00:00:00:01",))
    text = AND_BACK.replace("node1 >> SYN-ACK", "node1 >> SYN-ACK via 02:00:00:00:00:99")
    verdict = classify(story(text, State.ANSWERED, usual=usual))
    assert (verdict.label, verdict.confidence) == (Label.DETOUR, Confidence.LIKELY)
    assert "02:00:00:00:00:99" in verdict.sentence


@pytest.mark.parametrize("text", [AND_BACK, THERE, "firewall >> SYN", ""])
@pytest.mark.parametrize("deaf", [(), ("firewall",), ("node1",), tuple(EVERYBODY)])
def test_whatever_was_answered_passes(text, deaf):
    assert classify(story(text, State.ANSWERED, deaf=deaf)).label.passes


# -- the prober's own side ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "cause"),
    [(errno.ENETUNREACH, "L1"), (errno.EINVAL, "L1"), (errno.EHOSTUNREACH, "L1"), (errno.EACCES, "L1"),
    (errno.EPERM, "L2")],
)  # fmt: skip
def test_a_send_that_fails_is_local(error, cause):
    verdict = classify(story("", State.NOT_SENT, error=error))
    assert (verdict.label, verdict.cause) == (Label.LOCAL, cause)
    assert verdict.confidence != Confidence.PROVEN, "nobody at the target's side had a say"


def test_a_send_that_fails_for_want_of_memory_is_local_and_no_route_is_blamed():
    verdict = classify(story("", State.NOT_SENT, error=errno.ENOBUFS))
    assert (verdict.label, verdict.cause) == (Label.LOCAL, None) and "ENOBUFS" in verdict.sentence


def test_a_refusing_route_of_the_prober_is_named():
    route = Route("firewall", POD, prefix="10.4.0.0/16", type="blackhole", error="EINVAL")
    verdict = classify(story("", State.NOT_SENT, error=errno.EINVAL, routes=(route,)))
    assert "blackhole 10.4.0.0/16" in str(verdict.culprit)


def test_a_syn_that_never_left_the_watched_nic_is_local():
    assert said(story("")) == "local L3 likely"
    failed = Route("firewall", POD, prefix="0.0.0.0/0", via="10.19.0.1", dev="eth0", neighbour="FAILED")
    dead = classify(story("", routes=(failed,)))
    assert (dead.cause, str(dead.culprit)) == ("L3", "firewall: next hop 10.19.0.1 (FAILED)")
    alive = classify(story("", routes=(msgspec.structs.replace(failed, neighbour="REACHABLE 02:00:00:00:00:01"),)))
    assert (alive.label, alive.cause) == (Label.LOCAL, None), "the next hop is there: something else on the host has it"


def test_a_syn_whose_leaving_nobody_watched_is_not_called_local():
    assert said(story("", deaf=("firewall",))) == "ingress-drop F1 inferred"


# -- refused -----------------------------------------------------------------------------------------------------------


def test_a_closed_port_is_the_targets():
    assert said(story(AND_BACK.replace("SYN-ACK", "RST"), State.REFUSED)) == "target T1 proven"


def test_an_rst_of_the_node_for_its_pod_is_a_rules():
    text = "firewall >> SYN\nnode1 << SYN\nnode1 >> RST\nfirewall << RST ttl 62"
    assert said(story(text, State.REFUSED)) == "target T2 likely"


def test_an_rst_while_the_target_saw_no_syn_is_a_filters():
    text = "firewall >> SYN\nfirewall << RST ttl 64"
    assert said(story(text, State.REFUSED)) == "ingress-drop F2 likely"
    assert "RST ttl 64, the target's answers had 62" in classify(story(text, State.REFUSED)).evidence


@pytest.mark.parametrize(
    ("ttl", "usual", "expected"),
    [(62, NORMAL, "target T1 inferred"), (64, NORMAL, "ingress-drop F2 inferred"), (62, None, "unknown ambiguous")],
)
def test_whose_rst_it_is_that_nobody_watched_is_told_by_its_ttl(ttl, usual, expected):
    text = f"firewall >> SYN\nfirewall << RST ttl {ttl}"
    assert said(story(text, State.REFUSED, deaf=("node1",), usual=usual)) == expected


TWICE = "firewall >> SYN\nnode1 << SYN\nnode1 >> RST\nfirewall << RST ttl 62\n" * 2


def test_an_rst_that_came_once_may_be_an_older_sockets():
    """It takes the next SYN of its four-tuple for a broken peer, says so, and is gone: net/ipv4/tcp_minisocks.c."""
    once = "firewall >> SYN\nnode1 << SYN\nnode1 >> RST\nfirewall << RST ttl 62\nfirewall >> SYN"
    for state, then in ((State.ANSWERED, "was answered"), (State.REFUSED, "met nothing")):
        verdict = classify(story(once, state, error=REFUSED_ONCE, dst=NODE1))
        assert (verdict.label, verdict.cause, verdict.culprit) == (Label.UNKNOWN, None, None)
        assert f"the same SYN {then} when it was sent again" in verdict.sentence
        assert verdict.missing == ("whose RST it was that firewall heard",)


def test_an_rst_that_came_twice_is_a_refusal_even_where_the_target_answered_meanwhile():
    assert said(story(TWICE, State.REFUSED, dst=NODE1)) == "target T1 proven"
    injected = "firewall >> SYN\nfirewall << RST ttl 64\n" * 2
    assert said(story(injected, State.ANSWERED, error=REFUSED_ONCE)) == "ingress-drop F2 likely"


@pytest.mark.parametrize(
    ("state", "held", "spoilt"),
    [(State.ANSWERED, None, True), (State.REFUSED, 3.0, True), (State.REFUSED, None, False)],
)
def test_one_rst_touches_no_cell_where_the_target_answered_or_an_older_socket_is_known_of(state, held, spoilt):
    o = story("firewall >> SYN\nfirewall << RST ttl 62\nfirewall >> SYN", state, error=REFUSED_ONCE, held=held)
    assert is_spoilt(o, classify(o)) == spoilt


# -- silence -----------------------------------------------------------------------------------------------------------

STORIES = {
    "healthy": story(AND_BACK, State.ANSWERED), "incident": story(INCIDENT, routes=(WRONG,)),
    "loss": story(THERE, routes=(RIGHT,)), "filter": story("firewall >> SYN"),
    "closed": story(AND_BACK.replace("SYN-ACK", "RST"), State.REFUSED),
    "host": story(HOST, dst=NODE1), "astray": story("firewall >> SYN\nnode19 << SYN ttl 62"),
}  # fmt: skip


@pytest.mark.parametrize("name", STORIES)
def test_with_the_targets_agent_silent_nothing_is_proven_and_what_is_missing_is_said(name):
    o = hide(STORIES[name], "node1")
    o = msgspec.structs.replace(o, missing=("agent node1 is silent",))
    verdict = classify(o)
    assert verdict.confidence != Confidence.PROVEN
    assert "agent node1 is silent" in verdict.missing
    assert verdict.label != Label.UNKNOWN or "agent node1 is silent" in verdict.sentence


@pytest.mark.parametrize(("name", "agent"), list(product(STORIES, sorted(EVERYBODY))))
def test_a_silent_agent_never_makes_a_story_surer(name, agent):
    assert rank(hide(STORIES[name], agent)) <= rank(STORIES[name])


# -- anything at all ---------------------------------------------------------------------------------------------------


@given(observations())
@settings(max_examples=200, deadline=None)
def test_every_observation_gets_exactly_one_verdict_that_survives_json(o):
    verdict = classify(o)
    assert classify(o) == verdict
    assert msgspec.json.decode(msgspec.json.encode(verdict), type=type(verdict)) == verdict
    assert verdict.sentence.endswith((".", ")")) and "\n" not in verdict.sentence and "None" not in verdict.sentence
    assert verdict.label != Label.UNKNOWN or verdict.missing
    assert o.failed != verdict.label.passes


@given(observations())
@settings(max_examples=200, deadline=None)
def test_proven_means_packets_at_both_ends_and_a_culprit(o):
    verdict = classify(o)
    if verdict.confidence == Confidence.PROVEN:
        assert verdict.label == Label.HEALTHY or verdict.culprit
        assert any(one.agent in o.responders for one in o.seen)
        assert any(one.agent == o.source for one in o.seen)


@given(observations())
@settings(max_examples=200, deadline=None)
def test_a_misroute_has_positive_evidence(o):
    verdict = classify(o)
    if verdict.label == Label.RETURN_PATH_MISROUTE:
        told = o.saw(Kind.ICMP_SYN_ACK) or o.saw(Kind.RST)
        met = o.witnesses(Kind.SYN_ACK, Kind.REFUSAL) or o.saw(Kind.SYN_ACK, Kind.REFUSAL, way=IN, where=Where.POD)
        assert met or told or any(route.agent in o.responders for route in o.routes)


@given(observations(), st.sampled_from(list(Place)))
@settings(max_examples=200, deadline=None)
def test_no_rule_takes_not_watched_for_not_seen(o, place):
    blind = msgspec.structs.replace(o, places=o.places | {place: Sight.NOT_WATCHED})
    if o.at(place) == Sight.NOT_SEEN:
        assert rank(blind) <= rank(o)


# -- held against the truth --------------------------------------------------------------------------------------------

WORLDS = st.builds(
    World, st.sampled_from(sorted(DEATHS)), *[st.booleans()] * 6, st.lists(AGENTS, unique=True, max_size=3).map(tuple)
)


@given(WORLDS)
@settings(max_examples=300, deadline=None)
def test_no_world_is_told_wrong(world):
    o = world.observe()
    if o.asked.state == State.ANSWERED:
        assert classify(o).label == Label.HEALTHY
    elif "firewall" in world.deaf and world.death == "none":
        assert classify(o).label == Label.UNKNOWN, "its answer was there, and the prober deaf"
    else:
        assert classify(o).label.value in world.may_be, classify(o).sentence


@given(WORLDS)
@settings(max_examples=300, deadline=None)
def test_a_world_whose_target_is_silent_is_never_proven(world):
    o = hide(world.observe(), "node1")
    assert classify(o).confidence != Confidence.PROVEN


@given(WORLDS, AGENTS)
@settings(max_examples=300, deadline=None)
def test_a_silent_agent_never_makes_any_world_surer(world, agent):
    o = world.observe()
    assert rank(hide(o, agent)) <= rank(o), (classify(o), classify(hide(o, agent)))


ROUTED = World(
    "way back", pod=False, router=True, beyond=False, past=False, answers=True, specific=True, deaf=("firewall",)
)
"""A router on the way back, by a route that is meant for it, and no healthy past that knows it."""


@given(WORLDS, st.integers(0, 12))
@example(ROUTED, 0)
@settings(max_examples=300, deadline=None)
def test_a_packet_less_never_makes_any_world_surer(world, which):
    o = world.observe()
    if which < len(o.seen):
        assert rank(overlook(o, which)) <= rank(o), (classify(o), classify(overlook(o, which)))


@given(WORLDS)
@settings(max_examples=300, deadline=None)
def test_a_route_less_never_makes_any_world_surer(world):
    o = world.observe()
    for which in range(len(o.routes)):
        fewer = msgspec.structs.replace(o, routes=o.routes[:which] + o.routes[which + 1 :])
        assert rank(fewer) <= rank(o), (classify(o), classify(fewer))


@given(WORLDS)
@settings(max_examples=300, deadline=None)
def test_hiding_an_agent_may_lose_the_way_and_never_turns_it_round(world):
    """Forward stays forward or unknown, return stays return or unknown."""
    for agent in sorted(EVERYBODY - {"firewall"}):
        assert classify(hide(world.observe(), agent)).label.value in world.may_be | {"healthy"}


def test_where_no_rule_speaks_nothing_is_blamed():
    asked = story("").asked
    bare = Observation(1, "a", "b", asked, (), places(asked, "a", (), (), frozenset(), False, 1.0), names=NAMES)
    assert all(rule(bare) is None for rule in RULES[Reached.NOWHERE])
    assert classify(bare).label == Label.UNKNOWN


@pytest.mark.parametrize("reached", Reached)
def test_there_are_rules_for_however_far_it_came(reached):
    assert RULES[reached]
