"""Two hosts, ``a`` and ``b``, joined by a cable, in namespaces without names: nothing leads out of them.

Each host is the kernel's own network stack. A test opens its sockets *in* a host (a socket stays where it was made).
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import pytest

from prober import probe, segment
from prober.handshakes import Handshakes
from prober.lab import namespaces
from prober.segment import Batch
from prober.sighting import sightings
from prober.wire.capture import Catch, Tap
from prober.wire.link import Link
from prober.wire.mute import Mute

KEY = b"a key for tests."
Result = TypeVar("Result")


class Host:
    """One network namespace."""

    def __init__(self) -> None:
        self.namespace = namespaces.anonymous()

    def do(self, function: Callable[[], Result]) -> Result:
        """Call `function` inside."""
        return namespaces.inside(self.namespace, function)

    def run(self, command: str | list[str], text: str = "") -> str:
        """Run one program inside; its output, or its complaint as the failure."""

        def start() -> subprocess.CompletedProcess[str]:
            words = command.split() if isinstance(command, str) else command
            return subprocess.run(words, input=text, capture_output=True, text=True, timeout=20, check=False)

        done = self.do(start)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def rule(self, hook: str, rule: str) -> None:
        """One nft rule in a chain of its own."""
        chain = f"add chain inet t c {{ type filter hook {hook} priority 0; }}"
        self.run("nft -f -", f"add table inet t\n{chain}\nadd rule inet t c {rule}\n")

    def listener(self, address: str, port: int, backlog: int = 8) -> socket.socket:
        """A real kernel listener that nobody accepts from."""

        def listen() -> socket.socket:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_STREAM)
            sock.bind((address, port))
            sock.listen(backlog)
            return sock

        return self.do(listen)

    def close(self) -> None:
        os.close(self.namespace)


class Prober:
    """The packet side of an agent in one host: tap, link, mute kernel, and its table of handshakes."""

    def __init__(self, host: Host, mute: bool = True) -> None:
        self.tap, self.link = host.do(Tap), host.do(Link)
        self.mute = host.do(Mute) if mute else None
        self.handshakes = Handshakes()
        self.serial = 0

    def syns(self, source: str, target: str, port: int, count: int = 1) -> Batch:
        """SYNs of `count` flows, never two from one source port within 128."""
        rows = segment.empty(count)
        for name, address in (("src", source), ("dst", target)):
            rows[f"{name}_hi"], rows[f"{name}_lo"] = segment.pair(address)
        serials = np.arange(self.serial, self.serial + count)
        self.serial += count
        rows["sport"], rows["dport"] = np.array(probe.PORTS)[serials % len(probe.PORTS)], port
        return probe.ask(np.array([probe.identity(7, int(one)) for one in serials], np.uint32), KEY, rows)

    def ask(self, rows: Batch, timeout: float = 1.0) -> Batch:
        """One round, to the end: every handshake's outcome, each closed by what the table says."""
        now = time.time_ns()
        zero = np.zeros(len(rows), np.uint16)
        self.handshakes.open(rows, zero, zero, int(timeout * 1e9), now)
        errnos = self.link.send(rows)
        failed = errnos != 0
        outcomes = [self.handshakes.fail(rows["seq"][failed], errnos[failed], time.time_ns())]
        while len(self.handshakes):
            seen, _ = sightings(self.hear(0.02).segments, (KEY,), frozenset())
            for closing, ended in (
                self.handshakes.hear(seen, time.time_ns()),
                self.handshakes.expire(time.time_ns()),
            ):
                assert not self.link.send(closing).any()
                outcomes.append(ended)
        return np.sort(np.concatenate(outcomes), order="probe")

    def hear(self, patience: float = 0.3) -> Catch:
        """What the tap has, waiting at most `patience` seconds for the first frame."""
        select.select([self.tap], [], [], patience)
        return self.tap.receive()

    def hear_all(self, seconds: float = 0.3) -> Catch:
        """Everything in the next `seconds`."""
        time.sleep(seconds)
        return self.tap.receive()

    def close(self) -> None:
        for one in (self.tap, self.link, self.mute):
            if one is not None:
                one.close()


@pytest.fixture
def cable() -> Iterator[tuple[Host, Host]]:
    """``a`` 10.77.0.1, fd77::1 and ``b`` 10.77.0.2, fd77::2, each host's interface named ``eth0``."""
    try:
        a, b = Host(), Host()
    except OSError as refused:
        pytest.skip(f"no network namespaces can be made here: {refused}")
    a.run(f"ip link add eth0 type veth peer name eth0 netns /proc/{os.getpid()}/fd/{b.namespace}")
    for host, number in ((a, 1), (b, 2)):
        host.run("ip link set lo up")
        host.run("ip link set eth0 up")
        host.run(f"ip address add 10.77.0.{number}/24 dev eth0")
        host.run(f"ip address add fd77::{number}/64 dev eth0 nodad")
    yield a, b
    a.close()
    b.close()


@pytest.fixture
def probers(cable: tuple[Host, Host]) -> Iterator[Callable[..., Prober]]:
    """Make a `Prober` in a host; closed when the test ends."""
    made: list[Prober] = []

    def make(host: Host, mute: bool = True) -> Prober:
        made.append(Prober(host, mute))
        return made[-1]

    yield make
    for one in made:
        one.close()
