"""Whether links, addresses, routes or rules of this host have changed: rtnetlink's own notices, counted only
(rtnetlink(7)).

Reading all of them anew every two seconds would be most of what an idle agent costs.
"""

from __future__ import annotations

import errno
import socket

_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400  # RTMGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE
_RULES = 1 << 7 | 1 << 18  # RTNLGRP_IPV4_RULE (8), RTNLGRP_IPV6_RULE (19): linux/rtnetlink.h
_AT_ONCE = 65_536


class Changes:
    """Listens from the moment it is made; the first question is answered with yes. Needs no privilege."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        self._socket.bind((0, _GROUPS | _RULES))
        self._first = True

    def happened(self) -> bool:
        """Anything since the last question; also where there was too much to be told (ENOBUFS)."""
        changed, self._first = self._first, False
        while True:
            try:
                self._socket.recv(_AT_ONCE)
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    return changed
                if error.errno != errno.ENOBUFS:
                    raise
            changed = True

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
