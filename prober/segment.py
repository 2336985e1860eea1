"""A batch of TCP/IP header fields: one row of a numpy structured array a packet.

One packet is a batch of one. An address is two unsigned 64-bit columns (``_hi``, ``_lo``), IPv4 as the
mapped ``::ffff:a.b.c.d``, so that the family is data and never another function.

Columns that only a captured segment has (``time_ns``, ``interface``, ``way`` …) are zero in a batch to send.
A row with ``icmp_type`` set is an ICMP error: the other columns then hold the header that it *quotes*,
``icmp_hi/lo`` who sent the error. Units: ``time_ns`` nanoseconds of the agent's own realtime clock.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from prober.address import Address

Batch = npt.NDArray[Any]

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
"""TCP flag bits (RFC 9293, section 3.1)."""

IN, OUT = 1, 2
"""Which way a captured segment went, seen from the host that captured it."""

FIELDS: list[tuple[str, str]] = [
    ("src_hi", "<u8"), ("src_lo", "<u8"), ("dst_hi", "<u8"), ("dst_lo", "<u8"),
    ("sport", "<u2"), ("dport", "<u2"), ("flags", "u1"), ("ttl", "u1"),
    ("seq", "<u4"), ("ack", "<u4"), ("tsval", "<u4"), ("tsecr", "<u4"),
    ("time_ns", "<i8"), ("interface", "<u4"), ("way", "u1"), ("neighbour", "<u8"),
    ("icmp_type", "u1"), ("icmp_code", "u1"), ("icmp_hi", "<u8"), ("icmp_lo", "<u8"),
    ("outer_src_hi", "<u8"), ("outer_src_lo", "<u8"), ("outer_hi", "<u8"), ("outer_lo", "<u8"), ("vni", "<u4"),
]  # fmt: skip
"""``interface`` is an ifindex; ``neighbour`` the other end's MAC as an integer (the sender on the way in,
the next hop on the way out), 0 where the link has none. ``outer_src`` and ``outer`` are the ends of the tunnel in
which a wrapped segment was captured, ``vni`` its virtual network; zero for any other. New columns go to the end."""

SEGMENT = np.dtype(FIELDS)

_MAPPED = 0xFFFF << 32


def empty(rows: int = 0) -> Batch:
    """`rows` zeroed segments."""
    return np.zeros(rows, SEGMENT)


def pair(address: Address | str) -> tuple[int, int]:
    """An address as its two columns ``(hi, lo)``; IPv4 is mapped into ``::ffff:0:0/96`` (RFC 4291, 2.5.5.2)."""
    value = ipaddress.ip_address(address)
    if isinstance(value, ipaddress.IPv4Address):
        return 0, _MAPPED | int(value)
    return int(value) >> 64, int(value) & 0xFFFF_FFFF_FFFF_FFFF


def address(hi: int, lo: int) -> Address:
    """The address that two columns stand for."""
    hi, lo = int(hi), int(lo)
    if hi == 0 and lo >> 32 == 0xFFFF:
        return ipaddress.IPv4Address(lo & 0xFFFF_FFFF)
    return ipaddress.IPv6Address(hi << 64 | lo)


@lru_cache(maxsize=65_536)
def address_text(hi: int, lo: int) -> str:
    """The same as people write it; a fleet's packets name the same few addresses again and again."""
    return str(address(hi, lo))


def put(batch: Batch, at: Batch, rows: Batch) -> None:
    """``batch[at] = rows``, whole rows of one dtype: numpy's own way copies them field by field, forty times slower."""
    whole = np.dtype((np.void, batch.dtype.itemsize))
    batch.view(whole)[at] = np.ascontiguousarray(rows).view(whole)


@cache
def _span(dtype: np.dtype[np.void], first: str, last: str) -> np.dtype[np.void]:
    assert dtype.fields is not None
    begin, (kind, end, *_) = dtype.fields[first][1], dtype.fields[last]
    size = end + kind.itemsize - begin
    place = {"names": ["span"], "formats": [f"V{size}"], "offsets": [begin], "itemsize": dtype.itemsize}
    return np.dtype(place)  # type: ignore[call-overload,no-any-return]  # its stub knows no variable names


def span(batch: Batch, first: str, last: str) -> Batch:
    """The columns from `first` to `last`, as one column of bytes: what lies side by side is copied together."""
    return batch.view(_span(batch.dtype, first, last))["span"]


def join(batches: list[Batch], dtype: np.dtype[np.void]) -> Batch:
    """Batches of one dtype as one, in order; as bytes, for numpy would promote each field of each pair."""
    if len(batches) == 1:
        return batches[0]
    whole = np.dtype((np.void, dtype.itemsize))
    return np.concatenate([np.zeros(0, whole), *(np.ascontiguousarray(one).view(whole) for one in batches)]).view(dtype)


def columns(addresses: Iterable[Address | str]) -> tuple[Batch, Batch]:
    """Many addresses as two arrays ``(hi, lo)``."""
    pairs = np.array([pair(one) for one in addresses], dtype=np.uint64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def is_ipv4(batch: Batch) -> Batch:
    """A mask: the rows whose destination is IPv4."""
    result: Batch = (batch["dst_hi"] == 0) & (batch["dst_lo"] >> np.uint64(32) == 0xFFFF)
    return result


def wrapped(batch: Batch) -> Batch:
    """A mask: the rows that were captured inside a tunnel's packet."""
    result: Batch = (batch["outer_hi"] | batch["outer_lo"]) != 0
    return result


@lru_cache(maxsize=65_536)
def mac_text(value: int) -> str:
    """A link-layer address as people write it, or '' for none."""
    return ":".join(f"{int(value):012x}"[i : i + 2] for i in range(0, 12, 2)) if value else ""


def flags_text(flags: int) -> str:
    """``SYN,ACK`` and the like, in the order people say them."""
    names = ((SYN, "SYN"), (FIN, "FIN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"))
    return ",".join(name for bit, name in names if int(flags) & bit)
