"""Many verdicts, few findings: what cells have in common, and what speaks against it."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.localise import ALONE, HOP, NODE, PREFIX, ROUTE, SOURCE, SOURCE_ZONE, TARGET, localise, route_text

WRONG = "10.19.0.0/16 via 10.224.0.23"
ENDS = ["firewall", "lb", "node1", "node2", "node19", "vm", "remote", "ingress", "pod2"]


def cell(source: str, target: str, label: str = "healthy", culprit: str | None = None, cause: str | None = None) -> Any:
    return {"source": source, "target": target, "label": label, "cause": cause, "culprit": culprit}


def matrix(broken: list[Any]) -> list[Any]:
    """All of `ENDS` ask each other; these cells are broken, the others pass."""
    known = {(one["source"], one["target"]) for one in broken}
    pairs = [(s, t) for s in ENDS[:7] for t in ENDS if s != t and (s, t) not in known]
    return [*broken, *(cell(*pair) for pair in pairs)]


def incident() -> list[Any]:
    misroute, node = "return-path-misroute", "node19: {} routes " + WRONG + " (node19)"
    nodes = {"ingress": "node1", "pod2": "node2", "node1": "node1", "node2": "node2"}
    broken = [cell("firewall", target, misroute, node.format(its), "R1b") for target, its in nodes.items()]
    broken += [cell("firewall", "node19", misroute, "node19: node19 routes 10.19.0.0/16 dev pods0", "R1a")]
    broken += [cell(n, "firewall", "ingress-drop", node.format(n), "F9") for n in ("node1", "node2")]
    broken += [cell("node19", "firewall", "local", "node19: next hop 10.19.0.4", "L3")]
    return matrix(broken)


def test_the_incidents_eight_cells_are_one_finding_that_names_node_and_route():
    (one,) = localise(incident())
    assert (one.element.kind, one.element.name, one.route) == (NODE, "node19", WRONG)
    assert len(one.cells) == 8
    assert {(c["source"], c["target"]) for c in one.against} >= {("vm", "node19"), ("node19", "ingress")}
    assert all(c["label"] == "healthy" and "node19" in (c["source"], c["target"]) for c in one.against)


def test_two_independent_faults_are_two_findings_the_larger_first():
    closed = [cell(s, "vm", "target", "vm: 10.224.0.100:7007 answers with an RST") for s in ("lb", "remote")]
    cells = [one for one in incident() if (one["source"], one["target"]) not in {("lb", "vm"), ("remote", "vm")}]
    assert [(one.element.name, len(one.cells)) for one in localise(cells + closed)] == [("node19", 8), ("vm", 2)]


def test_a_prefix_that_several_nodes_keep_at_home_is_the_element():
    broken = [cell("firewall", t, "return-path-misroute", f"{n}: {n} routes 10.19.0.0/16 dev pods{n[-1]}")
              for t, n in (("ingress", "node1"), ("pod2", "node2"))]  # fmt: skip
    (one,) = localise(matrix(broken))
    assert (one.element.kind, one.element.name, one.against) == (PREFIX, "10.19.0.0/16", ())


def test_a_route_that_leads_to_nobody_known_is_the_element():
    broken = [cell("firewall", t, "return-path-misroute", f"{n}: {n} routes default via 10.0.0.9")
              for t, n in (("ingress", "node1"), ("pod2", "node2"))]  # fmt: skip
    (one,) = localise(matrix(broken))
    assert (one.element.kind, one.element.name) == (ROUTE, "default via 10.0.0.9")


def test_a_hop_that_saw_packets_of_both_directions_last_is_two_findings():
    broken = [cell("firewall", "ingress", "ingress-drop", "vpc: saw the SYN last"),
              cell("lb", "ingress", "ingress-drop", "vpc: saw the SYN last"),
              cell("vm", "pod2", "return-path-loss", "vpc: saw the SYN-ACK last")]  # fmt: skip
    assert [(one.element.kind, one.element.about, len(one.cells)) for one in localise(matrix(broken))] == [
        (HOP, "forward", 2), (HOP, "return", 1),
    ]  # fmt: skip


def test_a_target_that_nobody_of_many_reaches_is_the_element_and_who_still_does_speaks_against_it():
    broken = [cell(s, "ingress", "unknown") for s in ("firewall", "lb", "vm")]
    (one,) = localise(matrix(broken))
    assert (one.element.kind, one.element.name) == (TARGET, "ingress")
    assert [c["source"] for c in one.against] == ["node1", "node2", "node19", "remote"]


def test_a_source_that_reaches_nobody_is_the_element():
    (one,) = localise(matrix([cell("vm", t, "local", None, "L1") for t in ENDS if t != "vm"]))
    assert (one.element.kind, one.element.name) == (SOURCE, "vm")
    assert not one.against


def test_sources_of_one_zone_with_several_targets_are_one_finding_of_the_zone():
    broken = [cell(s, t, "unknown") for s in ("lb", "vm") for t in ("ingress", "pod2")]
    (one,) = localise(matrix(broken), {"lb": "inner", "vm": "inner", "remote": "outer"})
    assert (one.element.kind, one.element.name) == (SOURCE_ZONE, "inner")
    assert {c["source"] for c in one.against} == {"lb", "vm"}


def test_other_causes_at_one_target_without_a_culprit_are_other_findings():
    broken = [cell("vm", "ingress", "target", None, "T1"), cell("lb", "ingress", "ingress-drop", None, "F1")]
    assert [one.element.kind for one in localise(matrix(broken))] == [ALONE, ALONE]


def test_a_label_of_a_newer_controller_stands_for_itself():
    assert len(localise([cell("a", "b", "brand-new", "vpc: saw the SYN last")])) == 1


@pytest.mark.parametrize(
    ("culprit", "route"),
    [
        ("node19: node1 routes 10.19.0.0/16 via 10.224.0.23 (node19)", WRONG),
        ("node1: node1 routes blackhole 10.19.0.0/16", "blackhole 10.19.0.0/16"),
        ("node1: node1 routes fd00:19::/48 dev pods0", "fd00:19::/48 dev pods0"),
        ("node1: node1 routes default via 10.0.0.1", "default via 10.0.0.1"), ("vpc: saw the SYN last", ""),
    ],
)  # fmt: skip
def test_the_route_of_a_culprit(culprit: str, route: str) -> None:
    assert route_text(culprit) == route


NAMES = st.sampled_from(["a", "b", "c", "d", "node1: routes", "x: saw the SYN last"])
CELLS = st.builds(cell, NAMES, NAMES, st.sampled_from(["healthy", "unknown", "ingress-drop", "return-path-loss"]),
                  st.none() | NAMES, st.sampled_from([None, "F1"]))  # fmt: skip


@given(st.lists(CELLS, max_size=40), st.dictionaries(NAMES, st.sampled_from(["z1", "z2"])))
def test_every_cell_that_is_not_healthy_is_in_exactly_one_finding(cells, zones):
    found = localise(cells, zones)
    told = [id(one) for finding in found for one in finding.cells]
    assert sorted(told) == sorted(id(one) for one in cells if one["label"] != "healthy")
    assert [len(one.cells) for one in found] == sorted((len(one.cells) for one in found), reverse=True)
    assert all(one["label"] == "healthy" for finding in found for one in finding.against)


@pytest.mark.parametrize(("size", "faults"), [(100, 1), (100, 100), (1000, 3)])
def test_large_matrices_have_as_many_findings_as_faults(size: int, faults: int) -> None:
    """10⁴ and 10⁶ cells; each fault a target that nobody of many reaches, and one wrong route besides."""
    seeded = random.Random(size)
    bad = set(seeded.sample(range(size), faults))
    culprit = "n7: n{} routes 10.0.0.0/8 via 10.1.1.7"
    cells = [cell(f"s{i}", f"t{j}", "unknown" if j in bad else "return-path-misroute" if i == 0 else "healthy",
                  culprit.format(j) if i == 0 and j not in bad else None)
             for i in range(size) for j in range(size)]  # fmt: skip
    found = localise(cells)
    assert len(found) == min(faults, size) + (faults < size)
    assert {one.element.kind for one in found} == ({TARGET, NODE} if faults < size else {TARGET})
