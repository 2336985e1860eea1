"""What this host's routing table answers: ``ip route get`` with the prefix that matched.

``RTM_F_FIB_MATCH`` makes the kernel answer with the route itself instead of the resolved path, and
``RTM_F_LOOKUP_TABLE`` with the table it was found in (linux/rtnetlink.h). For blackhole, unreachable and prohibit
routes a lookup only fails (EINVAL, EHOSTUNREACH, EACCES: fib_props, net/ipv4/fib_semantics.c), so the route is then
found in a dump by longest prefix.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import Any

import msgspec

from prober.address import Address, Network
from prober.host import listening, neighbours, policies, rtnetlink
from prober.host.rtnetlink import Message
from prober.report import Question, Route

_FLAGS = 0x1000 | 0x2000  # RTM_F_LOOKUP_TABLE | RTM_F_FIB_MATCH

_TYPES = {
    1: "unicast",
    2: "local",
    3: "broadcast",
    5: "multicast",
    6: "blackhole",
    7: "unreachable",
    8: "prohibit",
    9: "throw",
}
_TABLES = {253: "default", 254: "main", 255: "local"}
_REFUSING = {errno.EINVAL: 6, errno.EHOSTUNREACH: 7, errno.EACCES: 8}
"""The errno that a lookup fails with, and the type of route that means (RTN_*)."""


class Routes:
    """Answers for this network namespace. `agent` is the name the answers carry."""

    def __init__(self, agent: str = "") -> None:
        self._agent = agent

    def ask(self, question: Question) -> Route:
        """The FIB's answer, or whether something listens.

        Never raises for what the kernel refuses: ``error`` is then the errno's name.

        A ``src`` that is no address of this host needs the ``iif`` it comes in by, as a forwarded packet does.
        ``error`` is also ``EADDRNOTAVAIL`` where `dst` or `src` is no address or they are of two families, and
        ``ENODEV`` where there is no such ``iif``.
        """
        if question.port:
            there = listening.on(question.dst, question.port)
            return Route(self._agent, question.dst, type="", table="", port=question.port, listening=there)
        known: dict[str, Any] = {"agent": self._agent, "dst": question.dst, "src": question.src, "iif": question.iif}
        try:
            dst = ipaddress.ip_address(question.dst)
            attributes = _attributes(dst, question)
        except (ValueError, OSError) as mistake:
            return Route(
                **known, type="", table="", error=_name(getattr(mistake, "errno", None) or errno.EADDRNOTAVAIL)
            )
        try:
            found = rtnetlink.lookup(_family(dst), _FLAGS, **attributes)
        except OSError as failure:
            return _refused(dst, failure.errno or errno.EIO, known, question)
        rule = policies.leading_to(_table(found), question)
        return _with_neighbour(Route(**known, **_described(found), rule=rule))


def _with_neighbour(route: Route) -> Route:
    """With the state of its next hops, or of the destination itself where the route is straight to a device."""
    if route.type != "unicast" or not route.dev:
        return route
    states = [neighbours.state(hop, route.dev) for hop in (route.via or route.dst).split(",")]
    return msgspec.structs.replace(route, neighbour=",".join(one for one in states if one))


def _attributes(dst: Address, question: Question) -> dict[str, Any]:
    """The question as rtnetlink attributes. ValueError for a bad `src`, OSError for an unknown `iif`."""
    attributes: dict[str, Any] = {"RTA_DST": str(dst)}
    if question.src:
        src = ipaddress.ip_address(question.src)
        if src.version != dst.version:
            raise ValueError(f"{src} and {dst} are of two families")
        attributes["RTA_SRC"] = str(src)
    if question.iif:
        attributes["RTA_IIF"] = _index(question.iif)
    return attributes


def _index(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError as unknown:
        raise OSError(errno.ENODEV, f"no interface {name}") from unknown


def _refused(dst: Address, number: int, known: dict[str, Any], question: Question) -> Route:
    """No usable route: name the one that refuses, if there is such a one, or the policy rule that does."""
    kind, rule = policies.refusing(number, question)
    if rule:
        return Route(**known, type=kind, table="", error=_name(number), rule=rule)
    for route in sorted(rtnetlink.routes(_family(dst)), key=lambda one: -int(one["dst_len"])):
        covers = dst in ipaddress.ip_network(_prefix(route))
        if covers and route["type"] == _REFUSING.get(number):
            leading = policies.leading_to(_table(route), question)
            return Route(**known, **_described(route), error=_name(number), rule=leading)
    return Route(**known, type="", table="", error=_name(number))


def _described(route: Message) -> dict[str, Any]:
    """A route message in our words. Of a multipath route the first leg, its other next hops after it."""
    legs = route.get_attr("RTA_MULTIPATH") or [route]
    hops = [_next_hop(leg) for leg in legs]
    table = _table(route)
    device = legs[0].get_attr("RTA_OIF") or (legs[0]["oif"] if legs[0] is not route else 0)
    return {
        "prefix": _prefix(route),
        "via": ",".join(hop for hop in hops if hop),
        "dev": "" if route["type"] in _REFUSING.values() else _device(device),  # IPv6 says lo
        "type": _TYPES.get(route["type"], str(route["type"])),
        "table": _TABLES.get(table, str(table)),
    }


def _table(route: Message) -> int:
    return int(route.get_attr("RTA_TABLE") or route["table"])


def _next_hop(leg: Message) -> str:
    """The gateway; of the other family too (RFC 5549: ``via inet6``)."""
    other = leg.get_attr("RTA_VIA")
    return str(leg.get_attr("RTA_GATEWAY") or (other["addr"] if other else ""))


def _device(index: int) -> str:
    try:
        return socket.if_indextoname(index) if index else ""
    except OSError:  # it went away between the two questions
        return f"if{index}"


def _prefix(route: Message) -> str:
    """``10.19.0.0/16``; a default route has no destination attribute."""
    anywhere = "0.0.0.0" if route["family"] == socket.AF_INET else "::"
    return str(ipaddress.ip_network(f"{route.get_attr('RTA_DST') or anywhere}/{route['dst_len']}", strict=False))


def _family(address: Address | Network) -> int:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6


def _name(number: int) -> str:
    return errno.errorcode.get(number, f"errno {number}")
