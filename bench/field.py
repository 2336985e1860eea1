"""Two hosts on one cable, in namespaces without names: the prober's, and one whose kernel owns a whole /16."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from prober.lab import closed, commands, namespaces
from prober.lab.processes import Children, listener

HERE, THERE = "198.18.0.1", "198.18.0.2"
HERE6, THERE6 = "fd18::1", "fd18::2"
TARGETS = "198.19.0.0/16"
"""The benchmark network of RFC 2544; the far side's kernel takes every address of it for its own."""
PORT, DROPPED = 8080, 9
"""A listener's port, and one that both sides drop."""

Result = TypeVar("Result")

_SETTINGS = {"net.ipv4.conf.all.rp_filter": "0", "net.core.somaxconn": "65535", "net.ipv4.tcp_max_syn_backlog": "65536"}
_NEAR = ("link set lo up", "link set eth0 up", f"addr add {HERE}/24 dev eth0", f"addr add {HERE6}/64 dev eth0 nodad")
_FAR = ("link set lo up", "link set eth0 up", f"addr add {THERE}/24 dev eth0", f"addr add {THERE6}/64 dev eth0 nodad")


class Field:
    """A context manager; ``near`` and ``far`` are the two namespaces' descriptors. What it forks ends with it."""

    def __init__(self, dropping: bool = True) -> None:
        self.dropping = dropping
        self.children = Children()
        self.near, self.far = namespaces.anonymous(), namespaces.anonymous()

    def __enter__(self) -> Self:
        ends = {"near": self.near, "far": self.far}
        cable = f"link add eth0 type veth peer name eth0 netns /proc/self/fd/{self.far}"
        commands.batch("near", self.near, "ip", [cable], [self.far])
        commands.batch("near", self.near, "ip", [*_NEAR, f"route add {TARGETS} via {THERE}"])
        commands.batch("far", self.far, "ip", [*_FAR, f"route add local {TARGETS} dev lo"])
        for name, end in ends.items():
            commands.sysctl(name, end, _SETTINGS)
            if not self.dropping:
                continue  # a rule costs every packet something
            commands.run(name, end, "nft 'add table inet t'")
            commands.run(name, end, "nft 'add chain inet t c { type filter hook prerouting priority -300; }'")
            commands.run(name, end, f"nft 'add rule inet t c tcp dport {DROPPED} drop'")
        closed.assert_closed(ends)
        self.children.fork(listener(self.far, "0.0.0.0", PORT))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.children.end_all()
        os.close(self.near)
        os.close(self.far)

    def do(self, function: Callable[[], Result]) -> Result:
        """Call `function` in a thread on the near side."""
        return namespaces.inside(self.near, function)

    def watch(self, until: threading.Event) -> list[tuple[float, int]]:
        """``(when, packets that have left the far side)``, every millisecond or so until told to end."""
        seen: list[tuple[float, int]] = []

        def look() -> None:
            while not until.is_set():
                seen.append((time.perf_counter(), _counted("tx_packets")))
                time.sleep(0.001)

        namespaces.inside(self.far, look)
        return seen

    def await_answer(self, before: int, patience: float = 20.0) -> float:
        """When the far side's TCP first heard more than `before` segments (``perf_counter``), or TimeoutError."""
        deadline = time.perf_counter() + patience

        def look() -> float:
            while _segments() <= before:
                if time.perf_counter() > deadline:
                    raise TimeoutError("the far side answered nothing")
                time.sleep(0.001)
            return time.perf_counter()

        return namespaces.inside(self.far, look)

    def do_far(self, function: Callable[[], Result]) -> Result:
        """Call `function` in a thread on the far side."""
        return namespaces.inside(self.far, function)

    def heard(self) -> int:
        """TCP segments that the far side's kernel has heard."""
        return namespaces.inside(self.far, _segments)

    def received(self) -> int:
        """Packets that have arrived at the far side's interface."""
        return namespaces.inside(self.far, lambda: _counted("rx_packets"))

    def sent_back(self) -> int:
        """Packets that have left it."""
        return namespaces.inside(self.far, lambda: _counted("tx_packets"))

    def hardware(self) -> str:
        """The far side's MAC address."""
        return namespaces.inside(self.far, lambda: _attribute("address"))


def _counted(name: str) -> int:
    """From /proc/net/dev, which shows the thread's own namespace; sysfs would show the one it was mounted in."""
    for line in Path("/proc/thread-self/net/dev").read_text().splitlines():
        device, _, numbers = line.partition(":")
        if device.strip() == "eth0":
            return int(numbers.split()[{"rx_packets": 1, "tx_packets": 9}[name]])
    raise LookupError("there is no eth0")


def _segments() -> int:
    names, values = (
        line.split() for line in Path("/proc/thread-self/net/snmp").read_text().splitlines() if line[:4] == "Tcp:"
    )
    return int(values[names.index("InSegs")])


def _attribute(name: str) -> str:
    import json
    import subprocess

    told = subprocess.run(["ip", "-j", "link", "show", "dev", "eth0"], capture_output=True, text=True, check=True)
    return str(json.loads(told.stdout)[0][name])
