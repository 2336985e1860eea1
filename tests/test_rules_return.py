"""An answer that left and did not come back: each verdict by the story it is told."""

from __future__ import annotations

import msgspec
import pytest

from prober.classify import classify
from prober.handshake import State
from prober.report import Route
from prober.verdict import Cause, Confidence, Label
from tests.stories import (
    AND_BACK,
    FIREWALL,
    HOST,
    INCIDENT,
    NODE1,
    NODE19,
    NORMAL,
    POD,
    RIGHT,
    THERE,
    WRONG,
    hide,
    said,
    story,
)

# -- the answer went elsewhere -----------------------------------------------------------------------------------------


def test_the_incident_is_proven_and_its_route_is_named():
    verdict = classify(story(INCIDENT, routes=(WRONG,)))
    assert (verdict.label, verdict.cause) == (Label.RETURN_PATH_MISROUTE, Cause.R1B)
    assert verdict.confidence == Confidence.PROVEN
    assert str(verdict.culprit) == "node19: node1 routes 10.19.0.0/16 via 10.224.0.23 (node19)"
    assert "Firewall 10.19.0.0/24 lies inside node19's block 10.19.0.0/16." in verdict.sentence


def test_the_incident_where_the_node_drops_in_silence():
    hole = Route("node19", FIREWALL, POD, "eth0", prefix="10.19.0.0/16", type="blackhole", error="EINVAL")
    assert said(story(INCIDENT, routes=(WRONG, hole))) == "return-path-misroute R1b' proven"


def test_a_closed_port_in_the_incident_is_the_incident():
    text = INCIDENT.replace("SYN-ACK", "RST")
    assert said(story(text, routes=(WRONG,))) == "return-path-misroute R1b proven"


def test_the_wrong_route_may_be_a_routers_and_then_the_responders_route_is_not_blamed():
    claims = Route("node19", FIREWALL, POD, "eth0", prefix="10.19.0.0/16", dev="pods0")
    verdict = classify(story(INCIDENT, routes=(RIGHT, claims)))
    assert (verdict.label, verdict.confidence) == (Label.RETURN_PATH_MISROUTE, Confidence.PROVEN)
    assert str(verdict.culprit) == "node19: node19 routes 10.19.0.0/16 dev pods0"


def test_a_witness_alone_is_likely_at_most():
    assert said(hide(story(INCIDENT, routes=(WRONG,)), "node1")) == "return-path-misroute likely"


def test_a_witness_without_a_healthy_past_and_without_a_wrong_route_may_be_an_ordinary_router():
    verdict = classify(story(INCIDENT, usual=None))
    assert (verdict.label, str(verdict.culprit)) == (Label.RETURN_PATH_LOSS, "node19: saw the SYN-ACK last")
    assert said(hide(story(INCIDENT, usual=None), "node1")) == "return-path-loss inferred"
    assert said(story(INCIDENT, usual=None, routes=(WRONG,))) == "return-path-misroute R1b likely"


def test_a_healed_route_that_is_asked_too_late_is_not_blamed():
    verdict = classify(story(INCIDENT, routes=(RIGHT,)))
    assert verdict.label == Label.RETURN_PATH_MISROUTE and "0.0.0.0/0" not in str(verdict.culprit)
    assert verdict.confidence == Confidence.LIKELY


@pytest.mark.parametrize("also", ["witnesses", "forwarders"])
def test_the_usual_forwarder_is_no_wrong_node(also):
    usual = msgspec.structs.replace(NORMAL, **{also: ("node19",)})
    specific = msgspec.structs.replace(WRONG, prefix="10.19.0.0/24")
    verdict = classify(story(INCIDENT, usual=usual, routes=(specific,)))
    assert (verdict.label, verdict.confidence) == (Label.RETURN_PATH_LOSS, Confidence.LIKELY)
    assert "node19 saw it last" in verdict.sentence


def test_a_forwarder_that_carried_this_very_syn_is_no_wrong_node():
    text = INCIDENT.replace("node1 << SYN\n", "node19 << SYN ttl 63\n    node1 << SYN ttl 62\n")
    assert said(story(text, usual=None)).startswith("return-path-loss R5")


def test_a_forwarder_that_passed_it_on_is_no_wrong_node_where_nothing_else_says_so():
    assert said(story(INCIDENT + "node19 >> SYN-ACK ttl 61", usual=None)).startswith("return-path-loss R5")


def test_the_incident_found_by_the_route_alone_is_likely():
    assert said(story(THERE, routes=(WRONG,))) == "return-path-misroute R1b likely"


def test_the_incident_without_a_witness_is_proven_by_the_nodes_late_icmp():
    text = THERE + "node1 << ICMP 3/1 of SYN-ACK from 10.224.0.23 after 3070"
    assert said(story(text, routes=(WRONG,))) == "return-path-misroute R1b proven"


def test_a_specific_route_through_an_ordinary_router_is_no_misroute():
    ordinary = msgspec.structs.replace(WRONG, via="10.224.0.1")
    assert said(story(THERE, routes=(ordinary,))) == "return-path-loss R5 likely"
    rejected = THERE + "node1 << ICMP 3/13 of SYN-ACK from 10.224.0.1"
    assert said(story(rejected, routes=(ordinary,))) == "return-path-loss R5 proven"


def test_an_overlap_on_the_responders_own_node_is_proven():
    home = Route("node1", FIREWALL, POD, "veth", prefix="10.19.0.0/16", dev="pods0")
    text = THERE.replace("node1 >> SYN-ACK", "")
    assert said(story(text, routes=(home,))) == "return-path-misroute R1a proven"
    exact = msgspec.structs.replace(home, prefix="10.19.0.0/24")
    assert said(story(text, routes=(exact,))) == "return-path-misroute R1a proven", "replies used to leave by eth0"
    assert said(story(text, routes=(exact,), usual=None)) == "return-path-misroute R1a likely"


def test_a_second_interface_to_the_probers_own_network_is_no_overlap():
    usual = msgspec.structs.replace(NORMAL, exits=("node1 eth1 02:00:00:00:00:01",))
    home = Route("node1", FIREWALL, POD, "veth", prefix="10.19.0.0/24", dev="eth1")
    assert said(story(THERE.replace("node1 >> SYN-ACK", ""), routes=(home,), usual=usual)) == "return-path-loss likely"


def test_a_hosts_own_filter_is_not_mistaken_for_an_overlap():
    home = Route("node1", FIREWALL, NODE1, prefix="10.19.0.0/16", dev="eth1")
    o = story("firewall >> SYN\nnode1 << SYN", dst=NODE1, routes=(home,))
    assert said(o) == "ingress-drop T4 likely"


def test_a_half_open_socket_that_an_error_ended_at_once_is_still_an_overlap():
    home = Route("node1", FIREWALL, NODE1, prefix="10.19.0.0/16", dev="pods0")
    told = f"{HOST}\nnode1 << ICMP 3/1 of SYN-ACK from {NODE1} after 2"
    assert said(story(told, dst=NODE1, routes=(home,))) == "return-path-misroute R1a proven"


def test_an_impostor_answers_the_responder():
    text = THERE + "node1 << own RST ttl 62 unsealed"
    assert said(story(text, routes=(RIGHT,))) == "return-path-misroute R1c likely"
    assert said(story(text.replace(" unsealed", ""), routes=(RIGHT,))) == "return-path-loss R5 likely", "it is its own"


def test_an_impostor_pod_that_was_caught_is_r1c():
    assert said(story(INCIDENT + "node19/pod << SYN-ACK ttl 61", routes=(WRONG,))) == "return-path-misroute R1b proven"
    text = THERE + "node19/pod << SYN-ACK ttl 61"
    assert said(story(text, routes=(WRONG,))) == "return-path-misroute R1c proven"


def test_strict_rp_filter_is_a_fault_of_the_way_back():
    other = Route("node1", FIREWALL, prefix="10.19.0.0/16", dev="eth1")
    moved = {"TcpExtIPReversePathFilter": 1}
    o = story("firewall >> SYN\nnode1 << SYN", routes=(other,), counters=moved)
    assert said(o) == "return-path-misroute T6 likely"


# -- the answer was lost on its way back -------------------------------------------------------------------------------


def test_an_answer_that_left_the_right_way_and_never_came_is_lost():
    assert said(story(THERE, routes=(RIGHT,))) == "return-path-loss R5 likely"


def test_a_prober_whose_tap_was_deaf_cannot_say_that_no_answer_came():
    assert said(story(THERE, deaf=("firewall",), routes=(RIGHT,))) == "unknown ambiguous"


@pytest.mark.parametrize(
    ("kind", "cause"), [("blackhole", "R6"), ("unreachable", "R6"), ("prohibit", "R6"), ("", "R2")]
)
def test_no_way_back_is_loss_and_the_route_is_named(kind, cause):
    prefix = "10.19.0.0/24" if kind else ""
    route = Route("node1", FIREWALL, POD, "veth", prefix=prefix, type=kind, error="" if kind else "ENETUNREACH")
    assert said(story(THERE.replace("node1 >> SYN-ACK", ""), routes=(route,))) == f"return-path-loss {cause} proven"
    assert said(story("firewall >> SYN\nnode1 << SYN", routes=(route,))) == f"return-path-loss {cause} likely"


def test_a_question_that_the_kernel_refused_is_no_missing_route():
    route = Route("node1", FIREWALL, POD, "gone0", type="", error="ENODEV")
    assert said(story(THERE.replace("node1 >> SYN-ACK", ""), routes=(route,))) == "return-path-loss likely"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("3/0", "return-path-loss R2 proven"), ("3/13", "return-path-loss R5 proven"),
        ("3/3", "return-path-loss R5 proven"),
        ("11/0", "return-path-misroute R7 proven"), ("3/4", "return-path-loss R5 likely"),
    ],
)  # fmt: skip
def test_an_icmp_error_to_the_responder_says_where_its_answer_ended(code, expected):
    assert said(story(f"{THERE}node1 << ICMP {code} of SYN-ACK from 10.224.0.1", routes=(RIGHT,))) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("1/0", "return-path-loss R2 proven"), ("1/1", "return-path-loss R5 proven"),
        ("1/4", "return-path-loss R5 proven"),
        ("3/0", "return-path-misroute R7 proven"), ("2/0", "return-path-loss R5 likely"),
    ],
)  # fmt: skip
def test_icmpv6_numbers_mean_other_things(code, expected):
    names = {"fd00:19::4": "firewall", "fd00:224::4": "node1"}
    text = f"{THERE}node1 << ICMP {code} of SYN-ACK from fd00:224::1"
    o = story(text, src="fd00:19::4", dst="fd00:4::34", names=names, subnet="firewall fd00:19::/64")
    assert said(o) == expected


def test_an_unsealed_icmp_error_proves_nothing():
    assert said(story(f"{THERE}node1 << ICMP 3/13 of SYN-ACK from 10.224.0.1 unsealed")) == "return-path-loss R5 likely"


def test_a_late_host_unreachable_of_a_node_off_the_way_is_the_incident():
    late = f"{THERE}node1 << ICMP 3/1 of SYN-ACK from {NODE19} after 3070"
    assert said(story(late, routes=(RIGHT,))) == "return-path-misroute R1b likely"
    gateway = f"{THERE}node1 << ICMP 3/1 of SYN-ACK from 10.224.0.1 after 3070"
    assert said(story(gateway, routes=(RIGHT,))) == "return-path-loss likely"


def test_an_answer_that_came_too_late_is_not_the_probers_fault():
    late = AND_BACK + "node1 >> SYN-ACK"
    assert said(story(late)) == "return-path-loss likely", "one of two came"
    assert said(story(AND_BACK)) == "unknown ambiguous"


def test_a_reply_from_another_address_is_lost_to_a_nat():
    text = THERE + "firewall << SYN-ACK from 10.224.0.4"
    verdict = classify(story(text, State.REWRITTEN))
    assert (verdict.label, verdict.cause) == (Label.RETURN_PATH_LOSS, Cause.R4)
    assert "10.224.0.4" in verdict.sentence
