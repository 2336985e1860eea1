"""A ring that the kernel writes captured frames into and numpy reads in place: PACKET_RX_RING, version 2 (packet(7)).

Version 2 gives every frame a slot of one size, so a field of many frames is one strided column, and a frame can be
read as soon as it is there; version 3 packs them tighter behind a timer and a chain of offsets that must be walked.
A slot belongs to the kernel until its status says TP_STATUS_USER, and again from the moment `Ring.give_back` says so.
"""

from __future__ import annotations

import mmap
import socket
import struct

import numpy as np

from prober.segment import Batch

PACKET = 80
"""Where the IP header lies in a slot: TPACKET2_HDRLEN (52) and room for a link header of up to 16 bytes, rounded up
to 16 (tpacket_rcv, net/packet/af_packet.c). Longer link headers move it on; `network` says where it is."""

WIDTH = 256
"""Bytes of a slot."""

SLOT = np.dtype(
    {
        "names": [
            "status", "length", "captured", "link", "network", "seconds", "nanoseconds",
            "protocol", "interface", "hardware", "packet_type", "to", "from",
        ],
        "formats": ["<u4", "<u4", "<u4", "<u2", "<u2", "<u4", "<u4", ">u2", "<u4", "<u2", "u1", ">u8", ">u8"],
        "offsets": [0, 4, 8, 12, 14, 16, 20, 34, 36, 40, 42, PACKET - 16, PACKET - 10],
        "itemsize": WIDTH,
    }
)  # fmt: skip
"""``struct tpacket2_hdr``, ``struct sockaddr_ll`` at 32 (linux/if_packet.h), and an Ethernet header's two addresses in
the low 48 bits of ``to`` and ``from``."""

_USER = 1  # TP_STATUS_USER
_SOL_PACKET, _PACKET_RX_RING, _PACKET_VERSION, _TPACKET_V2 = 263, 5, 10, 1
_BLOCK = 1 << 16
_LOOKS = (32, 512)
"""How far to look at first: most often little is there, and each slot looked at is a line of cache."""


class Ring:
    """The ring of one packet socket, `size` bytes (rounded up to blocks); set up before the socket is bound."""

    def __init__(self, sock: socket.socket, size: int) -> None:
        blocks = max(1, -(-size // _BLOCK))
        count = blocks * _BLOCK // WIDTH
        sock.setsockopt(_SOL_PACKET, _PACKET_VERSION, _TPACKET_V2)
        sock.setsockopt(_SOL_PACKET, _PACKET_RX_RING, struct.pack("=IIII", _BLOCK, blocks, WIDTH, count))
        self._map = mmap.mmap(sock.fileno(), blocks * _BLOCK)
        self._bytes: Batch = np.frombuffer(self._map, np.uint8).reshape(count, WIDTH)
        self._slots: Batch = self._bytes.view(SLOT)[:, 0]
        self._at = 0
        self.emptied = False
        """Whether the last `take` saw a slot that is not filled yet: what comes meanwhile is for the next look."""

    def __len__(self) -> int:
        """How many slots there are."""
        return len(self._slots)

    def take(self, limit: int) -> tuple[Batch, Batch]:
        """The frames that are there, in order, at most `limit` and up to the ring's end: ``(SLOT rows, their bytes)``.

        Views into the ring: read them, then `give_back` as many.
        """
        count = self._ready(min(limit, len(self._slots) - self._at))
        there = slice(self._at, self._at + count)
        return self._slots[there], self._bytes[there]

    def give_back(self, count: int) -> None:
        """The first `count` slots are the kernel's again."""
        self._slots["status"][self._at : self._at + count] = 0
        self._at = (self._at + count) % len(self._slots)

    def close(self) -> None:
        """Let go of the memory; what `take` gave is gone with it."""
        self._slots, self._bytes = np.zeros(0, SLOT), np.zeros((0, WIDTH), np.uint8)
        self._at = 0
        self._map.close()

    def _ready(self, limit: int) -> int:
        """How many slots from here on are filled, without a gap: another processor may still be writing one."""
        self.emptied = True
        for look in (*_LOOKS, limit):
            free = (self._slots["status"][self._at : self._at + min(look, limit)] & _USER) == 0
            if free.any():
                return int(free.argmax())
            if look >= limit:
                break
        self.emptied = False
        return limit
