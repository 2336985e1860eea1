"""The way out: a batch of segments onto the network as the host's own connections would go.

A raw IP socket with the header included (raw(7)) passes the host's policy rules, routes and OUTPUT chain; an
AF_PACKET frame would bypass them and read a broken host as a healthy one. Needs CAP_NET_RAW when opened.

A batch's source address is bound, or goes along with each row as IP_PKTINFO where there are several, so that rules
"from" an address hold. The kernel knows no ports
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
from prober.wire import packets, privileges
from prober.wire.mmsg import AT_ONCE, Messages

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
_PAUSES_S = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016)
"""A full queue is waited out, longer each time; a row that finds it full after the last pause has failed."""

_SEND_BUFFER = 4 << 20


class Link:
    """Raw sockets for both families. Raises CannotMeasure where the process may not open them."""

    def __init__(self) -> None:
        opened = {family: _open(family) for family in (socket.AF_INET, socket.AF_INET6)}
        self._roads = {family: _Road(sock) for family, sock in opened.items() if sock is not None}
        if not self._roads:
            raise CannotMeasure("This host has neither IPv4 nor IPv6, so no probe can be sent.")

    @property
    def waits(self) -> int:
        """How often a full queue (ENOBUFS) made it wait."""
        return sum(road.waits for road in self._roads.values())

    def send(self, batch: Batch) -> Batch:
        """Send every row; the answer is an int32 errno a row, 0 where it left. One failure stops no other row."""
        ipv4 = segment.is_ipv4(batch)
        if ipv4.all():
            return self._send(socket.AF_INET, batch)
        errnos = np.zeros(len(batch), np.int32)
        for family, rows in ((socket.AF_INET, np.flatnonzero(ipv4)), (socket.AF_INET6, np.flatnonzero(~ipv4))):
            if len(rows):
                errnos[rows] = self._send(family, batch.take(rows))
        return errnos

    def _send(self, family: socket.AddressFamily, batch: Batch) -> Batch:
        road = self._roads.get(family)
        if road is None:
            return np.full(len(batch), errno.EAFNOSUPPORT, np.int32)
        parts = [road.send(batch[start : start + AT_ONCE]) for start in range(0, len(batch), AT_ONCE)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int32)

    def close(self) -> None:
        """Close both sockets."""
        for road in self._roads.values():
            road.sock.close()

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


class _Road:
    """One family's socket and the arrays that its batches are written into, again and again."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.waits = sock, 0
        ipv4 = sock.family == socket.AF_INET
        self._names = np.zeros(AT_ONCE, _SOCKADDR if ipv4 else _SOCKADDR6)
        self._names["family"] = sock.family  # the port of a raw socket's address is 0 (raw(7))
        self._sources = np.zeros(AT_ONCE, _PKTINFO if ipv4 else _PKTINFO6)
        self._sources["size"] = 28 if ipv4 else 36  # CMSG_LEN: without the padding at the end
        self._sources["level"] = socket.IPPROTO_IP if ipv4 else socket.IPPROTO_IPV6
        self._sources["type"] = _IP_PKTINFO if ipv4 else _IPV6_PKTINFO
        control = self._sources.view(np.uint8).reshape(AT_ONCE, -1)
        self._bound = bytes(control.shape[1])
        self._lengths = np.zeros(AT_ONCE, np.uint32)
        self._messages = Messages(np.zeros((AT_ONCE, packets.WIDTH), np.uint8), self._lengths, self._names, control)

    def send(self, batch: Batch) -> Batch:
        """Errnos of at most `AT_ONCE` rows. ``sendmmsg`` stops at the first that fails: note it, go on after it."""
        count = len(batch)
        packets.write(batch, self._messages.data[:count], self._lengths[:count])
        self._messages.lengths[:count] = self._lengths[:count]
        for addresses, name in ((self._names["address"], "dst"), (self._sources["address"], "src")):
            addresses[:count] = _bytes(batch, name, addresses.shape[1])
        self._leave_from(self._sources["address"][:count])
        errnos = np.zeros(count, np.int32)
        row = tries = 0
        while row < count:
            sent, error = self._messages.send(self.sock, row, count)
            row += sent
            tries = 0 if sent else tries
            if error in _BUSY and tries < len(_PAUSES_S):
                time.sleep(_PAUSES_S[tries])
                self.waits, tries = self.waits + 1, tries + 1
            elif error:
                errnos[row] = error
                row, tries = row + 1, 0
        return errnos

    def _leave_from(self, sources: Batch) -> None:
        """Bind to the one source there is, which costs a packet nothing; else let each row name its own."""
        one = sources[:1].tobytes()
        alone = bool((sources == sources[0]).all()) and self._bind(one)
        self._messages.headers["control_length"][: len(sources)] = 0 if alone else self._messages.control_length

    def _bind(self, address: bytes) -> bool:
        """Whether the socket leaves from this address; no other than the host's own can be bound."""
        if address != self._bound:
            try:
                self.sock.bind((socket.inet_ntop(self.sock.family, address), 0))
            except OSError:
                return False
            self._bound = address
        return True


def _bytes(batch: Batch, name: str, size: int) -> Batch:
    """An address column pair as `size` bytes in the network's order."""
    low = batch[f"{name}_lo"]
    if size == 4:
        return low.astype(">u4").view(np.uint8).reshape(-1, 4)
    return np.stack([batch[f"{name}_hi"], low], axis=1).astype(">u8").view(np.uint8)
