"""The address plan: the incident's own, and every pair of networks against a comparison of all with all."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.address import Network
from prober.audit import Holding, audit, overlaps
from prober.targets import parse

ROOT = Path(__file__).parents[1]
PLAN = """
zones:
  - {name: firewall, kind: firewall, cidrs: [10.19.0.0/24]}
  - {name: nodes, kind: node-pool, cidrs: [10.224.0.0/24]}
  - {name: pods, kind: pods, cidrs: [10.4.0.0/16]}
agents:
  - {name: node1, zone: nodes, addresses: [10.224.0.4], pods: [10.4.0.0/20]}
  - {name: node2, zone: nodes, addresses: [10.224.0.5], pods: [10.4.16.0/20]}
targets: [{name: ingress, zone: pods, address: 10.4.7.34, port: 80}]
probes: [{from: node2, to: ingress}]
policy: {allow: [{network: 10.4.0.0/16, ports: [80]}]}
pools:
  - {name: cilium, kind: cilium-cluster-pool, cidrs: [10.4.0.0/16], mask: 20}
"""


def told(*changes: tuple[str, str]) -> list[str]:
    """The findings' sentences, ``!`` before a dangerous one, of the plan with these texts replaced."""
    text = PLAN
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    found = audit(parse(text))
    assert found.dangerous == any(one.dangerous for one in found.findings)
    return [f"{'!' * one.dangerous}{one.sentence}" for one in found.findings]


def test_a_good_plan_has_no_finding_and_says_what_is_left() -> None:
    found = audit(parse(PLAN))
    assert (found.findings, found.dangerous) == ((), False)
    assert [room.sentence for room in found.rooms] == [
        "cilium has 14 blocks of /20 left after 10.4.16.0/20, and none holds part of another zone."
    ]


def test_the_incident_is_foretold_and_then_told() -> None:
    found = audit(parse((ROOT / "targets.yaml").read_text()))
    assert found.dangerous
    assert {one.between[1].name for one in found.findings} == {"firewall", "lb", "nodes", "remote", "private"}
    [room] = found.rooms
    assert (room.left, str(room.reaches), room.covers) == (13, "10.19.0.0/16", "zone firewall (10.19.0.0/24)")
    now, stray = told(("10.4.16.0/20", "10.19.0.0/16"))
    assert now.startswith("!the pod block of node2 (10.19.0.0/16) holds zone firewall (10.19.0.0/24): node2 takes the")
    assert now.endswith(". Take node2 out of the cluster, then give its pool networks that overlap no zone.")
    assert stray.startswith("the pod block of node2 (10.19.0.0/16) is of no pool. Declare the pool that it is from, or")


CIDRS, MORE = "[10.4.0.0/16], mask: 20}", "mask: 20}\n  - {name: k, kind: static, cidrs: [10.4.240.0/20]}"


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (CIDRS, "[10.0.0.0/8], mask: 20}", "!pool cilium (10.0.0.0/8) holds zone firewall (10.19.0.0/24): a node"),
        (CIDRS, "[10.4.0.0/16, 10.19.0.0/25], mask: 26}", "!pool cilium (10.19.0.0/25) holds 10.19.0.0/25 of zone f"),
        ("10.4.16.0/20", "10.4.8.0/21", "!the pod block of node1 (10.4.0.0/20) and the pod block of node2 (10.4.8.0/2"),
        ("10.19.0.0/24", "10.4.64.0/24", "!zone pods (10.4.0.0/16) and zone firewall (10.4.64.0/24) overlap: answers"),
        ("10.19.0.0/24", "10.224.0.0/16", "zone firewall (10.224.0.0/16) and zone nodes (10.224.0.0/24) overlap: of"),
        ("mask: 20}", MORE, "!pool cilium (10.4.0.0/16) and pool k (10.4.240.0/20) overlap: two nodes may be given"),
        (CIDRS, "[10.4.0.0/16, 10.4.32.0/20], mask: 20}", "pool cilium lists 10.4.32.0/20 twice. Keep 10.4.0.0/16 a"),
    ],
)
def test_each_overlap_has_its_sentence(before: str, after: str, said: str) -> None:
    found = told((before, after))
    assert any(one.startswith(said) for one in found), found


WITHOUT_POOLS = ("pools:", "#"), ("  - {name: cilium", "#")


def test_pods_that_take_their_addresses_from_their_nodes_subnet_are_meant_so() -> None:
    assert told(*WITHOUT_POOLS, ("10.4.0.0/20", "10.224.0.128/25")) == []


def test_without_pools_no_block_is_a_stray() -> None:
    assert told(*WITHOUT_POOLS, ("10.4.16.0/20", "10.99.0.0/20")) == []


NETWORKS = st.one_of(
    st.builds(lambda at, length: ip_network((0x0A000000 + at, length), strict=False),
              st.integers(0, 255), st.integers(24, 32)),
    st.builds(lambda at, length: ip_network(((0xFD << 120) + at, length), strict=False),
              st.integers(0, 255), st.integers(120, 128)),
)  # fmt: skip


@given(st.lists(NETWORKS, max_size=12))
def test_no_two_that_overlap_are_missed_and_none_is_told_twice(nets: list[Network]) -> None:
    holdings = [Holding("zone", str(number), net) for number, net in enumerate(nets)]
    found = [frozenset((int(one.name), int(other.name))) for one, other in overlaps(holdings)]
    expected = [
        frozenset((a, b)) for a in range(len(nets)) for b in range(a)
        if nets[a].version == nets[b].version and nets[a].overlaps(nets[b])
    ]  # fmt: skip
    assert sorted(map(sorted, found)) == sorted(map(sorted, expected))
    assert all(one.network.prefixlen <= other.network.prefixlen for one, other in overlaps(holdings))
