"""Questions to the kernel, and its refusals as errnos."""

from __future__ import annotations

import errno
import socket
import subprocess

import pytest

from prober.host import rtnetlink


def test_links_addresses_and_routes_are_the_namespaces_own(node):
    assert [link.get_attr("IFLA_IFNAME") for link in node.do(rtnetlink.links)] == ["lo", "eth0"]
    held = {message.get_attr("IFA_ADDRESS") for message in node.do(rtnetlink.addresses)}
    assert {"127.0.0.1", "::1", "10.224.0.4", "fd22::4"} <= held
    gateways = [route.get_attr("RTA_GATEWAY") for route in node.do(lambda: rtnetlink.routes(socket.AF_INET))]
    assert [one for one in gateways if one] == ["10.224.0.1"]


def test_a_table_longer_than_one_datagram_is_read_whole(node):
    batch = "".join(f"route add 10.{100 + i // 200}.{i % 200}.0/24 via 10.224.0.9\n" for i in range(2000))
    node.do(lambda: subprocess.run(["ip", "-batch", "-"], input=batch.encode(), check=True))
    assert len(node.do(lambda: rtnetlink.routes(socket.AF_INET))) > 2000


def test_a_refused_lookup_is_an_oserror_with_the_kernels_errno(node):
    node.run("ip route add unreachable 10.19.0.0/16")
    with pytest.raises(OSError, match="No route to host") as said:
        node.do(lambda: rtnetlink.lookup(socket.AF_INET, 0, RTA_DST="10.19.0.4"))
    assert said.value.errno == errno.EHOSTUNREACH
