"""The way in: one passive tap over every interface of the network namespace, with the kernel's own timestamps.

An AF_PACKET socket (packet(7)) sees frames on the way in before netfilter and rp_filter, on the way out after them.
Frames that a bridge flooded here but that are addressed to another host are never evidence and are left out. On
``lo`` every frame passes twice, once each way. Needs CAP_NET_RAW when opened, nothing afterwards.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np

from prober import segment
from prober.errors import CannotMeasure
from prober.segment import IN, OUT, Batch
from prober.wire import filter, privileges, slots
from prober.wire.ring import PACKET, Ring

SNAP = 176
"""Kept bytes a packet, as many as a slot holds: an ICMP error's quote with its options; an overlay's headers, IPv6 in
IPv6 and a SYN inside."""

_ADDRESS = np.dtype([("family", "<u2"), ("protocol", ">u2"), ("interface", "<i4"), ("_", "u1", 12)])
"""``struct sockaddr_ll`` (linux/if_packet.h)."""

_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_ETH_P_ALL = 3
_WITH_ETHERNET = (1, 772)  # ARPHRD_ETHER, ARPHRD_LOOPBACK (linux/if_arp.h)
_PACKET_OUTGOING = 4
_MAC = np.uint64((1 << 48) - 1)
_RING = 8 << 20
_AT_ONCE = 4096
"""Frames read together: as many as a processor's cache holds."""

_libc = ctypes.CDLL(None, use_errno=True)


class Catch(NamedTuple):
    """What a tap saw: a `SEGMENT` batch, and for each row its packet from the IP header on (`SNAP` bytes at most).

    ``frames`` is empty where they were not asked for.
    """

    segments: Batch
    frames: list[bytes]


class Tap:
    """Capturing from the moment it is made, into a ring of `size` bytes. Raises CannotMeasure where it may not."""

    def __init__(self, size: int = _RING) -> None:
        self._socket = _open()
        self._ring = Ring(self._socket, size)
        _bind_everywhere(self._socket)
        self._dropped = 0
        self.emptied = True
        """Whether the last `receive` found nothing more; false where it stopped at its limit."""
        self.unread = 0
        """Frames that passed the kernel's filter and were not what it was meant for (cut or forged headers)."""

    def fileno(self) -> int:
        """To wait on with an event loop or `select`."""
        return self._socket.fileno()

    def hurry(self, hurried: bool) -> None:
        """Leave out the RSTs that this host sends, or see them again. What is in the ring stays."""
        filter.attach(self._socket, filter.HURRIED if hurried else filter.PROGRAM)

    def wait(self, seconds: float) -> None:
        """Until something has been captured, `seconds` at most."""
        select.select([self._socket], [], [], seconds)

    def receive(self, limit: int = 4096, frames: bool = True) -> Catch:
        """What has been captured since the last call, at most `limit` frames; empty if nothing. Never waits."""
        self.emptied = False
        batches: list[Batch] = []
        kept: list[bytes] = []
        while limit > 0 and not self.emptied:
            there, raw = self._ring.take(min(limit, _AT_ONCE))
            self.emptied = self._ring.emptied
            count = len(there)
            if not count:
                break
            segments, rows = _read(there, raw)
            batches.append(segments)
            if frames:
                kept += slots.packets(there, raw, rows, SNAP)
            self.unread += count - len(rows)
            self._ring.give_back(count)
            limit -= count
        return Catch(segment.join(batches, segment.SEGMENT), kept)

    def dropped(self) -> int:
        """Frames that the kernel dropped for want of room since the tap was made; reading resets the kernel's own."""
        raw = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        self._dropped += struct.unpack("=II", raw)[1]
        return self._dropped

    def close(self) -> None:
        """Stop capturing."""
        self._ring.close()
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _read(there: Batch, raw: Batch) -> tuple[Batch, Batch]:
    """Slots as segments with everything that only a capture knows, and which slots they were."""
    segments, rows = slots.parse(there, raw)
    if len(rows) < len(there):
        there = there.take(rows)
    leaving = there["packet_type"] == _PACKET_OUTGOING
    segments["time_ns"] = there["seconds"].astype(np.int64) * 1_000_000_000 + there["nanoseconds"]
    segments["interface"], segments["way"] = there["interface"], np.where(leaving, OUT, IN)
    hardware = there["hardware"]
    ethernet = (hardware == _WITH_ETHERNET[0]) | (hardware == _WITH_ETHERNET[1])
    ethernet &= there["link"] == PACKET - 14
    neighbours = np.where(leaving, there["to"], there["from"]).astype(np.uint64) & _MAC
    segments["neighbour"] = np.where(ethernet, neighbours, np.uint64(0))
    return segments, rows


def _open() -> socket.socket:
    """A packet socket that was filtered before it is bound: protocol 0 captures nothing yet (packet(7))."""
    try:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    except PermissionError as refused:
        raise CannotMeasure(privileges.describe()) from refused
    filter.attach(sock, filter.PROGRAM)
    sock.setblocking(False)
    return sock


def _bind_everywhere(sock: socket.socket) -> None:
    """Bind to all interfaces, by interface index 0: Python's own `bind` wants an interface's name."""
    name = np.zeros(1, _ADDRESS)
    name["family"], name["protocol"] = socket.AF_PACKET, _ETH_P_ALL
    if _libc.bind(sock.fileno(), ctypes.c_void_p(name.ctypes.data), name.itemsize) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"capture: bind: {os.strerror(number)}")
