"""What is declared, asked: who covers an address, what a name means, what policy permits."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from prober.errors import Refused
from prober.targets import parse

DEMO = (Path(__file__).parents[1] / "targets.yaml").read_text(encoding="utf-8")
SMALL = """
zones: [{name: a, cidrs: [10.1.0.0/24, "2001:db8::/64"]}, {name: p, kind: pods}]
agents: [{name: one, zone: a, addresses: [10.1.0.1]}]
targets: [{name: web, zone: p, address: 10.2.0.1, port: 80}]
policy: {allow: [{network: 10.0.0.0/8, ports: [80, 8000-8099]}, {network: "2001:db8::/64", ports: [443]}]}
"""


def address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)


def test_the_digest_follows_the_meaning_and_not_the_writing() -> None:
    assert parse(DEMO + "\n# a remark\n").digest == parse(DEMO).digest
    assert parse(DEMO.replace("50ms", "51ms")).digest != parse(DEMO).digest


def test_an_agent_covers_its_addresses_and_its_pods_and_the_longest_block_wins() -> None:
    targets = parse(DEMO.replace("10.5.0.0/16]}\n  - {name: node19", "10.5.0.0/16, 10.4.76.0/24]}\n  - {name: node19"))
    assert (found := targets.covering(address("10.224.0.4"))) and found.name == "node1"
    assert (found := targets.covering(address("10.4.1.1"))) and found.name == "node1"
    assert (found := targets.covering(address("10.4.76.34"))) and found.name == "node2"
    assert targets.covering(address("10.9.0.1")) is None
    assert targets.covering(address("2001:db8::1")) is None


def test_the_responders_behind_a_load_balancer_are_those_of_its_backends() -> None:
    targets = parse(DEMO)
    assert [agent.name for agent in targets.responders("ingress")] == ["node1"]
    assert [agent.name for agent in targets.responders("ingress-via-lb")] == ["node1"]
    assert [agent.name for agent in targets.responders("lb")] == ["lb"]
    assert parse(SMALL).responders("web") == ()


def test_a_name_means_its_own_agent_or_target_before_the_zone_of_that_name() -> None:
    targets = parse(DEMO)
    assert targets.expand_targets(["lb"]) == ("lb",)
    assert targets.expand_targets(["pods", "ingress"]) == ("ingress", "pod2")
    assert targets.expand_sources(["nodes", "node1"]) == ("node1", "node2", "node19", "vm")
    assert targets.expand_sources(["all"]) == tuple(agent.name for agent in targets.agents)
    assert "private" not in targets.expand_sources(["public"])


def test_a_name_that_means_nothing_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(Refused, match="no agent is meant by fierwall; there are: .*firewall"):
        parse(DEMO).expand_sources(["fierwall"])
    with pytest.raises(Refused, match="no agent is meant by ingress"):
        parse(DEMO).expand_sources(["ingress"])


@pytest.mark.parametrize(
    ("where", "port", "permitted"),
    [
        ("10.2.0.1", 80, True), ("10.2.0.1", 8099, True), ("10.2.0.1", 8100, False), ("11.0.0.1", 80, False),
        ("2001:db8::7", 443, True), ("2001:db8::7", 80, False), ("2001:db8:1::7", 443, False),
        ("::ffff:10.2.0.1", 80, False),
    ],
)  # fmt: skip
def test_policy_permits_what_is_declared_and_nothing_else(where: str, port: int, permitted: bool) -> None:
    assert parse(SMALL).policy.permits(address(where), port) is permitted


@pytest.mark.parametrize(
    "where", ["127.0.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255", "0.0.0.0", "240.0.0.1"]
)
def test_no_policy_can_allow_an_address_that_is_no_hosts(where: str) -> None:
    wide = parse(
        SMALL.replace("10.0.0.0/8", "0.0.0.0/1").replace(
            "[{network: 0", "[{network: 128.0.0.0/1, ports: [80]}, {network: 0"
        )
    )
    assert wide.policy.permits(address("11.0.0.1"), 80)
    assert wide.policy.permits(address("192.0.2.1"), 80)
    assert not wide.policy.permits(address(where), 80)


def test_a_host_name_is_pinned_to_an_address_inside_policy_or_refused() -> None:
    named = parse(SMALL.replace("address: 10.2.0.1", "hostname: Web.Example.org."))
    assert (named.target("web").hostname, named.target("web").address) == ("web.example.org", None)
    assert named.pinned("web", address("10.9.9.9")).target("web").address == address("10.9.9.9")
    with pytest.raises(Refused, match="web.example.org is 192.0.2.1, port 80, which lies outside policy.allow"):
        named.pinned("web", address("192.0.2.1"))
    with pytest.raises(Refused, match="is a loopback address"):
        named.pinned("web", address("127.0.0.1"))


def test_an_agent_whose_address_lies_in_anothers_pod_block_lives_behind_that_node():
    made = parse("""
zones: [{name: a}, {name: p, kind: pods}]
agents:
  - {name: wide, zone: a, addresses: [10.1.0.9], pods: [10.2.0.0/16]}
  - {name: node, zone: a, addresses: [10.1.0.1], pods: [10.2.1.0/24]}
  - {name: app, zone: p, addresses: [10.2.1.7]}
policy: {allow: [{network: 10.0.0.0/8, ports: [80]}]}
""")
    node = made.node_of(made.agent("app"))
    assert node is not None and node.name == "node", "the longest block"
    assert made.node_of(made.agent("wide")) is None


@pytest.mark.parametrize(
    ("who", "role"),
    [
        ("slack:U024BE7LH", "operator"), ("slack:U0LAN0Z89", "viewer"), ("slack:U9", "none"), ("slack:", "none"),
        ("mattermost:k1x4aqdjy3813c84m771eoc9xo", "viewer"), ("irc:U024BE7LH", "none"), ("U024BE7LH", "none"),
    ],
)  # fmt: skip
def test_who_is_not_named_for_chat_has_no_role_there(who: str, role: str) -> None:
    named = "chat: {operators: [slack:U024BE7LH], viewers: [slack:U0LAN0Z89, slack:U024BE7LH, 'mattermost:*']}"
    chat = parse(SMALL + named).chat
    assert chat is not None
    assert chat.role(who) == role


def test_a_chat_without_names_lets_nobody_run_and_none_at_all_declares_nothing() -> None:
    empty, all_of_slack = parse(SMALL + "chat: {}").chat, parse(SMALL + "chat: {operators: ['slack:*']}").chat
    assert (empty and empty.role("slack:U1"), all_of_slack and all_of_slack.role("slack:U1")) == ("none", "operator")
    assert parse(SMALL).chat is None
