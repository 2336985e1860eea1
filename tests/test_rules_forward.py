"""A SYN that was lost on its way in or never answered: each verdict by the story it is told."""

from __future__ import annotations

import msgspec
import pytest

from prober.classify import classify
from prober.report import Route
from prober.verdict import Cause, Confidence, Label
from tests.stories import (
    HOST,
    LB,
    NODE1,
    NODE19,
    NORMAL,
    POD,
    RIGHT,
    THERE,
    hide,
    said,
    story,
)

# -- the SYN arrived and nothing left ----------------------------------------------------------------------------------


def test_a_syn_that_never_gets_from_the_node_to_its_pod():
    o = story("firewall >> SYN\nnode1 << SYN")
    assert said(o) == "ingress-drop likely"
    for code, cause in (("3/1", "F7"), ("3/13", "T5")):
        text = f"firewall >> SYN\nnode1 << SYN\nfirewall << ICMP {code} of SYN from {NODE1} after 3100"
        assert said(story(text)) == f"ingress-drop {cause} likely"


def test_a_pod_that_swallows_the_syn_is_inferred_for_nobody_looks_inside():
    assert said(story("firewall >> SYN\nnode1 << SYN\nnode1/pod << SYN")) == "ingress-drop T4 inferred"


def test_a_host_that_swallows_the_syn():
    assert said(story(HOST, dst=NODE1, routes=(RIGHT,))) == "ingress-drop T4 likely"
    assert said(story(HOST, dst=NODE1)) == "unknown ambiguous", "a host without a way back takes no SYN either"
    assert said(story(HOST, dst=NODE1, counters={"TcpExtListenOverflows": 2})) == "target T3 likely"
    assert said(story(HOST, dst=NODE1, counters={"IpOutNoRoutes": 1})) == "return-path-loss T8 likely"
    assert said(story(HOST + "\nnode1/stack << SYN", dst=NODE1)) == "return-path-loss likely"


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
