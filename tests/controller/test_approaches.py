"""Who stands before a target: looked for once, by few, and taken to stay so for a while."""

from __future__ import annotations

from prober.controller import approaches
from prober.controller.approaches import Approaches, on_one_link
from prober.report import BYWAY
from tests.controller.test_byways import TARGETS, alive


def test_on_its_own_link_a_target_is_its_own_host_for_everybody_there() -> None:
    one = Approaches()
    assert one.begin("firewall", "node1", TARGETS, alive, 100.0) == []
    assert one.hosts("node1", 100.0) == {"node2": "10.224.0.4"}


def test_further_away_a_few_look_and_nobody_waits_for_ever() -> None:
    one = Approaches()
    tasks = one.begin("firewall", "ingress", TARGETS, alive, 100.0)
    assert {agent for agent, _ in tasks} == {"node2", "remote"} and all(t.run.startswith(BYWAY) for _, t in tasks)
    assert one.begin("remote", "ingress", TARGETS, alive, 100.1) == [], "it is being looked for"
    assert one.hosts("ingress", 101.0) is None
    assert one.hosts("ingress", 100.0 + approaches.NEAR) == {}
    assert one.begin("firewall", "ingress", TARGETS, alive, 110.0) == [], "that is known now"
    assert one.begin("firewall", "ingress", TARGETS, alive, 110.0 + approaches.STANDS)


def test_who_does_not_report_looks_for_nothing() -> None:
    one = Approaches()
    assert one.begin("firewall", "ingress", TARGETS, lambda name: name == "remote", 100.0)
    assert one.hosts("node1", 100.0) == {}, "nobody was asked about it"


def test_a_pod_is_on_nobodys_link() -> None:
    node2, pod, node1 = TARGETS.agent("node2"), TARGETS.target("ingress").address, TARGETS.target("node1").address
    assert pod is not None and node1 is not None
    assert on_one_link(TARGETS, node2, node1) and not on_one_link(TARGETS, node2, pod)
