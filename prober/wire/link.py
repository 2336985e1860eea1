"""The way out: a batch of segments onto the network as the host's own connections would go.

A raw IP socket with the header included (raw(7)) passes the host's policy rules, routes and OUTPUT chain; an
AF_PACKET frame would bypass them and read a broken host as a healthy one. Needs CAP_NET_RAW when opened.

Each row's source address goes along as IP_PKTINFO, so that rules "from" an address hold. The kernel knows no ports
of a raw packet when it looks up the route: rules by port, and L4 hashing over this host's *own* next hops, do not
apply (raw_sendmsg, net/ipv4/raw.c); every router beyond hashes by the header.
"""

from __future__ import annotations

import errno
import socket
import time
from types import TracebackType
from typing import Self

import numpy as np

from prober import segment
from prober.errors import CannotMeasure
from prober.segment import Batch
from prober.wire import privileges
from prober.wire.codec import frames
from prober.wire.mmsg import Messages

_SOCKADDR = np.dtype([("family", "<u2"), ("port", ">u2"), ("address", "u1", 4), ("zero", "u1", 8)])
_SOCKADDR6 = np.dtype([("family", "<u2"), ("port", ">u2"), ("flow", ">u4"), ("address", "u1", 16), ("scope", "<u4")])

_PKTINFO = np.dtype(
    [("size", "<u8"), ("level", "<i4"), ("type", "<i4"), ("interface", "<i4"), ("address", "u1", 4), ("_", "u1", 8)]
)
_PKTINFO6 = np.dtype([("size", "<u8"), ("level", "<i4"), ("type", "<i4"), ("address", "u1", 16), ("_", "u1", 8)])
"""Control messages with ``struct in_pktinfo`` and ``in6_pktinfo`` (ip(7), ipv6(7)): only the source is given."""

_IP_PKTINFO, _IPV6_PKTINFO = 8, 50
_IP_RECVERR, _IPV6_RECVERR = 11, 25  # linux/in.h, linux/in6.h
_BUSY = (errno.ENOBUFS, errno.EAGAIN, errno.EINTR)
_TRIES, _PAUSE_S = 20, 0.001
"""A full queue is waited out for at most 20 ms a row; then the row has failed, which the caller hears."""

_SEND_BUFFER = 4 << 20


class Link:
    """Raw sockets for both families. Raises CannotMeasure where the process may not open them."""

    def __init__(self) -> None:
        self._ipv4 = _open(socket.AF_INET)
        self._ipv6 = _open(socket.AF_INET6)
        if self._ipv4 is None and self._ipv6 is None:
            raise CannotMeasure("This host has neither IPv4 nor IPv6, so no probe can be sent.")

    def send(self, batch: Batch) -> Batch:
        """Send every row; the answer is an int32 errno a row, 0 where it left. One failure stops no other row."""
        errnos = np.zeros(len(batch), np.int32)
        ipv4 = segment.is_ipv4(batch)
        for sock, mask in ((self._ipv4, ipv4), (self._ipv6, ~ipv4)):
            rows = np.flatnonzero(mask)
            if len(rows):
                errnos[rows] = errno.EAFNOSUPPORT if sock is None else _send(sock, batch[rows])
        return errnos

    def close(self) -> None:
        """Close both sockets."""
        for sock in (self._ipv4, self._ipv6):
            if sock is not None:
                sock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open(family: socket.AddressFamily) -> socket.socket | None:
    """A raw socket, or None where the host lacks the family."""
    try:
        sock = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    except PermissionError as refused:
        raise CannotMeasure(privileges.describe()) from refused
    except OSError as failure:
        if failure.errno == errno.EAFNOSUPPORT:
            return None
        raise
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    # Without it the kernel hides a full device queue from raw sockets (raw_send_hdrinc, net/ipv4/raw.c).
    if family == socket.AF_INET:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    return sock


def _send(sock: socket.socket, batch: Batch) -> Batch:
    """Errnos of one family's rows. ``sendmmsg`` stops at the first row that fails: note it, go on after it."""
    errnos = np.zeros(len(batch), np.int32)
    messages = Messages(*frames(batch), _destinations(batch, sock.family), _sources(batch, sock.family))
    row = tries = 0
    while row < len(batch):
        sent, error = messages.send(sock, row)
        row += sent
        tries = 0 if sent else tries
        if error in _BUSY and tries < _TRIES:
            tries += 1
            time.sleep(_PAUSE_S)
        elif error:
            errnos[row] = error
            row, tries = row + 1, 0
    return errnos


def _destinations(batch: Batch, family: int) -> Batch:
    """A socket address a row; the port of a raw socket's address is 0 (raw(7))."""
    names = np.zeros(len(batch), _SOCKADDR if family == socket.AF_INET else _SOCKADDR6)
    names["family"] = family
    names["address"] = _bytes(batch, "dst", names["address"].shape[1])
    return names


def _sources(batch: Batch, family: int) -> Batch:
    """A control message a row that names its source, as (N, size) bytes."""
    ipv4 = family == socket.AF_INET
    control = np.zeros(len(batch), _PKTINFO if ipv4 else _PKTINFO6)
    control["size"] = 28 if ipv4 else 36  # CMSG_LEN: without the padding at the end
    control["level"] = socket.IPPROTO_IP if ipv4 else socket.IPPROTO_IPV6
    control["type"] = _IP_PKTINFO if ipv4 else _IPV6_PKTINFO
    control["address"] = _bytes(batch, "src", control["address"].shape[1])
    return control.view(np.uint8).reshape(len(batch), -1)


def _bytes(batch: Batch, name: str, size: int) -> Batch:
    """An address column pair as the last `size` bytes in the network's order."""
    whole = np.stack([batch[f"{name}_hi"], batch[f"{name}_lo"]], axis=1).astype(">u8").view(np.uint8)
    return whole[:, -size:]
