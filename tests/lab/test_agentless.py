"""The same incident with nobody at the target's side."""

from __future__ import annotations

import pytest

from prober.lab import incident
from prober.lab.agentless import without_agents
from prober.plan import pairs
from prober.targets import parse
from prober.verdict import Confidence, Label


def test_the_incidents_nodes_are_not_started_and_their_listeners_stay_targets() -> None:
    bare = without_agents(incident.load("incident"))
    assert bare is not None
    assert bare.network.agents == ("firewall", "lb", "node19", "vm", "remote", "private")
    assert bare.network.hosts["node1"].listen == (7007,)
    known = parse(bare.targets_text(), "bare")
    assert not known.responders("ingress") and not known.responders("node1")
    assert ("firewall", "node1") in {pair.key for pair in pairs(known)}
    assert {pair.source for pair in pairs(known)} == set(bare.network.agents)


def test_what_is_expected_is_the_direction_or_unknown_and_nothing_proven() -> None:
    bare = without_agents(incident.load("incident"))
    assert bare is not None
    one = bare.expected("firewall", "ingress")
    assert one.label[0] == Label.RETURN_PATH_MISROUTE
    assert set(one.label) == {Label.RETURN_PATH_MISROUTE, Label.RETURN_PATH_LOSS, Label.UNKNOWN}
    assert Confidence.PROVEN not in one.confidence and one.confidence and not one.cause
    assert bare.expected("lb", "ingress").label == (Label.HEALTHY,)


def test_a_source_that_is_the_target_of_another_expectation_is_left_out() -> None:
    bare = without_agents(incident.load("closed-port"))
    assert bare is not None
    assert "node1" not in bare.expect[0].source and "firewall" in bare.expect[0].source


@pytest.mark.parametrize("name", ["healthy", "agent-silent"])
def test_what_cannot_be_run_so_is_left_out(name: str) -> None:
    assert without_agents(incident.load(name)) is None


@pytest.mark.parametrize("name", incident.names())
def test_every_document_without_agents_can_be_read_and_has_cells(name: str) -> None:
    bare = without_agents(incident.load(name))
    if bare is not None:
        assert pairs(parse(bare.targets_text(), name))
