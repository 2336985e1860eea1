"""One host in a namespace of its own, nothing leading out: a node with a NIC and the routes a test gives it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from prober.lab import namespaces

Result = TypeVar("Result")


class Node:
    """A namespace with ``eth0`` 10.224.0.4/24 and fd22::4/64, a default route, and room for pods."""

    def __init__(self) -> None:
        self.namespace, self.world = namespaces.anonymous(), namespaces.anonymous()
        self.run("ip link set lo up")
        self.veth("eth0")
        self.run("ip address add 10.224.0.4/24 dev eth0")
        self.run("ip address add fd22::4/64 dev eth0 nodad")
        self.run("ip route add default via 10.224.0.1")

    def veth(self, name: str) -> None:
        """A cable whose other end is somewhere else."""
        self.run(f"ip link add {name} type veth peer name {name} netns /proc/{os.getpid()}/fd/{self.world}")
        self.run(f"ip link set {name} up")
        namespaces.inside(self.world, lambda: subprocess.run(["ip", "link", "set", name, "up"], check=True))

    def do(self, function: Callable[[], Result]) -> Result:
        return namespaces.inside(self.namespace, function)

    def run(self, command: str) -> None:
        done = self.do(lambda: subprocess.run(command.split(), capture_output=True, text=True, timeout=20, check=False))
        assert done.returncode == 0, f"{command}: {done.stderr}"

    def close(self) -> None:
        os.close(self.namespace)
        os.close(self.world)


@pytest.fixture
def node() -> Iterator[Node]:
    try:
        made = Node()
    except OSError as refused:
        pytest.skip(f"no network namespaces can be made here: {refused}")
    yield made
    made.close()
