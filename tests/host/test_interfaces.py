"""Which interfaces are pods', told by the kernel's own tables."""

from __future__ import annotations

import pytest

from prober.host.interfaces import Interfaces, names, pod_interfaces

OWN, BLOCKS = ["10.224.0.4", "fd22::4"], ["10.4.0.0/16"]


def pods(node, own=OWN, blocks=BLOCKS):
    """The names of what are said to be pods' interfaces."""

    def found():
        known = names()
        return {known[index] for index in pod_interfaces(own, blocks)}

    return node.do(found)


def test_a_nic_is_none_though_it_is_a_veth_here(node):
    assert pods(node) == set()


def test_a_veth_with_a_pods_address_routed_to_it_is_one(node):
    node.veth("lxc1")
    node.run("ip route add 10.4.76.34/32 dev lxc1")
    assert pods(node) == {"lxc1"}


def test_a_veth_on_a_bridge_that_holds_the_block_is_one_and_the_bridge_too(node):
    node.run("ip link add cni0 type bridge")
    node.run("ip link set cni0 up")
    node.run("ip address add 10.4.0.1/16 dev cni0")
    node.veth("vethab")
    node.run("ip link set vethab master cni0")
    assert pods(node) == {"cni0", "vethab"}


def test_a_pod_of_an_undeclared_block_is_one_still(node):
    node.veth("lxc9")
    node.run("ip route add 10.19.76.2/32 dev lxc9")
    assert pods(node, blocks=[]) == {"lxc9"}


def test_a_second_nic_with_a_subnet_of_its_own_is_none(node):
    node.veth("eth1")
    node.run("ip address add 10.225.0.4/24 dev eth1")
    assert pods(node) == set()


def test_the_device_of_the_default_route_is_none_whatever_it_carries(node):
    node.run("ip route del default")
    node.veth("wan0")
    node.run("ip address add 169.254.7.1/30 dev wan0")
    node.run("ip route add default via 169.254.7.2 dev wan0")
    assert pods(node) == set()


def test_an_ipv6_only_pod_is_one(node):
    node.veth("lxc6")
    node.run("ip -6 route add fd04::34/128 dev lxc6")
    assert pods(node, blocks=["fd04::/64"]) == {"lxc6"}


def test_addresses_and_blocks_that_are_none_are_refused():
    with pytest.raises(ValueError, match="nonsense"):
        pod_interfaces(["nonsense"], [])


def test_names_are_by_index():
    assert names()[1] == "lo"


def test_a_look_is_taken_again_only_where_something_has_changed_or_something_else_is_asked(node, monkeypatch):
    looks, found = [], []

    def look(addresses, blocks):
        looks.append(blocks)
        return pod_interfaces(addresses, blocks)

    def looked():
        known = Interfaces()
        known.look(OWN, BLOCKS)
        known.look(OWN, BLOCKS)
        node.veth("lxc1")
        node.run("ip route add 10.4.76.34/32 dev lxc1")
        known.look(OWN, BLOCKS)
        found.extend(known.names[index] for index in known.pods)
        known.look(OWN, [])

    monkeypatch.setattr("prober.host.interfaces.pod_interfaces", look)
    node.do(looked)
    assert (looks, found) == ([BLOCKS, BLOCKS, []], ["lxc1"])


def test_a_look_that_failed_halfway_is_taken_again(monkeypatch):
    known = Interfaces()
    monkeypatch.setattr("prober.host.interfaces.pod_interfaces", _short_of_something)
    with pytest.raises(OSError, match="buffer"):
        known.look(OWN, BLOCKS)
    monkeypatch.setattr("prober.host.interfaces.pod_interfaces", lambda *_: frozenset({7}))
    known.look(OWN, BLOCKS)
    assert known.pods == {7}


def _short_of_something(*_):
    raise OSError(105, "No buffer space available")
