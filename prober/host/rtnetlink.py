"""Ask the kernel about routes, rules, links and addresses over rtnetlink(7); pyroute2 writes and reads the messages.

A plain blocking socket a question: pyroute2's own IPRoute runs an event loop, which a process that already runs
one may not call. Everything asked here needs no privilege, and the kernel answers at once.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from typing import Any

from pyroute2.netlink import NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR
from pyroute2.netlink.rtnl import RTM_GETADDR, RTM_GETLINK, RTM_GETNEIGH, RTM_GETROUTE, RTM_GETRULE
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.marshal import MarshalRtnl
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

Message = Any
"""A pyroute2 message: a mapping of the header's fields, with ``get_attr(name)``."""

_BUFFER = 1 << 18
_PATIENCE_S = 5.0


def links() -> list[Message]:
    """Every interface."""
    return _ask(ifinfmsg(), RTM_GETLINK, dump=True)


def addresses() -> list[Message]:
    """Every address."""
    return _ask(ifaddrmsg(), RTM_GETADDR, dump=True)


def routes(family: int) -> list[Message]:
    """Every route of a family, in every table."""
    message = rtmsg()
    message["family"] = family
    return _ask(message, RTM_GETROUTE, dump=True)


def rules(family: int) -> list[Message]:
    """Every policy rule of a family."""
    message = fibmsg()
    message["family"] = family
    return _ask(message, RTM_GETRULE, dump=True)


def lookup(family: int, flags: int, **attributes: Any) -> Message:
    """The FIB's answer for ``RTA_*`` attributes; OSError with the kernel's errno where it has none."""
    message = rtmsg()
    message["family"], message["flags"] = family, flags
    for name in ("RTA_DST", "RTA_SRC"):
        if name in attributes:
            message[name.lower()[4:] + "_len"] = 32 if family == socket.AF_INET else 128
    message["attrs"] = list(attributes.items())
    answers = _ask(message, RTM_GETROUTE, dump=False)
    return answers[0]


def neighbour(family: int, address: str, index: int) -> Message:
    """One entry of the neighbour table; OSError with the kernel's errno where there is none."""
    message = ndmsg()
    message["family"], message["ifindex"] = family, index
    message["attrs"] = [("NDA_DST", address)]
    return _ask(message, RTM_GETNEIGH, dump=False)[0]


def _ask(message: Message, kind: int, dump: bool) -> list[Message]:
    message["header"]["type"] = kind
    message["header"]["flags"] = NLM_F_REQUEST | (NLM_F_DUMP if dump else 0)
    message["header"]["sequence_number"] = 1
    message.encode()
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as sock:
        sock.settimeout(_PATIENCE_S)
        sock.bind((0, 0))
        sock.send(message.data)
        return list(_answers(sock, dump))


def _answers(sock: socket.socket, dump: bool) -> Iterator[Message]:
    """Messages until the kernel says it is done; its error as an OSError."""
    marshal = MarshalRtnl()
    while True:
        for answer in marshal.parse(sock.recv(_BUFFER)):
            kind = answer["header"]["type"]
            if kind == NLMSG_DONE:
                return
            if kind == NLMSG_ERROR:
                number = _number(answer)
                raise OSError(number, os.strerror(number))
            yield answer
            if not dump:
                return


def _number(answer: Message) -> int:
    """The errno inside an NLMSG_ERROR."""
    error = answer["header"]["error"]
    return int(getattr(error, "code", 0) or errno.EIO)
