"""A SYN that came to the target's node or host and was not answered, or was refused: each verdict by its story."""

from __future__ import annotations

from typing import Any

import pytest

from prober.classify import classify
from prober.handshake import State
from prober.report import Route
from prober.verdict import Cause, Confidence, Label
from tests.stories import FIREWALL, HOST, LB, NAMES, NODE1, POD, RIGHT, said, story

AT_NODE = "firewall >> SYN\nnode1 << SYN"
IN_POD = AT_NODE + "\nnode1/pod << SYN"
NAMED = {**NAMES, POD: "app"}
INSIDE = {"names": NAMED, "pod": POD, "responders": ("node1", "app"), "inner": "app"}
"""An agent lives in the target's pod, beside its node's."""
BACK = Route("app", FIREWALL, POD, "", "0.0.0.0/0", "169.254.1.1", "eth0")


def to_pod(**more: str) -> Route:
    return Route("node1", POD, **{"dev": "lxcingress", "prefix": f"{POD}/32", **more})


# -- at the node's NIC, and at no pod ----------------------------------------------------------------------------------


def test_a_syn_that_never_gets_from_the_node_to_its_pod():
    assert said(story(AT_NODE)) == "ingress-drop likely"
    for code, cause in (("3/1", "F7"), ("3/13", "T5")):
        text = f"{AT_NODE}\nfirewall << ICMP {code} of SYN from {NODE1} after 3100"
        assert said(story(text)) == f"ingress-drop {cause} likely"


def test_a_node_whose_rp_filter_dropped_something_is_not_said_to_hold_the_syn_by_a_policy():
    """Its way back may have been wrong, and mended before it was asked for."""
    moved = {"TcpExtIPReversePathFilter": 1}
    assert said(story(AT_NODE, counters=moved)) == "unknown ambiguous"
    text = f"{AT_NODE}\nfirewall << ICMP 3/13 of SYN from {NODE1} after 3100"
    assert said(story(text, counters=moved)) == "ingress-drop T5 likely"


def test_a_node_that_sends_the_syn_back_out_has_no_such_pod():
    assert said(story(AT_NODE + "\nnode1 >> SYN ttl 61")) == "ingress-drop F7 likely"


@pytest.mark.parametrize(
    ("route", "cause"),
    [
        (to_pod(), "T5"),
        (to_pod(prefix="10.4.0.0/16", dev="pods0", neighbour="FAILED"), "F7"),
        (to_pod(prefix="10.4.0.0/16", dev="pods0", neighbour="INCOMPLETE"), "F7"),
        (to_pod(prefix="0.0.0.0/0", dev="eth0", via="10.224.0.1"), "F7"),
        (to_pod(prefix="10.4.0.0/16", dev="", type="blackhole", error="EINVAL"), "F7"),
        (to_pod(prefix="10.4.0.0/16", dev="cni0", neighbour="REACHABLE 02:00:00:00:00:01"), ""),
    ],
    ids=["its own route", "neighbour failed", "neighbour asked for", "elsewhere", "blackhole", "a bridge"],
)
def test_the_nodes_way_to_the_pod_tells_a_policy_from_a_pod_that_is_gone(route: Route, cause: str):
    assert said(story(AT_NODE, routes=(route,))).split() == ["ingress-drop", *([cause] if cause else []), "likely"]


def test_a_full_connection_tracking_table_on_constructed_evidence():
    """T7: the kernel's limit is the host's, so no lab can bring it about; the counter is made up here."""
    full = {"ConntrackFull": 4}
    assert said(story(AT_NODE, counters=full)) == "ingress-drop T7 likely"
    assert said(story(HOST, dst=NODE1, counters=full, routes=(RIGHT,))) == "ingress-drop T7 likely"
    assert said(story("firewall >> SYN", counters=full)) == "ingress-drop F1 likely", "it never came to that node"


# -- in the host or the pod, and nothing left --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "more"),
    [
        (IN_POD + "\nnode1/pod >> bare ACK\nnode1 >> bare ACK\nfirewall << bare ACK ttl 62", {}),
        (IN_POD + "\nnode1/pod >> bare ACK\nnode1 >> bare ACK", {}),
        (IN_POD, {"held": 31.5}),
        ("firewall >> SYN\nfirewall << bare ACK ttl 62", {"deaf": ("node1",)}),
        ("firewall >> SYN\nfirewall << bare ACK ttl 62", {"responders": ()}),
    ],
    ids=["it came back", "it left", "not seen, for the kernel sends two a second", "nobody watches", "no agent there"],
)
def test_a_syn_that_met_the_socket_of_an_earlier_one_says_nothing_of_the_cell(text: str, more: dict[str, Any]):
    verdict = classify(story(text, answering=("lb",), **more))
    assert (verdict.label, verdict.cause, verdict.culprit) == (Label.UNKNOWN, None, None)
    assert "an earlier SYN from source port 61440 had left half-open" in verdict.sentence
    assert ("both ways carried packets" in verdict.sentence) == ("firewall <<" in text)
    assert any("source port 61440 was not free" in one for one in verdict.missing)


def test_a_host_that_has_the_older_socket_in_its_table_is_not_said_to_have_lost_an_answer():
    text = HOST + "\nnode1/stack << SYN"
    assert said(story(text, dst=NODE1)) == "return-path-loss likely"
    assert said(story(text, dst=NODE1, held=2.0)) == "unknown ambiguous"


def test_once_the_syn_was_answered_all_the_same_what_was_held_before_says_nothing():
    text = IN_POD + "\nnode1/pod >> bare ACK\nnode1/pod >> SYN-ACK\nnode1 >> SYN-ACK"
    assert said(story(text, held=3.0)) == said(story(IN_POD + "\nnode1/pod >> SYN-ACK\nnode1 >> SYN-ACK"))


def test_a_host_that_swallows_the_syn():
    assert said(story(HOST, dst=NODE1, routes=(RIGHT,))) == "ingress-drop T4 likely"
    assert said(story(HOST, dst=NODE1)) == "unknown ambiguous", "a host without a way back takes no SYN either"
    assert said(story(HOST, dst=NODE1, counters={"TcpExtListenOverflows": 2})) == "target T3 likely"
    assert said(story(HOST, dst=NODE1, counters={"IpOutNoRoutes": 1})) == "return-path-loss T8 likely"
    assert said(story(HOST + "\nnode1/stack << SYN", dst=NODE1)) == "return-path-loss likely"


def test_a_host_whose_way_back_is_known_only_from_after_the_probe_is_not_said_to_filter():
    """The heal of a missing route, between the probe and the question."""
    verdict = classify(story(HOST, dst=NODE1, routes=(RIGHT,), steady=()))
    assert verdict.label == Label.UNKNOWN
    assert "firewall" in verdict.sentence and "no route back" in verdict.sentence
    assert verdict.missing == ("node1's route back while the probe was under way",)
    for counter in ("IpOutNoRoutes", "TcpExtIPReversePathFilter"):
        assert said(story(HOST, dst=NODE1, routes=(RIGHT,), counters={counter: 1})) == "unknown ambiguous"
    assert said(story(IN_POD, routes=(BACK,), **INSIDE, steady=())) == "unknown ambiguous"


def test_a_taken_syn_whose_answer_finds_no_next_hop():
    dead = Route("node1", FIREWALL, NODE1, "", "0.0.0.0/0", "10.224.0.1", "eth0", neighbour="FAILED")
    verdict = classify(story(HOST + "\nnode1/stack << SYN", dst=NODE1, routes=(dead,)))
    assert verdict.label == Label.RETURN_PATH_LOSS
    assert "10.224.0.1 does not answer ARP" in verdict.sentence


def test_a_pod_into_which_nobody_looks_is_inferred_only_where_it_answers_others():
    verdict = classify(story(IN_POD, answering=("lb", "remote")))
    assert (verdict.label, verdict.cause, verdict.confidence) == (Label.INGRESS_DROP, Cause.T4, Confidence.INFERRED)
    assert "while it answered lb, remote" in verdict.sentence
    alone = classify(story(IN_POD))
    assert (alone.label, alone.cause) == (Label.UNKNOWN, None), "a full queue, a rule or a missing route: all three fit"
    assert "accept queue" in alone.sentence and "no route back" in alone.sentence
    assert alone.missing == (f"what happens inside pod {POD}",)


def test_with_an_agent_inside_the_pod_each_has_its_name():
    assert said(story(IN_POD, counters={"TcpExtListenOverflows": 1}, **INSIDE)) == "target T3 likely"
    gone = Route("app", FIREWALL, POD, type="", error="ENETUNREACH")
    assert said(story(IN_POD, routes=(gone,), **INSIDE)) == "return-path-loss T8 likely"
    assert said(story(IN_POD, routes=(BACK,), **INSIDE)) == "ingress-drop T4 likely"
    assert said(story(IN_POD + "\napp/stack << SYN", routes=(BACK,), **INSIDE)) == "return-path-loss likely"
    assert said(story(IN_POD, **INSIDE)) == "unknown ambiguous"


# -- somebody refused it there -----------------------------------------------------------------------------------------

REFUSED = "firewall >> SYN\nnode1 << SYN\nnode1 >> RST\nfirewall << RST ttl 62"


def test_a_listener_tells_a_rule_from_a_closed_port():
    def listens(there: bool) -> Route:
        return Route("node1", NODE1, type="", table="", port=8080, listening=there)

    assert said(story(REFUSED, State.REFUSED, dst=NODE1, routes=(listens(True),))) == "target T2 likely"
    closed = classify(story(REFUSED, State.REFUSED, dst=NODE1, routes=(listens(False),)))
    assert (closed.cause, closed.confidence) == (Cause.T1, Confidence.PROVEN)
    assert "Nothing listens there." in closed.sentence
    open_question = classify(story(REFUSED, State.REFUSED, dst=NODE1))
    assert "or a rule there says so" in open_question.sentence


def test_a_load_balancer_that_answers_for_its_backend():
    text = "firewall >> SYN\nlb << SYN ttl 63\nlb >> RST\nfirewall << RST ttl 63"
    verdict = classify(story(text, State.REFUSED, dst=LB, pod="", through=("lb",)))
    assert (verdict.label, verdict.cause, verdict.confidence) == (Label.TARGET, Cause.F8, Confidence.LIKELY)
    assert "handed it to no backend" in verdict.sentence
    onward = text.replace("lb >> RST", "lb >> SYN ttl 62\nlb << RST\nlb >> RST")
    assert classify(story(onward, State.REFUSED, dst=LB, pod="", through=("lb",))).cause != Cause.F8
