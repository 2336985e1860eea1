"""The way in: one passive tap over every interface of the network namespace, with the kernel's own timestamps.

An AF_PACKET socket (packet(7)) sees frames on the way in before netfilter and rp_filter, on the way out after them.
Frames that a bridge flooded here but that are addressed to another host are never evidence and are left out. On
``lo`` every frame passes twice, once each way. Needs CAP_NET_RAW when opened, nothing afterwards.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from contextlib import suppress
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np

from prober import segment
from prober.errors import CannotMeasure
from prober.segment import IN, OUT, Batch
from prober.wire import codec, filter, privileges
from prober.wire.mmsg import Messages

SNAP = 160
"""Captured bytes a frame: link header, the longest TCP header, and an ICMP error's quote with its options."""

_LINK = np.dtype(
    [
        ("family", "<u2"), ("protocol", ">u2"), ("interface", "<i4"),
        ("hardware", "<u2"), ("packet_type", "u1"), ("halen", "u1"), ("address", "u1", 8),
    ]
)  # fmt: skip
"""``struct sockaddr_ll`` (linux/if_packet.h)."""

_STAMP = np.dtype([("size", "<u8"), ("level", "<i4"), ("type", "<i4"), ("seconds", "<i8"), ("nanoseconds", "<i8")])
"""The one control message asked for: SCM_TIMESTAMPNS with a 64-bit timespec."""

_SO_TIMESTAMPNS, _SO_RCVBUFFORCE = 35, 33  # asm-generic/socket.h
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_ETH_P_ALL = 3
_WITH_ETHERNET = (1, 772)  # ARPHRD_ETHER, ARPHRD_LOOPBACK (linux/if_arp.h)
_PACKET_OUTGOING = 4
_RECEIVE_BUFFER = 16 << 20
_AT_ONCE = 1024

_libc = ctypes.CDLL(None, use_errno=True)


class Catch(NamedTuple):
    """What a tap saw: a `SEGMENT` batch, and for each row its packet from the IP header on (`SNAP` bytes at most)."""

    segments: Batch
    frames: list[bytes]


class Tap:
    """Capturing from the moment it is made, into `buffer` bytes. Raises CannotMeasure where the process may not."""

    def __init__(self, buffer: int = _RECEIVE_BUFFER) -> None:
        self._socket = _open(buffer)
        self._dropped = 0
        self.unread = 0
        """Frames that passed the kernel's filter and were not what it was meant for (cut or forged headers)."""
        self._stamps = np.zeros((_AT_ONCE, _STAMP.itemsize), np.uint8)
        data, names = np.zeros((_AT_ONCE, SNAP), np.uint8), np.zeros(_AT_ONCE, _LINK)
        self._messages = Messages(data, np.full(_AT_ONCE, SNAP), names, self._stamps)

    def fileno(self) -> int:
        """To wait on with an event loop or `select`."""
        return self._socket.fileno()

    def receive(self, limit: int = 4096) -> Catch:
        """What has been captured since the last call, at most about `limit` frames; empty if nothing. Never waits."""
        batches: list[Batch] = [segment.empty()]
        frames: list[bytes] = []
        while limit > 0:
            count = self._fetch(min(limit, _AT_ONCE))
            if count:
                segments, packets = self._take(count)
                batches.append(segments)
                frames += packets
            if count < min(limit, _AT_ONCE):
                break
            limit -= count
        return Catch(np.concatenate(batches), frames)

    def _fetch(self, limit: int) -> int:
        """One system call: how many frames it brought."""
        self._messages.rearm()
        count, error = self._messages.receive(self._socket, limit)
        if error not in (0, errno.EAGAIN, errno.EINTR):
            raise OSError(error, f"capture: {os.strerror(error)}")
        return count

    def _take(self, count: int) -> tuple[Batch, list[bytes]]:
        """The first `count` frames as segments and packets."""
        data, links = self._messages.data[:count], self._messages.names[:count]
        lengths = np.minimum(self._messages.headers["length"][:count], SNAP).astype(np.int64)
        packets, lengths, neighbours = _unlinked(data, lengths, links)
        segments, rows = codec.parse(packets, lengths)
        self.unread += count - len(rows)
        stamps = self._stamps[:count].view(_STAMP)[:, 0][rows]
        segments["time_ns"] = stamps["seconds"] * 1_000_000_000 + stamps["nanoseconds"]
        segments["interface"], segments["neighbour"] = links["interface"][rows], neighbours[rows]
        segments["way"] = np.where(links["packet_type"][rows] == _PACKET_OUTGOING, OUT, IN)
        return segments, [packets[row, : lengths[row]].tobytes() for row in rows]

    def dropped(self) -> int:
        """Frames that the kernel dropped for want of room since the tap was made; reading resets the kernel's own."""
        raw = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        self._dropped += struct.unpack("=II", raw)[1]
        return self._dropped

    def close(self) -> None:
        """Stop capturing."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _open(buffer: int) -> socket.socket:
    """A packet socket that was filtered before it was bound: protocol 0 captures nothing yet (packet(7))."""
    try:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    except PermissionError as refused:
        raise CannotMeasure(privileges.describe()) from refused
    filter.attach(sock, filter.PROGRAM)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    with suppress(PermissionError):  # beyond net.core.rmem_max wants CAP_NET_ADMIN; else smaller, drops are counted
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer)
    sock.setblocking(False)
    _bind_everywhere(sock)
    return sock


def _bind_everywhere(sock: socket.socket) -> None:
    """Bind to all interfaces, by interface index 0: Python's own `bind` wants an interface's name."""
    name = np.zeros(1, _LINK)
    name["family"], name["protocol"] = socket.AF_PACKET, _ETH_P_ALL
    if _libc.bind(sock.fileno(), ctypes.c_void_p(name.ctypes.data), name.itemsize) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"capture: bind: {os.strerror(number)}")


def _unlinked(data: Batch, lengths: Batch, links: Batch) -> tuple[Batch, Batch, Batch]:
    """Frames -> packets from the IP header on, their lengths, and the neighbour's MAC as an integer (or 0)."""
    ethernet = np.isin(links["hardware"], _WITH_ETHERNET)
    outgoing = links["packet_type"] == _PACKET_OUTGOING
    macs = np.where(outgoing[:, None], data[:, 0:6], data[:, 6:12]).astype(np.uint64)
    neighbours = np.where(ethernet, macs @ (np.uint64(1) << np.arange(40, -8, -8, dtype=np.uint64)), np.uint64(0))
    skip = np.where(ethernet, 14, 0)  # a VLAN tag is no part of the frame any more (skb_vlan_untag)
    packets = np.zeros_like(data)
    for width in (0, 14):
        rows = skip == width
        packets[rows, : data.shape[1] - width] = data[rows, width:]
    return packets, np.maximum(lengths - skip, 0), neighbours
