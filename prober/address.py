"""Addresses and networks of either family: the family is data, and never another function.

No numpy here: what only reads a document starts in half the time without it.
"""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def holds(outer: Network, inner: Network) -> bool:
    """Whether all of `inner` is in `outer`, or they are the same. Networks nest or are apart, and so are families."""
    return outer.version == inner.version and outer.prefixlen <= inner.prefixlen and inner.network_address in outer
