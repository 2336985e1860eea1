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
    NAMES,
    NODE1,
    NODE19,
    NORMAL,
    POD,
    RIGHT,
    THERE,
    WRONG,
    said,
    story,
)

# -- the answer stayed on the responder's node -------------------------------------------------------------------------


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


def test_strict_rp_filter_is_a_fault_of_the_way_back():
    other = Route("node1", FIREWALL, prefix="10.19.0.0/16", dev="eth1")
    moved = {"TcpExtIPReversePathFilter": 1}
    o = story("firewall >> SYN\nnode1 << SYN", routes=(other,), counters=moved)
    assert said(o) == "return-path-misroute T6 likely"


@pytest.mark.parametrize(
    ("device", "cause"),
    [
        ("docker0", "R1e"),
        ("br-0123456789ab", "R1e"),
        ("wg0", "R1e"),
        ("kube-ipvs0", "R1e"),
        ("tun3", "R1e"),
        ("pods0", "R1a"),
        ("cni0", "R1a"),
        ("cilium_host", "R1a"),
        ("br-lan", "R1a"),
        ("veth1", "R1a"),
        ("tunl0", "R1a"),
        ("cilium_wg0", "R1a"),
    ],
)
def test_the_device_tells_a_range_of_the_nodes_own_from_a_pod_block(device, cause):
    home = Route("node1", FIREWALL, POD, "veth", prefix="10.0.0.0/8", dev=device)
    assert said(story(THERE.replace("node1 >> SYN-ACK", ""), routes=(home,))) == f"return-path-misroute {cause} proven"


def test_a_policy_rule_that_refuses_by_itself_is_named():
    refused = Route(
        "node1", FIREWALL, POD, "veth", type="blackhole", error="EINVAL", rule="rule 9: from 10.4.0.0/16 blackhole"
    )
    verdict = classify(story(THERE.replace("node1 >> SYN-ACK", ""), routes=(refused,)))
    assert (verdict.cause, str(verdict.culprit)) == (Cause.R6, "node1: rule 9: from 10.4.0.0/16 blackhole")
    assert "`ip route get 10.19.0.4 from 10.4.76.34 iif veth`" in verdict.next_step


# -- one direction through a firewall that never saw the other -------------------------------------------------


ENTRY = msgspec.structs.replace(NORMAL, entries=("node1 eth0 02:00:00:00:00:01",))
PARTED = THERE.replace("node1 >> SYN-ACK\n", "node1 >> SYN-ACK via 02:00:00:00:00:08\n")
BY_B = Route("node1", FIREWALL, POD, "veth", prefix="10.19.0.0/24", via=NODE19, dev="eth0")


def test_a_watched_firewall_that_lets_an_answer_without_its_syn_go_no_further_is_named():
    onward = Route("node19", FIREWALL, POD, "eth0", prefix="10.19.0.0/24", dev="eth1")
    names = {**NAMES, "10.19.0.2": "node19"}
    text = PARTED + "    node19 << SYN-ACK ttl 62 via 02:00:00:00:00:0b"
    verdict = classify(story(text, routes=(BY_B, onward), names=names))
    assert (verdict.label, verdict.cause, verdict.confidence) == (
        Label.RETURN_PATH_LOSS, Cause.R3, Confidence.LIKELY
    )  # fmt: skip
    assert str(verdict.culprit) == "node19: got the SYN-ACK without its SYN and let it go no further"
    passed = story(text + "\nnode19 >> SYN-ACK ttl 61", routes=(BY_B, onward), names=names)
    assert str(classify(passed).culprit).startswith("node19: the SYN-ACK left to")


def test_a_router_with_a_way_on_by_another_interface_is_no_wrong_node():
    beyond = Route("node19", FIREWALL, POD, "eth0", prefix="10.19.0.0/16", via="10.99.0.1", dev="eth1")
    assert said(story(INCIDENT, routes=(WRONG, beyond))) == "return-path-loss R3 likely"
    hairpin = msgspec.structs.replace(beyond, dev="eth0")
    assert said(story(INCIDENT, routes=(WRONG, hairpin))) == "return-path-misroute R1b proven", "a node's only NIC"


def test_an_unwatched_firewall_is_told_by_the_neighbours():
    exact = msgspec.structs.replace(BY_B, via="10.224.0.2")
    verdict = classify(story(PARTED, routes=(exact,)))
    assert (verdict.label, verdict.cause) == (Label.RETURN_PATH_LOSS, Cause.R3)
    assert "10.224.0.2 (02:00:00:00:00:08)" in str(verdict.culprit)
    came = THERE.replace("node1 << SYN\n", "node1 << SYN via 02:00:00:00:00:02\n")
    assert said(story(came, routes=(RIGHT,), usual=ENTRY)) == "return-path-loss R3 likely", "the SYN's way is new"


def test_two_neighbours_that_were_two_when_all_was_well_are_no_asymmetry():
    came = THERE.replace("node1 << SYN\n", "node1 << SYN via 02:00:00:00:00:02\n")
    both = msgspec.structs.replace(NORMAL, entries=("node1 eth0 02:00:00:00:00:02",))
    assert said(story(came, routes=(RIGHT,), usual=both)) == "return-path-loss R5 likely"
    assert said(story(PARTED, routes=(RIGHT,), usual=None)) == "return-path-loss R5 likely", "nobody knows"


def test_the_legs_of_a_multipath_route_are_as_usual_as_each_other():
    legs = msgspec.structs.replace(BY_B, via="10.224.0.1,10.224.0.2")
    assert said(story(PARTED, routes=(legs,))) == "return-path-loss R5 likely"


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
    assert "rule between node1 and firewall that gives 10.4.76.34 another address" in verdict.next_step


def test_a_reply_that_goes_round_the_nat_of_its_syn_has_the_real_servers_address():
    text = THERE.replace("SYN-ACK", "SYN-ACK from 10.4.99.9") + "firewall << SYN-ACK from 10.4.99.9"
    verdict = classify(story(text, State.REWRITTEN))
    assert (verdict.cause, str(verdict.culprit)) == (Cause.R4, "source rewritten to 10.4.99.9")
    assert verdict.next_step.startswith("Whoever translated 10.4.76.34 to 10.4.99.9 must see the reply")
