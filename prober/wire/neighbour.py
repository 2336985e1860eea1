"""A second way out: packets handed to one neighbour on the link, whatever this host's routes say.

For reading another host's routes only: what is probed leaves by `link.Link`, as the host's own connections would. The
kernel makes the link-layer header (SOCK_DGRAM, packet(7)). Needs CAP_NET_RAW when opened.
"""

from __future__ import annotations

import errno
import socket

import numpy as np

from prober import segment
from prober.segment import Batch
from prober.wire import packets

_ETH_P_IP, _ETH_P_IPV6 = 0x0800, 0x86DD  # linux/if_ether.h


class Neighbours:
    """A packet socket that hears nothing (protocol 0). PermissionError without CAP_NET_RAW."""

    def __init__(self) -> None:
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)

    def close(self) -> None:
        self.sock.close()


class Neighbour:
    """One of them: its interface and its link-layer address (``02:…``), as this host's table has them."""

    def __init__(self, door: Neighbours, interface: str, address: str) -> None:
        self.door, self.interface = door, interface
        self.address = bytes.fromhex(address.replace(":", ""))

    def send(self, batch: Batch) -> Batch:
        """Send every row; an int32 errno a row, 0 where it left."""
        buffer, lengths = packets.frames(batch)
        errnos = np.zeros(len(batch), np.int32)
        for row, ipv4 in enumerate(segment.is_ipv4(batch).tolist()):
            place = (self.interface, _ETH_P_IP if ipv4 else _ETH_P_IPV6, 0, 0, self.address)
            try:
                self.door.sock.sendto(buffer[row, : lengths[row]].tobytes(), place)
            except OSError as failure:
                errnos[row] = failure.errno or errno.EIO
        return errnos
