"""Prove that a lab is closed: nothing in it leads to a namespace that is not part of it.

A link can reach another namespace only as one end of a pair, on top of a lower device, or through a tunnel whose
socket stayed behind; the kernel shows each of these as IFLA_LINK_NETNSID (rtnetlink(7), net/core/rtnetlink.c),
``link_netnsid`` in ``ip -json``. A device that came from hardware has no kind. Routes only lead through links.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from prober.errors import CannotMeasure
from prober.lab import namespaces

_KINDS = {"veth", "bridge", "dummy", "vlan", "vrf", "vxlan", "geneve", "macvlan", "ipvlan"}
# The kernel may put its fallback tunnel devices into each new namespace; they are down and lead nowhere else.
_KINDS |= {"ipip", "sit", "gre", "gretap", "erspan", "ip6tnl", "ip6gre", "ip6gretap", "vti", "vti6"}

_RTM_GETNSID = 90  # linux/rtnetlink.h
_NLM_F_REQUEST = 1  # linux/netlink.h
_NLMSG_ERROR = 2
_NETNSA_NSID, _NETNSA_FD = 1, 3  # linux/net_namespace.h


def assert_closed(lab: Mapping[str, int]) -> None:
    """Raise CannotMeasure, naming the link, if any namespace of `lab` (name -> descriptor) leads out of it."""
    own = Path("/proc/thread-self/ns/net").stat().st_ino
    for name, namespace in lab.items():
        if os.fstat(namespace).st_ino == own:
            raise CannotMeasure(f"The lab is not closed: {name} is the machine's own network namespace.")
        links, known = namespaces.inside(namespace, lambda: (_links(), _ids(lab.values())))
        for link in links:
            leak = _leak(link, known)
            if leak:
                raise CannotMeasure(f"The lab is not closed: {link['ifname']} on {name} {leak}. Nothing was started.")


def _leak(link: dict[str, Any], known: set[int]) -> str:
    """What is wrong with a link, '' if nothing is."""
    kind = link.get("linkinfo", {}).get("info_kind")
    if kind is None and link["link_type"] == "loopback":
        return ""
    if kind is None:
        return "is a physical device"
    if kind not in _KINDS:
        return f"is a {kind} device, which may lead anywhere"
    if "link_netnsid" in link and link["link_netnsid"] not in known:
        return "is joined to a namespace outside the lab"
    return ""


def _links() -> list[dict[str, Any]]:
    """Every link of the calling thread's namespace."""
    ended = subprocess.run(["ip", "-json", "-details", "link", "show"], capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise CannotMeasure(f"The lab's links cannot be listed: {ended.stderr.strip()}")
    links: list[dict[str, Any]] = json.loads(ended.stdout)
    return links


def _ids(lab: Iterable[int]) -> set[int]:
    """The numbers by which the calling thread's namespace knows those of the lab; it has none for most."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        numbers = {_id(kernel, namespace) for namespace in lab}
    return numbers - {-1}


def _id(kernel: socket.socket, namespace: int) -> int:
    """Ask for one namespace's number (RTM_GETNSID); -1 when it has none here."""
    body = struct.pack("=B3xHHI", socket.AF_UNSPEC, 8, _NETNSA_FD, namespace)
    kernel.send(struct.pack("=IHHII", 16 + len(body), _RTM_GETNSID, _NLM_F_REQUEST, 0, 0) + body)
    answer = kernel.recv(4096)
    kind = struct.unpack_from("=H", answer, 4)[0]
    if kind == _NLMSG_ERROR:
        number = -struct.unpack_from("=i", answer, 16)[0]
        raise OSError(number, f"RTM_GETNSID: {os.strerror(number)}")
    offset = 20  # nlmsghdr, then rtgenmsg padded to four bytes
    while offset + 4 <= len(answer):
        length, attribute = struct.unpack_from("=HH", answer, offset)
        if attribute == _NETNSA_NSID:
            return int(struct.unpack_from("=i", answer, offset + 4)[0])
        offset += max(4, (length + 3) & ~3)
    return -1
