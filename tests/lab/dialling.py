"""What the kernel itself says of a path: a plain connect(), a raw socket, an AF_PACKET tap, inside a lab's host."""

from __future__ import annotations

import errno
import functools
import selectors
import socket
import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import cast

from prober.lab import namespaces
from prober.lab.network import Network
from prober.lab.topology import Lab

TIMEOUT = 0.3
"""Seconds; a connect() in a lab takes less than a millisecond or for ever."""


DUAL = Network.model_validate(
    {
        "subnets": {"left": ["198.18.1.0/24", "fd00:1::/64"], "right": ["198.18.2.0/24", "fd00:2::/64"]},
        "hosts": {
            "router": {
                "router": True,
                "addresses": {"left": ["198.18.1.1", "fd00:1::1"], "right": ["198.18.2.1", "fd00:2::1"]},
                "setup": ["ip route add 198.18.4.0/24 via 198.18.2.4", "ip -6 route add fd00:4::/64 via fd00:2::4"],
            },
            "caller": {"addresses": {"left": ["198.18.1.4", "fd00:1::4"]}, "gateway": ["198.18.1.1", "fd00:1::1"]},
            "node": {
                "addresses": {"right": ["198.18.2.4", "fd00:2::4"]},
                "gateway": ["198.18.2.1", "fd00:2::1"],
                "listen": 80,
                "pods": {"pod": {"address": ["198.18.4.2", "fd00:4::2"], "listen": [8080, 8081]}},
            },
        },
    }
)
"""A router between two subnets of both families, and a pod behind a node."""


def dial(lab: Lab, calls: Iterable[tuple[str, str, int]]) -> list[str]:
    """The outcome of each ``(place, address, port)``, all dialled at once: ``connects``, ``times out``, an errno.

    A socket stays in the namespace it was made in, so one process waits for all of them.
    """
    with ExitStack() as stack, selectors.DefaultSelector() as waiting:
        outcomes: dict[int, str] = {}
        for number, (place, address, port) in enumerate(calls):
            caller, code = namespaces.inside(lab.namespaces[place], functools.partial(_begin, address, port))
            stack.callback(caller.close)
            outcomes[number] = "times out" if code == errno.EINPROGRESS else _outcome(code)
            if code == errno.EINPROGRESS:
                waiting.register(caller, selectors.EVENT_WRITE, number)
        until = time.monotonic() + TIMEOUT
        while waiting.get_map() and (left := until - time.monotonic()) > 0:
            for key, _ in waiting.select(left):
                caller = cast("socket.socket", key.fileobj)
                outcomes[key.data] = _outcome(caller.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
                waiting.unregister(caller)
    return list(outcomes.values())


def _begin(address: str, port: int) -> tuple[socket.socket, int]:
    caller = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    caller.setblocking(False)
    return caller, caller.connect_ex((address, port))


def _outcome(code: int) -> str:
    return errno.errorcode[code] if code else "connects"


def tap(lab: Lab, place: str, device: str = "eth0") -> socket.socket:
    """An AF_PACKET socket on one device of a place, IPv4 only."""

    def open_tap() -> socket.socket:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        opened.bind((device, 0x0800))
        opened.settimeout(TIMEOUT)
        return opened

    return namespaces.inside(lab.namespaces[place], open_tap)


def icmp_errors(lab: Lab, place: str) -> socket.socket:
    """A raw ICMP socket at a place."""

    def open_socket() -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        opened.settimeout(4)
        return opened

    return namespaces.inside(lab.namespaces[place], open_socket)


def frames(opened: socket.socket, seconds: float = TIMEOUT) -> list[tuple[str, str, int, int]]:
    """What a tap sees until `seconds` have passed: ``(source, destination, ttl, packet type)``, TCP only."""
    seen, until = [], time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        opened.settimeout(left)
        try:
            packet, where = opened.recvfrom(2048)
        except TimeoutError:
            break
        if packet[9] == socket.IPPROTO_TCP:
            source, destination = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
            seen.append((source, destination, packet[8], where[2]))
    return seen
