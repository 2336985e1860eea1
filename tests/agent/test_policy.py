"""The agent's own last word: nothing outside the plan's policy is probed, whatever a controller asks."""

from __future__ import annotations

import ipaddress
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from prober.agent.policy import refusal, task_refusal, unsound
from tests.agent.plans import plan, task

OPEN = plan(allow=[("0.0.0.0/0", 1, 65535), ("::/0", 1, 65535)])


@pytest.mark.parametrize(("address", "port"), [("10.4.76.34", 8080), ("10.4.0.0", 8099), ("2001:db8::1", 80)])
def test_what_the_policy_allows_is_probed(address: str, port: int) -> None:
    assert refusal(plan(), address, port) is None


@pytest.mark.parametrize(
    ("address", "port"),
    [("10.4.76.34", 8079), ("10.4.76.34", 8100), ("10.5.0.1", 8080), ("2001:db8::1", 8080), ("2001:db9::1", 80)],
)
def test_what_the_policy_does_not_allow_is_refused(address: str, port: int) -> None:
    assert refusal(plan(), address, port) == f"{address} port {port} is outside the policy"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "::1", "169.254.169.254", "fe80::1", "224.0.0.1", "ff02::1", "0.0.0.0", "::",
        "255.255.255.255", "::ffff:10.4.76.34", "::ffff:127.0.0.1",
    ],
)  # fmt: skip
def test_some_addresses_are_never_probed_whatever_the_plan_allows(address: str) -> None:
    assert refusal(OPEN, address, 80) is not None


@pytest.mark.parametrize("port", [0, -1, 65536, 10**12])
def test_a_port_that_is_none_is_refused(port: int) -> None:
    assert refusal(OPEN, "10.4.76.34", port) == f"{port} is not a TCP port"


@settings(max_examples=500, deadline=None)
@given(address=some.text(max_size=40) | some.ip_addresses().map(str), port=some.integers(-5, 70_000))
def test_only_addresses_and_ports_inside_the_policy_ever_pass(address: str, port: int) -> None:
    if refusal(plan(), address, port) is None:
        inside = [("10.4.0.0/16", range(8080, 8100)), ("2001:db8::/32", range(80, 81))]
        assert any(ipaddress.ip_address(address) in ipaddress.ip_network(n) and port in ports for n, ports in inside)


@pytest.mark.parametrize(
    "wrong",
    [
        {"flows": 0}, {"flows": 65}, {"every": -1.0}, {"every": math.nan}, {"every": math.inf}, {"timeout": 0.0},
        {"timeout": math.nan}, {"timeout": 61.0}, {"address": "10.4.76.34/32"}, {"address": ""}, {"port": 80},
    ],
)  # fmt: skip
def test_a_task_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    assert task_refusal(plan(), task(**wrong)) is not None
    assert task_refusal(plan(), task()) is None


def test_without_a_plan_nothing_is_probed() -> None:
    assert "no plan" in str(task_refusal(None, task()))


@pytest.mark.parametrize(
    "wrong",
    [
        {"keys": []}, {"keys": [b"short"]}, {"syns_per_second": 0.0}, {"syns_per_second": math.nan},
        {"expires_after": 0.0}, {"expires_after": math.inf}, {"listen": 70_000}, {"number": 4096}, {"number": -1},
        {"addresses": ["10.19.0"]}, {"pods": ["10.4.76.34/8"]}, {"allow": [("everything", 1, 65535)]},
        {"relay": 65_536}, {"relays": [("node1", "10.224.0.4", 0)]}, {"relays": [("node1", "node1", 7008)]},
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_followed_is_unsound(wrong: dict[str, Any]) -> None:
    assert unsound(plan(**wrong)) is not None
    assert unsound(plan()) is None


def test_a_syn_is_handed_only_to_a_neighbour_that_policy_lets_be_probed_and_never_all_the_time() -> None:
    by = task(via="10.4.0.1", every=0.0)
    assert task_refusal(plan(), by) is None
    for wrong in (task(via="10.5.0.1", every=0.0), task(via="127.0.0.1", every=0.0), task(via="x", every=0.0)):
        assert (task_refusal(plan(), wrong) or "").startswith("by way of")
    assert task_refusal(plan(), task(via="10.4.0.1")) is not None, "again and again"
    assert task_refusal(plan(), task(via="10.4.0.1", every=0.0, flows=5)) is not None
    assert task_refusal(plan(), task(via="10.4.0.1", every=0.0, address="10.5.0.1")) is not None
