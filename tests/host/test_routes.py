"""What the kernel's own routing table says, with the prefix that decided."""

from __future__ import annotations

import asyncio

import pytest

from prober.host.routes import Routes
from prober.report import Question, Route


def ask(node, dst, src="", iif=""):
    """The node's answer."""
    return node.do(lambda: Routes("node1").ask(Question(dst, src, iif)))


def test_the_incidents_route_names_the_block_and_the_wrong_node(node):
    node.run("ip route add 10.19.0.0/16 via 10.224.0.23")
    assert ask(node, "10.19.0.4") == Route(
        agent="node1",
        dst="10.19.0.4",
        prefix="10.19.0.0/16",
        via="10.224.0.23",
        dev="eth0",
        type="unicast",
        table="main",
    )
    assert ask(node, "10.19.0.4").text() == "10.19.0.0/16 via 10.224.0.23"


def test_without_it_the_default_route_answers(node):
    assert ask(node, "10.19.0.4").text() == "0.0.0.0/0 via 10.224.0.1"


@pytest.mark.parametrize(
    ("kind", "error"), [("blackhole", "EINVAL"), ("unreachable", "EHOSTUNREACH"), ("prohibit", "EACCES")]
)
@pytest.mark.parametrize(("dst", "prefix"), [("10.19.0.4", "10.19.0.0/16"), ("fd19::4", "fd19::/64")])
def test_a_route_that_refuses_is_named_with_its_type_and_errno(node, kind, error, dst, prefix):
    node.run(f"ip route add {kind} {prefix}")
    node.run(f"ip route add {kind} {'10.0.0.0/8' if '.' in dst else 'fd00::/8'}")
    found = ask(node, dst)
    assert (found.prefix, found.type, found.error, found.via) == (prefix, kind, error, "")
    assert found.text() == f"{kind} {prefix}"


def test_no_route_at_all_is_an_error_and_no_prefix(node):
    node.run("ip route del default")
    found = ask(node, "10.19.0.4")
    assert (found.error, found.prefix, found.type, found.text()) == ("ENETUNREACH", "", "", "no route")


def test_a_reply_from_a_pod_is_asked_as_the_kernel_would_forward_it(node):
    node.veth("lxc1")
    node.run("ip route add 10.4.76.34/32 dev lxc1")
    node.run("ip route add 10.19.0.0/16 via 10.224.0.23")
    node.run("sysctl -qw net.ipv4.ip_forward=1")
    assert ask(node, "10.19.0.4", src="10.4.76.34", iif="lxc1").text() == "10.19.0.0/16 via 10.224.0.23"


def test_policy_rules_are_part_of_the_answer(node):
    node.run("ip route add 10.19.0.0/16 via 10.224.0.9 table 77")
    node.run("ip rule add from 10.224.0.4 table 77")
    found = ask(node, "10.19.0.4", src="10.224.0.4")
    assert (found.via, found.table) == ("10.224.0.9", "77")


def test_every_leg_of_a_multipath_route_is_named(node):
    node.run("ip route add 10.19.0.0/16 nexthop via 10.224.0.8 nexthop via 10.224.0.9")
    found = ask(node, "10.19.0.4")
    assert (found.prefix, found.via, found.dev) == ("10.19.0.0/16", "10.224.0.8,10.224.0.9", "eth0")


def test_a_next_hop_of_the_other_family_is_named(node):
    node.run("ip route add 10.19.0.0/16 via inet6 fd22::9 dev eth0")
    assert ask(node, "10.19.0.4").via == "fd22::9"


def test_ipv6_is_asked_the_same_way(node):
    node.run("ip route add fd19::/64 via fd22::23")
    assert ask(node, "fd19::4").text() == "fd19::/64 via fd22::23"


def test_an_own_address_is_local(node):
    found = ask(node, "10.224.0.4")
    assert (found.type, found.prefix, found.dev) == ("local", "10.224.0.4/32", "eth0")


@pytest.mark.parametrize(
    ("dst", "src", "iif", "error"),
    [
        ("nonsense", "", "", "EADDRNOTAVAIL"),
        ("10.0.0.1", "nonsense", "", "EADDRNOTAVAIL"),
        ("10.0.0.1", "fd00::1", "", "EADDRNOTAVAIL"),
        ("10.0.0.1", "", "nothere", "ENODEV"),
        ("10.0.0.1", "10.4.76.34", "", "ENETUNREACH"),
    ],
)
def test_a_question_that_cannot_be_asked_is_answered_with_why(node, dst, src, iif, error):
    node.run("ip route del default")
    found = ask(node, dst, src, iif)
    assert (found.error, found.prefix) == (error, "")


def test_it_may_be_asked_from_inside_a_running_event_loop(node):
    async def within() -> Route:
        return Routes("here").ask(Question("10.224.0.4"))

    assert node.do(lambda: asyncio.run(within())).type == "local"
