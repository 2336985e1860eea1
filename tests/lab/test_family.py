"""An incident in the other family: every prefix keeps its meaning, and nothing but addresses and commands changes."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.lab import incident
from prober.lab.family import in_ipv6, length

NETWORKS = st.builds(
    lambda number, bits: ipaddress.ip_network((number, bits), strict=False),
    st.integers(1 << 24, 2**32 - 1),
    st.integers(8, 32),
)


@given(NETWORKS, st.ip_addresses(v=4).filter(lambda one: int(one) >> 24))
def test_an_address_lies_inside_a_prefix_in_both_families_or_in_neither(network, address):
    six, inside = (ipaddress.ip_network(in_ipv6(str(one))) for one in (network, address))
    assert inside.subnet_of(six) == (address in network)


@pytest.mark.parametrize(
    ("four", "six"),
    [
        ("10.19.0.4", "fd00:a:13::4"), ("10.19.0.0/16", "fd00:a:13::/48"), ("172.17.8.0/25", "fd00:ac:11:8::/121"),
        ("0.0.0.0/0", "::/0"), ("ip route add default via 10.0.0.1", "ip -6 route add default via fd00:a::1"),
        ("ip rule add fwmark 7 lookup 77", "ip -6 rule add fwmark 7 lookup 77"),
        ("ip addr add 10.0.0.1/24 dev eth0", "ip addr add fd00:a::1/64 dev eth0 nodad"),
        ("ip link add name docker0 type bridge", "ip link add name docker0 type bridge"),
        ("nft add table ip incident", "nft add table ip6 incident"),
        ("nft add rule ip f c ip saddr 10.0.0.1 reject with icmp type admin-prohibited",
         "nft add rule ip6 f c ip6 saddr fd00:a::1 reject with icmpv6 type admin-prohibited"),
        ("nft add rule ip b c dnat to 10.4.0.2:8080", "nft add rule ip6 b c dnat to [fd00:a:4::2]:8080"),
        ("version 1.2.3.4.5 and v1.2.3.4", "version 1.2.3.4.5 and v1.2.3.4"),
    ],
)  # fmt: skip
def test_what_is_said_in_the_other_family(four, six):
    assert in_ipv6(four) == six


def test_lengths_of_prefixes_are_told_by_their_key():
    assert in_ipv6({"pools": [{"mask": 16, "port": 16}]}) == {"pools": [{"mask": 48, "port": 16}]}
    assert [length(bits) for bits in (0, 8, 12, 24, 25, 31, 32)] == [0, 32, 44, 64, 121, 127, 128]


def test_an_incident_like_another_differs_from_it_in_nothing_else():
    four, six = incident.load("incident"), incident.load("incident-6")
    assert six.name == "incident-6"
    assert six.title == f"{four.title}, in IPv6"
    assert [one.label for one in six.expect] == [one.label for one in four.expect]
    assert six.expect[0].culprit == "fd00:a:13::/48 via fd00:a:e0::17"
    assert set(six.network.hosts) == set(four.network.hosts)
    assert {net.version for nets in six.network.subnets.values() for net in nets} == {6}
