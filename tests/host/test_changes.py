"""The kernel's notices say that something changed, whatever it was, and nothing when nothing did."""

from __future__ import annotations

import subprocess

import pytest

from prober.host.changes import Changes

CHANGES = {
    "a route": "ip route add 10.4.76.34/32 dev eth0",
    "a route of IPv6": "ip -6 route add fd04::1/128 dev eth0",
    "a route of another table": "ip route add 10.4.0.0/16 dev eth0 table 100",
    "a rule": "ip rule add from 10.9.9.9 table 100",
    "a rule of IPv6": "ip -6 rule add from fd09::9 table 100",
    "an address": "ip address add 10.9.9.9/32 dev lo",
    "an address of IPv6": "ip address add fd09::9/128 dev lo",
    "an interface": "ip link add more type bridge",
    "an interface that goes down": "ip link set eth0 down",
}


@pytest.fixture
def changes(node):
    made = node.do(Changes)
    yield made
    made.close()


def test_the_first_answer_is_yes_and_then_no_while_nothing_changes(changes):
    assert [changes.happened() for _ in range(3)] == [True, False, False]


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_noticed(node, changes, what):
    changes.happened()
    node.run(CHANGES[what])
    assert [changes.happened(), changes.happened()] == [True, False]


def test_more_than_the_socket_holds_is_a_change_too(node, changes):
    changes.happened()
    node.run("ip link add more type bridge")
    commands = "\n".join(f"route add 10.5.{n // 250}.{n % 250}/32 dev eth0" for n in range(5000))
    node.do(lambda: subprocess.run(["ip", "-batch", "-"], input=commands, text=True, check=True))
    assert [changes.happened(), changes.happened()] == [True, False]
