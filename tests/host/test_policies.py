"""Which policy rule led to the table that a lookup was answered from."""

from __future__ import annotations

import pytest

from prober.host import policies
from prober.host.routes import Routes
from prober.report import Question

POD = "10.4.76.34"


@pytest.fixture
def pods(node):
    """A node that forwards for a pod behind lxc1."""
    node.veth("lxc1")
    node.run("ip route add 10.4.76.34/32 dev lxc1")
    node.run("sysctl -qw net.ipv4.ip_forward=1")
    return node


def ask(node, src="", iif="", dst="10.19.0.4"):
    return node.do(lambda: Routes("node1").ask(Question(dst, src, iif)))


def test_a_rule_that_sends_pods_by_another_table_is_named_with_that_table(pods):
    pods.run("ip rule add from 10.4.0.0/16 lookup 100 priority 1000")
    pods.run("ip route add 10.19.0.0/16 via 10.224.0.23 table 100")
    found = ask(pods, POD, "lxc1")
    assert (found.table, found.rule) == ("100", "rule 1000: from 10.4.0.0/16 lookup 100")
    assert found.text() == "10.19.0.0/16 via 10.224.0.23 table 100, rule 1000: from 10.4.0.0/16 lookup 100"
    assert ask(pods).text() == "0.0.0.0/0 via 10.224.0.1", "the host's own replies are not sent by it"


def test_a_rule_whose_table_has_no_route_does_not_decide(pods):
    pods.run("ip rule add from 10.4.0.0/16 lookup 100 priority 1000")
    assert ask(pods, POD, "lxc1").text() == "0.0.0.0/0 via 10.224.0.1"


def test_all_selectors_that_a_question_can_meet_are_looked_at(pods):
    pods.run("ip rule add to 10.50.0.0/16 lookup 100 priority 900")
    pods.run("ip rule add iif eth0 lookup 100 priority 901")
    pods.run("ip rule add fwmark 7 lookup 100 priority 902")
    pods.run("ip rule add iif lxc1 to 10.19.0.0/16 lookup 100 priority 903")
    pods.run("ip route add 10.19.0.0/16 via 10.224.0.23 table 100")
    assert ask(pods, POD, "lxc1").rule == "rule 903: from all to 10.19.0.0/16 iif lxc1 lookup 100"


@pytest.mark.parametrize(
    ("action", "error"), [("blackhole", "EINVAL"), ("unreachable", "ENETUNREACH"), ("prohibit", "EACCES")]
)
def test_a_rule_that_refuses_by_itself_is_no_missing_route(pods, action, error):
    pods.run(f"ip rule add from 10.4.0.0/16 {action} priority 1000")
    found = ask(pods, POD, "lxc1")
    assert (found.type, found.error, found.prefix) == (action, error, "")
    assert found.text() == f"rule 1000: from 10.4.0.0/16 {action}"


def test_a_refusing_route_in_another_table_is_named_with_it(pods):
    pods.run("ip rule add from 10.4.0.0/16 lookup 100 priority 1000")
    pods.run("ip route add prohibit 10.19.0.0/16 table 100")
    assert ask(pods, POD, "lxc1").text() == "prohibit 10.19.0.0/16 table 100, rule 1000: from 10.4.0.0/16 lookup 100"


def test_ipv6_has_rules_of_its_own(node):
    node.run("ip -6 rule add to fd19::/48 lookup 100 priority 1000")
    node.run("ip route add fd19::/48 via fd22::23 table 100")
    assert (
        ask(node, dst="fd19::4").text()
        == "fd19::/48 via fd22::23 table 100, rule 1000: from all to fd19::/48 lookup 100"
    )
    assert node.do(lambda: policies.refusing(22, Question("fd19::4"))) == ("", "")
