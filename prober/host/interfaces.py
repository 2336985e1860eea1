"""Which interfaces of this host lead to pods: a node's tap sees its pods' veths beside its NIC.

A network plug-in gives each pod a veth, or routes the pod's address to a device (/32, /128, or the node's block to
a bridge). What carries the agent's own address, the default route or a subnet that is no pods' is a NIC.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence

from prober.address import Address, Network
from prober.host import rtnetlink
from prober.host.changes import Changes
from prober.host.rtnetlink import Message

_RTN_UNICAST = 1
_TABLE_LOCAL = 255
_IFF_LOOPBACK = 0x8


class Interfaces:
    """This host's interfaces as they were at the last look: their ``names`` by index, and those that are ``pods``'."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self.pods: frozenset[int] = frozenset()
        self._changes = Changes()
        self._asked: tuple[tuple[str, ...], tuple[str, ...]] | None = None

    def look(self, addresses: Sequence[str], blocks: Sequence[str]) -> None:
        """Look again where anything has changed on this host, where other addresses and pod blocks are asked for, and
        where the last look failed halfway."""
        asked = (tuple(addresses), tuple(blocks))
        if not self._changes.happened() and self._asked == asked:
            return
        self._asked = None
        self.names, self.pods = names(), pod_interfaces(addresses, blocks)
        self._asked = asked


def names() -> dict[int, str]:
    """Every interface's name by its index."""
    return dict(socket.if_nameindex())


def pod_interfaces(addresses: Iterable[Address | str], pods: Iterable[Network | str]) -> frozenset[int]:
    """The ifindexes of pods' interfaces, given the agent's own addresses and its node's pod blocks."""
    own = {ipaddress.ip_address(one) for one in addresses}
    blocks = [ipaddress.ip_network(one) for one in pods]
    routes = [
        (index, prefix) for family in (socket.AF_INET, socket.AF_INET6) for index, prefix in _device_routes(family)
    ]
    nics = _nics(own, blocks) | {index for index, prefix in routes if prefix.prefixlen == 0} | _loopbacks()
    routed = {index for index, prefix in routes if _is_pods(prefix, blocks)}
    return frozenset((_veths() | routed) - nics)


def _is_pods(prefix: Network, blocks: list[Network]) -> bool:
    """One address alone, or part of the node's blocks."""
    alone = prefix.prefixlen == prefix.max_prefixlen and not prefix.is_link_local
    return alone or any(_inside(prefix, block) for block in blocks)


def _inside(prefix: Network, block: Network) -> bool:
    return prefix.version == block.version and block.supernet_of(prefix)  # type: ignore[arg-type]  # same version


def _nics(own: set[Address], blocks: list[Network]) -> set[int]:
    """Interfaces with an address of the agent, or with a subnet of their own that is no pods'."""
    found = set()
    for message in rtnetlink.addresses():
        held = ipaddress.ip_interface(
            f"{message.get_attr('IFA_LOCAL') or message.get_attr('IFA_ADDRESS')}/{message['prefixlen']}"
        )
        wide = held.network.prefixlen < held.max_prefixlen and not held.ip.is_link_local
        if held.ip in own or (wide and not _is_pods(held.network, blocks)):
            found.add(int(message["index"]))
    return found


def _device_routes(family: int) -> list[tuple[int, Network]]:
    """``(ifindex, prefix)`` of default routes, and of routes straight to a device: pods are never behind a next hop."""
    found = []
    for route in rtnetlink.routes(family):
        table = int(route.get_attr("RTA_TABLE") or route["table"])
        index = route.get_attr("RTA_OIF")
        if not index or table == _TABLE_LOCAL or route["type"] != _RTN_UNICAST:
            continue
        if route["dst_len"] == 0 or not route.get_attr("RTA_GATEWAY"):
            anywhere = "0.0.0.0" if family == socket.AF_INET else "::"
            prefix = ipaddress.ip_network(f"{route.get_attr('RTA_DST') or anywhere}/{route['dst_len']}")
            found.append((int(index), prefix))
    return found


def _veths() -> set[int]:
    return {int(link["index"]) for link in rtnetlink.links() if _kind(link) == "veth"}


def _kind(link: Message) -> str:
    info = link.get_attr("IFLA_LINKINFO")
    return str(info.get_attr("IFLA_INFO_KIND")) if info else ""


def _loopbacks() -> set[int]:
    return {int(link["index"]) for link in rtnetlink.links() if link["flags"] & _IFF_LOOPBACK}
