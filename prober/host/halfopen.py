"""This namespace's half-open sockets: a SYN that TCP took and answered, and whose ACK has not come.

A row in state 03 of /proc/net/tcp (TCP_SYN_RECV, net/ipv4/tcp_ipv4.c, get_openreq4) says that a SYN passed INPUT and
reached a listener with room. Reading it needs no capability. Not there with ``tcp_syncookies=2``.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path

Flow = tuple[str, int, str, int]
"""Remote address and port, local address and port: the SYN's source and destination."""

_SYN_RECV = "03"


def read() -> set[Flow]:
    """The four-tuples, as their SYNs had them."""
    return set(rows(_SYN_RECV))


def rows(state: str) -> Iterator[Flow]:
    """The sockets in this state (two hexadecimal digits, net/tcp_states.h)."""
    for name in ("tcp", "tcp6"):
        yield from _rows(Path("/proc/thread-self/net") / name, state)


def _rows(path: Path, state: str) -> Iterator[Flow]:
    if not path.exists():
        return  # a kernel without IPv6
    with path.open() as lines:
        next(lines)
        for line in lines:
            words = line.split(maxsplit=4)
            if words[3] == state:
                yield (*_end(words[2]), *_end(words[1]))


def _end(text: str) -> tuple[str, int]:
    """``0100007F:1F90``: the address's 32-bit words in host order, the port in hexadecimal."""
    address, port = text.split(":")
    words = [int(address[i : i + 8], 16) for i in range(0, len(address), 8)]
    packed = b"".join(socket.htonl(word).to_bytes(4, "big") for word in words)
    value = ipaddress.ip_address(packed)
    mapped = value.ipv4_mapped if isinstance(value, ipaddress.IPv6Address) else None
    return str(mapped or value), int(port, 16)
