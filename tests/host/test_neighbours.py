"""What the kernel's own neighbour table says of a next hop."""

from __future__ import annotations

import pytest

from prober.host import neighbours
from prober.host.routes import Routes
from prober.report import Question


def state(node, address: str, device: str = "eth0") -> str:
    return node.do(lambda: neighbours.state(address, device))


@pytest.mark.parametrize("address", ["10.224.0.1", "fd22::1"])
def test_states_and_macs(node, address: str):
    assert state(node, address) == ""
    node.run(f"ip neigh replace {address} lladdr 02:00:0a:e0:00:01 dev eth0 nud reachable")
    assert state(node, address) == "REACHABLE 02:00:0a:e0:00:01"
    node.run(f"ip neigh replace {address} dev eth0 nud failed")
    assert state(node, address) == "FAILED"


def test_an_interface_that_is_not_there_knows_nobody(node):
    assert state(node, "10.224.0.1", "eth9") == ""


def test_a_route_comes_with_its_next_hops_state_or_the_destinations_own(node):
    node.run("ip neigh replace 10.224.0.1 dev eth0 nud failed")
    node.run("ip neigh replace 10.224.0.23 lladdr 02:00:0a:e0:00:17 dev eth0 nud permanent")

    def told(dst: str) -> str:
        return node.do(lambda: Routes("node1").ask(Question(dst)).neighbour)

    assert told("10.19.0.4") == "FAILED"
    assert told("10.224.0.23") == "PERMANENT 02:00:0a:e0:00:17"
    assert told("10.224.0.4") == "", "an address of its own has no neighbour"
