"""What this host knows of a next hop on the link: ``ip neigh get``, its state and its MAC.

The states are those of the kernel's table (NUD_*, linux/neighbour.h). FAILED says that nobody answered ARP or neighbour
discovery; INCOMPLETE that it is being asked at this moment, and that nobody has answered yet.
"""

from __future__ import annotations

import errno
import ipaddress
import socket

from prober.host import rtnetlink

_STATES = {
    0x01: "INCOMPLETE",
    0x02: "REACHABLE",
    0x04: "STALE",
    0x08: "DELAY",
    0x10: "PROBE",
    0x20: "FAILED",
    0x40: "NOARP",
    0x80: "PERMANENT",
}
_UNKNOWN = (None, errno.ENOENT, errno.ENODEV, errno.EINVAL, errno.EOPNOTSUPP)
"""No interface of that name (Python gives no errno); no entry; or one that keeps none (neigh_get, net/core)."""


def state(address: str, device: str) -> str:
    """``FAILED``, ``REACHABLE 02:00:0a:3c:00:01`` …; '' where the table has no entry. ValueError for a bad address."""
    family = socket.AF_INET if ipaddress.ip_address(address).version == 4 else socket.AF_INET6
    try:
        found = rtnetlink.neighbour(family, address, socket.if_nametoindex(device))
    except OSError as failure:
        if failure.errno in _UNKNOWN:
            return ""
        raise
    mac = found.get_attr("NDA_LLADDR")
    return " ".join(part for part in (_STATES.get(found["state"], ""), mac) if part)
