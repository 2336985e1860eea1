"""An answer that left and went elsewhere: each verdict by the story it is told."""

from __future__ import annotations

import msgspec
import pytest

from prober.classify import classify
from prober.report import Route
from prober.verdict import Cause, Confidence, Label
from tests.stories import (
    FIREWALL,
    INCIDENT,
    NODE1,
    NORMAL,
    POD,
    RIGHT,
    THERE,
    WRONG,
    hide,
    said,
    story,
)


def test_the_incident_is_proven_and_its_route_is_named():
    verdict = classify(story(INCIDENT, routes=(WRONG,)))
    assert (verdict.label, verdict.cause) == (Label.RETURN_PATH_MISROUTE, Cause.R1B)
    assert verdict.confidence == Confidence.PROVEN
    assert str(verdict.culprit) == "node19: node1 routes 10.19.0.0/16 via 10.224.0.23 (node19)"
    assert "Firewall 10.19.0.0/24 lies inside node19's block 10.19.0.0/16." in verdict.sentence


def test_the_incident_where_the_node_drops_in_silence():
    hole = Route("node19", FIREWALL, POD, "eth0", prefix="10.19.0.0/16", type="blackhole", error="EINVAL")
    assert said(story(INCIDENT, routes=(WRONG, hole))) == "return-path-misroute R1b' proven"


def test_an_answer_that_reached_the_prober_after_all_was_kept_by_nobody():
    hole = Route("node19", FIREWALL, POD, "eth0", prefix="10.19.0.0/16", type="blackhole", error="EINVAL")
    for seen in (INCIDENT, INCIDENT + "    node19 >> SYN-ACK ttl 61\n"):
        text = seen + "    firewall << SYN-ACK ttl 61 after 1200\n"
        verdict = classify(story(text, routes=(RIGHT, hole), usual=None))
        assert verdict.label == Label.UNKNOWN, verdict


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


def test_an_impostor_answers_the_responder():
    text = THERE + "node1 << own RST ttl 62 unsealed"
    assert said(story(text, routes=(RIGHT,))) == "return-path-misroute R9 likely"
    assert said(story(text.replace(" unsealed", ""), routes=(RIGHT,))) == "return-path-loss R5 likely", "it is its own"


def test_an_impostor_pod_that_was_caught_is_r1c():
    assert said(story(INCIDENT + "node19/pod << SYN-ACK ttl 61", routes=(WRONG,))) == "return-path-misroute R1c proven"
    text = THERE + "node19/pod << SYN-ACK ttl 61"
    assert said(story(text, routes=(WRONG,))) == "return-path-misroute R1c proven"


TURNED = THERE.replace("node1 >> SYN-ACK\n", "node1 >> SYN-ACK via 02:00:00:00:00:08\n")
UNKNOWN = msgspec.structs.replace(WRONG, via="10.224.0.18")


def test_an_impostor_beyond_a_new_next_hop_is_a_pod_and_the_route_is_named():
    verdict = classify(story(TURNED + "node1 << own RST ttl 62 unsealed", routes=(UNKNOWN,)))
    assert (verdict.label, verdict.cause) == (Label.RETURN_PATH_MISROUTE, Cause.R1C)
    assert str(verdict.culprit) == "10.224.0.18: node1 routes 10.19.0.0/16 via 10.224.0.18"


def test_an_impostor_where_the_answer_went_as_always_lives_where_the_prober_does():
    text = THERE + "node1 << own RST ttl 62 unsealed"
    assert said(story(text, routes=(RIGHT,))) == "return-path-misroute R9 likely"
    assert said(story(text.replace("62", "127"), routes=(RIGHT,))) == "return-path-misroute R9 likely", "Windows"
    assert said(story(text, routes=(RIGHT,), usual=None)) == "return-path-misroute R1c likely", "nobody knows"


def test_an_rst_from_nearer_than_the_prober_on_the_usual_way_is_a_filters():
    text = THERE + "node1 << own RST ttl 64 unsealed"
    verdict = classify(story(text, routes=(RIGHT,)))
    assert (verdict.label, verdict.cause) == (Label.RETURN_PATH_LOSS, Cause.R5)
    assert "a filter on the way back refuses the SYN-ACK" in verdict.sentence
    assert said(story(text, routes=(RIGHT,), usual=None)) == "return-path-loss R5 likely", (
        "it went where the SYN came from"
    )
    turned = TURNED + "node1 << own RST ttl 64 unsealed"
    assert said(story(turned, routes=(UNKNOWN,))) == "return-path-misroute R1c likely", "it went another way"


def test_in_the_responders_own_subnet_the_impostors_mac_is_named():
    text = """
        firewall >> SYN
        node1 << SYN via 02:00:00:00:00:04
        node1 >> SYN-ACK via 02:00:00:00:00:66
        node1 << own RST ttl 64 via 02:00:00:00:00:66 unsealed
    """
    near = Route("node1", FIREWALL, NODE1, prefix="10.19.0.0/24", dev="eth0")
    verdict = classify(story(text, dst=NODE1, routes=(near,)))
    assert (verdict.cause, verdict.culprit.node) == (Cause.R9, "02:00:00:00:00:66")
    assert "RST ttl 64 from 02:00:00:00:00:66" in verdict.evidence


def test_an_answer_that_goes_into_a_pod_of_the_responders_own_node_is_no_filter_there():
    text = "firewall >> SYN\nnode1 << SYN\nnode1/pod << SYN-ACK on lxcidle"
    own = Route("node1", FIREWALL, NODE1, prefix="10.19.0.4/32", dev="lxcidle")
    verdict = classify(story(text, dst=NODE1, routes=(own,)))
    assert (verdict.label, verdict.cause) == (Label.RETURN_PATH_MISROUTE, Cause.R1C)
    assert str(verdict.culprit) == "node1: node1 routes 10.19.0.4/32 dev lxcidle"
    assert str(classify(story(text, dst=NODE1)).culprit) == "node1: a pod behind lxcidle has 10.19.0.4"
    assert said(story(text, dst=NODE1, deaf=("firewall",))) == "unknown ambiguous", "it may be the prober's own pod"


# -- round and round -------------------------------------------------------------------------------------------


ROUND = THERE + "".join(
    f"    node19 << SYN-ACK ttl {ttl}\n    node19 >> SYN-ACK ttl {ttl - 1}\n" for ttl in (62, 60, 58)
)
BACK = Route("node19", FIREWALL, POD, "eth0", prefix="10.19.0.4/32", via="10.224.0.1", dev="eth0")


def test_an_answer_that_a_witness_meets_again_and_again_goes_round():
    verdict = classify(story(ROUND, routes=(BACK,)))
    assert (verdict.label, verdict.cause, verdict.confidence) == (
        Label.RETURN_PATH_MISROUTE, Cause.R7, Confidence.PROVEN
    )  # fmt: skip
    assert str(verdict.culprit) == "node19: node19 routes 10.19.0.4/32 via 10.224.0.1"
    assert "node19 met it again and again, with TTL 62, 60, 58 …" in verdict.sentence


def test_a_witness_that_meets_it_twice_may_stand_on_two_paths():
    twice = THERE + "node19 << SYN-ACK ttl 62\nnode19 << SYN-ACK ttl 60"
    assert classify(story(twice, routes=(WRONG,))).cause == Cause.R1B


def test_time_exceeded_names_who_gave_it_up_and_what_ttl_the_quote_has():
    verdict = classify(story(f"{THERE}node1 << ICMP 11/0 of SYN-ACK from 10.224.0.1 ttl 1", routes=(RIGHT,)))
    assert str(verdict.culprit) == "10.224.0.1: ICMP 11/0 (quoted TTL 1): a loop"
    unsealed = f"{THERE}node1 << ICMP 11/0 of SYN-ACK from 10.224.0.1 unsealed"
    assert said(story(unsealed)) == "return-path-misroute R7 likely"


# -- without a witness -----------------------------------------------------------------------------------------


def test_a_new_next_hop_by_a_route_wider_than_the_probers_network_is_another_node():
    assert said(story(TURNED, routes=(UNKNOWN,))) == "return-path-misroute R1b likely"
    assert said(story(TURNED, routes=(UNKNOWN,), usual=None)) == "return-path-loss R5 likely"
    exact = msgspec.structs.replace(UNKNOWN, prefix="10.19.0.0/24")
    assert said(story(TURNED, routes=(exact,))) == "return-path-loss R3 likely"


def test_the_late_icmp_of_that_next_hop_proves_it():
    late = TURNED + "    node1 << ICMP 3/1 of SYN-ACK from 10.224.0.18 after 3070"
    verdict = classify(story(late, routes=(UNKNOWN,)))
    assert (verdict.cause, verdict.confidence) == (Cause.R1B, Confidence.PROVEN)
    assert "10.224.0.18 says ICMP 3/1" in verdict.sentence


def test_a_router_beyond_the_responder_is_at_fault_where_the_witness_holds_a_part_of_the_probers_network():
    half = Route("node19", FIREWALL, POD, "eth0", prefix="10.19.0.0/25", dev="pods0")
    verdict = classify(story(INCIDENT, routes=(RIGHT, half)))
    assert (verdict.cause, verdict.confidence) == (Cause.R1B, Confidence.LIKELY)
    assert str(verdict.culprit) == "node19: node19 routes 10.19.0.0/25 dev pods0"
    assert verdict.next_step.startswith("Who hands 10.19.0.4 to node19?")


def test_a_policy_rule_and_its_table_are_named_with_the_wrong_route():
    ruled = msgspec.structs.replace(WRONG, table="100", rule="rule 1000: from 10.4.0.0/16 lookup 100")
    expected = (
        "node19: node1 routes 10.19.0.0/16 via 10.224.0.23 table 100 (node19), rule 1000: from 10.4.0.0/16 lookup 100"
    )
    assert str(classify(story(INCIDENT, routes=(ruled,))).culprit) == expected


# -- in an overlay ---------------------------------------------------------------------------------------------


WRAPPED = THERE + "    node1 >> SYN-ACK within 10.224.0.4>10.224.0.23\n"
CAUGHT = WRAPPED + "    node19 << SYN-ACK within 10.224.0.4>10.224.0.23\n"


def test_an_answer_wrapped_for_another_node_names_that_node_though_the_route_is_clean():
    verdict = classify(story(CAUGHT, routes=(RIGHT,)))
    assert (verdict.label, verdict.cause, verdict.confidence) == (
        Label.RETURN_PATH_MISROUTE, Cause.R1B, Confidence.PROVEN
    )  # fmt: skip
    assert str(verdict.culprit) == "node19: node1 encapsulated the SYN-ACK to 10.224.0.23 (node19)"
    assert "node1's FIB says 0.0.0.0/0 via 10.224.0.1, and does not decide this" in verdict.sentence


def test_the_outer_address_alone_is_enough_where_it_is_new():
    text = WRAPPED.replace("10.224.0.23", "10.224.0.18")
    verdict = classify(story(text, routes=(RIGHT,)))
    assert (verdict.cause, verdict.confidence) == (Cause.R1B, Confidence.LIKELY)
    assert str(verdict.culprit) == "10.224.0.18: node1 encapsulated the SYN-ACK to 10.224.0.18"
    before = msgspec.structs.replace(NORMAL, exits=("node1 eth0 02:00:00:00:00:01 in a tunnel with 10.224.0.18",))
    assert said(story(text, routes=(RIGHT,), usual=before)) == "return-path-loss R5 likely", "it always went there"
    assert said(story(text, routes=(RIGHT,), usual=None)) == "return-path-loss R5 likely", "nobody knows"


def test_a_syn_that_came_by_another_tunnel_tells_without_a_healthy_past():
    text = CAUGHT.replace("node1 << SYN\n", "node1 << SYN\n    node1 << SYN within 10.224.0.5>10.224.0.4\n")
    verdict = classify(story(text, routes=(RIGHT,), usual=None))
    assert (verdict.cause, verdict.confidence) == (Cause.R1B, Confidence.LIKELY)
    assert "The SYN came by 10.224.0.5." in verdict.sentence
    back = text.replace("10.224.0.4>10.224.0.23", "10.224.0.4>10.224.0.5")
    assert said(story(back, routes=(RIGHT,), usual=None)).startswith("return-path-loss")


def test_a_node_that_a_tunnel_only_passes_has_caught_nothing():
    passing = (
        THERE + "node1 >> SYN-ACK within 10.224.0.4>10.224.0.5\n    node19 << SYN-ACK within 10.224.0.4>10.224.0.5"
    )
    before = msgspec.structs.replace(NORMAL, exits=("node1 eth0 02:00:00:00:00:01 in a tunnel with 10.224.0.5",))
    assert said(story(passing, routes=(RIGHT,), usual=before)) == "return-path-loss R5 likely"
