"""A SYN that was lost on its way in: each verdict by the story it is told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from prober.classify import classify
from prober.observation import Observation, Usual
from prober.report import Route
from prober.verdict import Cause, Confidence, Label
from tests.stories import (
    FIREWALL,
    LB,
    NAMES,
    NODE1,
    NODE2,
    NODE19,
    NORMAL,
    POD,
    THERE,
    hide,
    said,
    story,
)

# -- the SYN never arrived ---------------------------------------------------------------------------------------------


def test_a_syn_that_left_and_never_came_is_dropped_on_its_way():
    assert said(story("firewall >> SYN")) == "ingress-drop F1 likely"
    assert said(story("firewall >> SYN", deaf=("node1",))) == "unknown ambiguous"


def test_a_syn_in_the_hands_of_a_wrong_node():
    o = story("firewall >> SYN\nnode19 << SYN ttl 62")
    assert said(o) == "ingress-drop F9 likely"
    assert said(hide(o, "node1")) == "ingress-drop F9 inferred"


def test_the_usual_forwarder_of_a_syn_is_no_wrong_node():
    usual = msgspec.structs.replace(NORMAL, forwarders=("node19",))
    verdict = classify(story("firewall >> SYN\nnode19 << SYN ttl 62", usual=usual))
    assert (verdict.label, verdict.cause) == (Label.INGRESS_DROP, Cause.F1) and "node19 saw it last" in verdict.sentence


@pytest.mark.parametrize(
    ("code", "after", "cause"),
    [("3/0", 1, "F3"), ("3/1", 1, "F4"), ("3/1", 3070, "F6"), ("3/13", 1, "F2"), ("3/10", 1, "F2")],
)
def test_an_icmp_error_to_the_prober_names_the_hop(code, after, cause):
    o = story(f"firewall >> SYN\nfirewall << ICMP {code} of SYN from 10.19.0.1 after {after}")
    assert said(o) == f"ingress-drop {cause} likely"
    assert said(hide(o, "node1")) == f"ingress-drop {cause} inferred"
    assert "10.19.0.1" in str(classify(o).culprit)


def test_a_load_balancer_that_got_the_syn_is_named():
    text = "firewall >> SYN\nlb << SYN ttl 63\nlb >> SYN ttl 62 to 10.4.76.34"
    verdict = classify(story(text, dst=LB, pod="", through=("lb",)))
    assert (verdict.label, verdict.cause, verdict.confidence) == (Label.INGRESS_DROP, Cause.F8, Confidence.LIKELY)
    assert "lb, which sent it on to 10.4.76.34" in verdict.sentence


def test_a_router_tells_the_load_balancer():
    text = "firewall >> SYN\nlb << SYN\nlb >> SYN\nlb << ICMP 3/0 of SYN from 10.224.1.1"
    assert said(story(text, dst=LB, pod="", through=("lb",))) == "ingress-drop F3 likely"


def test_behind_a_nat_the_address_that_the_responder_saw_is_the_one_that_matters():
    text = THERE.replace("node1", "node1").replace("SYN\n", f"SYN from {LB}\n") + "node19 << SYN-ACK ttl 62"
    wrong = Route("node1", LB, POD, "veth", prefix="10.224.0.0/16", via=NODE19, dev="eth0")
    verdict = classify(story(text, dst=LB, pod=POD, through=("lb",), routes=(wrong,)))
    assert verdict.label == Label.RETURN_PATH_MISROUTE
    assert "10.224.1.4 lies inside node19's block" in verdict.sentence and "Firewall 10.19" not in verdict.sentence


# -- routers, and the prober's own node --------------------------------------------------------------------------------

PASSED = Usual(62, NORMAL.exits, (), ("node2",), NORMAL.watched)
"""The cell when it was healthy: node2 is a router on the way in."""


def test_a_router_whose_own_routing_table_refuses_the_target():
    text = "firewall >> SYN\nnode2 << SYN ttl 63"
    for kind, error, cause in (("blackhole", "EINVAL", "F4"), ("prohibit", "EACCES", "F4"), ("", "ENETUNREACH", "F3")):
        wrong = Route("node2", POD, FIREWALL, "eth0", "10.4.0.0/16" if kind else "", type=kind, error=error)
        verdict = classify(story(text, routes=(wrong,), usual=PASSED))
        assert (verdict.label, verdict.cause, verdict.confidence) == (Label.INGRESS_DROP, cause, Confidence.LIKELY)
        assert verdict.culprit and verdict.culprit.node == "node2"
    fine = Route("node2", POD, FIREWALL, "eth0", "10.4.0.0/16", via=NODE1, dev="eth0")
    assert said(story(text, routes=(fine,), usual=PASSED)) == "ingress-drop F1 likely"
    passed = story(text + "\nnode2 >> SYN ttl 62", routes=(wrong,), usual=PASSED)
    assert said(passed) == "ingress-drop F1 likely", "it passed the SYN on, whatever its table says now"


def test_a_prohibit_route_is_told_from_a_rule_by_the_routers_own_table():
    text = f"firewall >> SYN\nnode2 << SYN ttl 63\nfirewall << ICMP 3/13 of SYN from {NODE2}"
    prohibit = Route("node2", POD, FIREWALL, "eth0", "10.4.0.0/16", type="prohibit", error="EACCES")
    assert said(story(text, usual=PASSED)) == "ingress-drop F2 likely"
    assert said(story(text, usual=PASSED, routes=(prohibit,))) == "ingress-drop F4 likely"


CALLER = "10.5.12.20"
"""A prober that is a pod of node2's."""
AT_HOME = "caller >> SYN\nnode2/pod >> SYN"


def from_a_pod(text: str, **more: Any) -> Observation:
    names = {**NAMES, CALLER: "caller"}
    return story(text, source="caller", src=CALLER, names=names, home="node2", **more)


def test_an_egress_policy_on_the_probers_own_node():
    o = from_a_pod(AT_HOME)
    assert said(o) == "ingress-drop F10 likely"
    assert "node2" in str(classify(o).culprit)
    unwatched = said(from_a_pod(AT_HOME, deaf=("node1",)))
    assert unwatched == "ingress-drop F10 inferred", "it may have left in a way that no tap shows"
    assert said(from_a_pod(AT_HOME + "\nnode2 >> SYN")) == "ingress-drop F1 likely", "it left the node"
    assert said(from_a_pod("caller >> SYN", deaf=("node2",))) == "ingress-drop F1 likely", "nobody watched the node"
    assert said(from_a_pod("caller >> SYN")) == "ingress-drop F1 likely", "the node never had it"


def test_the_probers_own_node_has_no_way_on():
    gone = Route("node2", POD, prefix="", type="", error="ENETUNREACH")
    dead = Route("node2", POD, prefix="0.0.0.0/0", via="10.224.0.1", dev="eth0", neighbour="FAILED")
    assert said(from_a_pod(AT_HOME, routes=(gone,))) == "ingress-drop F3 likely"
    assert said(from_a_pod(AT_HOME, routes=(dead,))) == "ingress-drop F6 likely"
