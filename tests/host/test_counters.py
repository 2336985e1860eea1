"""The kernel's counters, of the namespace that asks."""

from __future__ import annotations

import socket
import subprocess

import pytest

from prober.host import counters
from prober.host.counters import Counters


def test_every_wanted_counter_is_one_this_kernel_has():
    assert tuple(Counters().read()) == counters.WANTED


def test_they_are_those_that_nstat_names(node):
    def both():
        text = subprocess.run(["nstat", "-asz"], capture_output=True, text=True, check=True).stdout
        return Counters().read(), {line.split()[0]: int(line.split()[1]) for line in text.splitlines()[1:]}

    ours, theirs = node.do(both)
    assert ours == {name: theirs[name] for name in ours}


def test_a_packet_without_a_route_is_counted_in_its_own_namespace(node):
    node.run("ip route del default")
    there = node.do(Counters)
    before = there.read()["IpOutNoRoutes"]
    with pytest.raises(OSError, match="Network is unreachable"):
        node.do(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"", ("10.9.9.9", 9)))
    assert there.read()["IpOutNoRoutes"] > before, "looked at once more, from another namespace"
    there.close()
