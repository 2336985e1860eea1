"""Whose routing table is asked about a failed probe, and what."""

from __future__ import annotations

from prober.probe import Kind
from prober.questions import early, questions
from prober.report import Question
from prober.segment import IN, OUT
from prober.sighting import Where
from tests.fleet import saw
from tests.stories import FIREWALL, NAMES, NODE1, NODE19, POD, THERE, story


def test_a_pods_answer_is_asked_for_as_its_node_would_forward_it():
    asked = list(questions(story(THERE)))
    assert asked == [("node1", Question(FIREWALL, POD, "veth")), ("firewall", Question(POD))]


def test_a_node_that_kept_the_syn_is_asked_for_its_way_to_the_pod():
    asked = list(questions(story("firewall >> SYN\nnode1 << SYN")))
    assert ("node1", Question(POD)) in asked
    assert ("node1", Question(FIREWALL)) in asked


def test_a_host_is_asked_whether_anything_listens():
    asked = list(questions(story("firewall >> SYN\nnode1 << SYN", dst=NODE1)))
    assert ("node1", Question(FIREWALL, NODE1)) in asked
    assert ("node1", Question(NODE1, port=8080)) in asked


def test_the_agent_inside_a_pod_is_asked_for_the_pods_own_way():
    text = "firewall >> SYN\nnode1 << SYN\nnode1/pod << SYN\napp/pod << SYN"
    names = {**NAMES, POD: "app"}
    asked = list(questions(story(text, names=names, pod=POD, responders=("node1", "app"), inner="app")))
    assert ("node1", Question(FIREWALL, POD, "veth")) in asked
    assert ("app", Question(FIREWALL, POD)) in asked
    assert ("app", Question(POD, port=8080)) in asked


def test_one_that_captures_nothing_is_asked_about_the_probers_own_address():
    asked = list(questions(story("firewall >> SYN", dst=NODE1, untapped=("node1",))))
    assert ("node1", Question(FIREWALL, NODE1)) in asked
    assert ("node1", Question(NODE1, port=8080)) in asked


def test_witnesses_and_the_node_of_a_prober_in_a_pod_are_asked_for_theirs():
    caught = list(questions(story(THERE + "node19 << SYN-ACK ttl 62")))
    assert ("node19", Question(FIREWALL, POD, "eth0")) in caught
    home = list(questions(story("caller >> SYN", source="caller", src=NODE19, home="node2")))
    assert ("node2", Question(POD)) in home


def test_a_host_whose_syn_waits_for_its_answer_is_asked_at_once():
    came = saw(Kind.SYN, IN, 10.0).tolist()
    assert list(early("app", came, {POD: "app"})) == [Question(FIREWALL, POD)]
    assert not list(early("app", came + saw(Kind.SYN_ACK, OUT, 10.0).tolist(), {POD: "app"})), "it was answered"
    assert not list(early("node1", came, {POD: "app"})), "it passes it on"
    assert not list(early("app", saw(Kind.SYN, IN, 10.0, Where.STACK).tolist(), {POD: "app"})), "its TCP took it"
