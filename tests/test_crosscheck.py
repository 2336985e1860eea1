"""The parts of the document held against each other; one fault is told once, and a right document not at all."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from prober.targets import mistakes

DEMO = (Path(__file__).parents[1] / "targets.yaml").read_text(encoding="utf-8")
SMALL = """
zones: [{name: a, cidrs: [10.1.0.0/24, "2001:db8::/64"]}, {name: p, kind: pods}]
agents: [{name: one, zone: a, addresses: [10.1.0.1]}]
targets: [{name: web, zone: p, address: 10.2.0.1, port: 80}]
policy: {allow: [{network: 10.0.0.0/8, ports: [80, 8000-8099]}, {network: "2001:db8::/64", ports: [443]}]}
"""


def test_a_mistake_in_policy_does_not_blame_every_target() -> None:
    found = mistakes(DEMO.replace("10.19.0.0/24,  ports", "10.19.0.9/24,  ports"))
    assert [mistake.path for mistake in found] == ["policy.allow[0].network"]


def test_a_missing_section_is_told_once() -> None:
    assert [str(one) for one in mistakes(DEMO.replace("zones:", "zonse:"))] == [
        "targets.yaml:6:1  (document)  zonse is not a key of the document; did you mean zones?"
    ]


def test_every_unknown_name_is_told_where_it_stands() -> None:
    found = mistakes(SMALL + "probes: [{from: [one, x], to: [y, web]}, {from: z, to: web}]\n")
    assert [(one.path, one.what) for one in found] == [
        ("probes[0].from[1]", "there is no name x"),
        ("probes[0].to[0]", "there is no name y"),
        ("probes[1].from", "there is no name z"),
    ]


@pytest.mark.parametrize(
    ("zone", "where", "wrong"),
    [
        ("{name: p, kind: pods, cidrs: [10.2.0.0/24]}", "10.2.0.255", False),  # a pod block has no broadcast address
        ("{name: p, kind: other, cidrs: [10.2.0.0/24]}", "10.2.0.255", True),
        ("{name: p, kind: other, cidrs: [10.2.0.254/31]}", "10.2.0.255", False),  # RFC 3021
        ("{name: p, kind: other}", "10.2.0.255", False),  # nobody said where its networks end
        ("{name: p, kind: other, cidrs: [10.2.0.0/24]}", "10.2.1.1", True),  # not in its zone
    ],
)
def test_an_address_stands_in_its_zone_and_is_a_hosts(zone: str, where: str, wrong: bool) -> None:
    found = mistakes(SMALL.replace("{name: p, kind: pods}", zone).replace("10.2.0.1", where))
    assert [one.path for one in found] == ["targets[0].address"] * wrong


def test_a_pod_may_be_declared_in_the_zone_of_its_node() -> None:
    in_zone_a = SMALL.replace("zone: p,", "zone: a,")
    assert [one.path for one in mistakes(in_zone_a)] == ["targets[0].address"]
    assert mistakes(in_zone_a.replace("addresses: [10.1.0.1]", "addresses: [10.1.0.1], pods: [10.2.0.0/16]")) == []


def test_groups_may_hold_groups() -> None:
    text = SMALL + "groups: {x: [y], y: [one, web]}\nprobes: [{from: x, to: x}]\n"
    assert mistakes(text) == []


def test_a_thousand_agents_with_a_thousand_mistakes_are_read_in_seconds() -> None:
    agents = "".join(
        f"  - {{name: a{i}, zone: z, addresses: [10.1.{i // 250}.{i % 250 + 1}], listen: 70}}\n" for i in range(1000)
    )
    text = f"zones: [{{name: y}}]\nagents:\n{agents}policy: {{allow: []}}\n"
    began = time.monotonic()
    assert len(mistakes(text)) == 2000  # an unknown zone and a port outside policy each
    assert time.monotonic() - began < 10
