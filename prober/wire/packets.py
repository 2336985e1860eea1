"""Segments -> IP packets, by the batch: scapy crafts each template once, numpy writes the columns and the checksums.

The SYN looks like a Linux client's (MSS, SACK permitted, timestamps, window scale 7), so that a middlebox treats
a probe as it treats a real connection.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from prober import segment
from prober.segment import SYN, Batch
from prober.wire import crafting
from prober.wire.crafting import Shape

WIDTH = 80
"""The longest packet made here: an IPv6 header (40) and a TCP header (20) with a SYN's options (20)."""

_TCP = {4: 20, 6: 40}
"""Where TCP begins: our IP headers have no options and no extensions."""


class Template(NamedTuple):
    """A packet with nothing filled in; its columns as a dtype; the sums of its words as IP's and TCP's checksums want
    them (0 for the IPv6 header, which has none)."""

    packet: Batch
    columns: np.dtype[np.void]
    length: int
    ip_sum: int
    tcp_sum: int


@cache
def template(shape: Shape) -> Template:
    """The template of a shape."""
    raw = crafting.packet(shape)
    start = _TCP[shape.family]
    pseudo = 6 + len(raw) - start  # protocol and length (RFC 9293, 3.1; RFC 8200, 8.1); the addresses vary
    ip_sum = _words(raw[:start]) if shape.family == 4 else 0
    packet = np.frombuffer(raw.ljust(WIDTH, b"\0"), np.uint8)
    return Template(packet, _columns(shape), len(raw), ip_sum, _words(raw[start:]) + pseudo)


def prepare() -> None:
    """Have the templates ready: while the first is waited for no deadline may run."""
    for shape in crafting.SHAPES:
        template(shape)


def _columns(shape: Shape) -> np.dtype[np.void]:
    """Where each column lies (RFC 791, 3.1; RFC 8200, 3; RFC 9293, 3.1; RFC 7323, 3.2)."""
    at = _TCP[shape.family]
    stamps = at + 28 if shape.syn else at + 24
    places: list[tuple[str, str, int]] = [
        ("sport", ">u2", at), ("dport", ">u2", at + 2), ("seq", ">u4", at + 4), ("ack", ">u4", at + 8),
        ("flags", "u1", at + 13), ("tcp_sum", ">u2", at + 16),
    ]  # fmt: skip
    if shape.family == 4:
        places += [("ttl", "u1", 8), ("ip_sum", ">u2", 10), ("src_lo", ">u4", 12), ("dst_lo", ">u4", 16)]
    else:
        places += [("ttl", "u1", 7), ("src_hi", ">u8", 8), ("src_lo", ">u8", 16), ("dst_hi", ">u8", 24)]
        places += [("dst_lo", ">u8", 32)]
    if shape.stamped:
        places += [("tsval", ">u4", stamps), ("tsecr", ">u4", stamps + 4)]
    names, formats, offsets = zip(*places, strict=True)
    columns = {"names": list(names), "formats": list(formats), "offsets": list(offsets), "itemsize": WIDTH}
    return np.dtype(columns)  # type: ignore[call-overload,no-any-return]  # its stub knows no variable names


def frames(batch: Batch) -> tuple[Batch, Batch]:
    """The IP packets of a batch to send: ``(buffer, lengths)``, a (N, `WIDTH`) uint8 array and N lengths.

    Both families and all kinds may be mixed. A row without ``tsval`` gets no timestamps option.
    """
    buffer, lengths = np.empty((len(batch), WIDTH), np.uint8), np.zeros(len(batch), np.uint32)
    write(batch, buffer, lengths)
    return buffer, lengths


def write(batch: Batch, buffer: Batch, lengths: Batch) -> None:
    """`frames` into arrays that are there already, of as many rows as the batch."""
    kinds = segment.is_ipv4(batch) | (batch["flags"] & SYN != 0) << 1 | (batch["tsval"] != 0) << 2
    present = np.flatnonzero(np.bincount(kinds, minlength=8))
    for kind in present.tolist():
        shape = Shape(4 if kind & 1 else 6, bool(kind & 2), bool(kind & 4))
        if len(present) == 1:
            _fill(template(shape), shape, batch, buffer)
            lengths[:] = template(shape).length
            return
        rows = np.flatnonzero(kinds == kind)
        part = np.empty((len(rows), WIDTH), np.uint8)
        _fill(template(shape), shape, batch.take(rows), part)
        buffer[rows], lengths[rows] = part, template(shape).length


def _fill(made: Template, shape: Shape, batch: Batch, buffer: Batch) -> None:
    """Packets of one shape: the template, the columns, and both checksums by column sums (RFC 1071)."""
    buffer[:] = made.packet
    packets = buffer.view(made.columns)[:, 0]
    narrow = np.uint32 if shape.family == 4 else np.uint64
    summed = np.zeros(len(batch), np.uint64)
    for name in ("src_lo", "dst_lo") if shape.family == 4 else ("src_hi", "src_lo", "dst_hi", "dst_lo"):
        _put(packets, name, batch[name].astype(narrow), summed)
    packets["ttl"] = batch["ttl"]
    if shape.family == 4:
        packets["ip_sum"] = _folded(summed + (batch["ttl"].astype(np.uint64) << np.uint64(8)), made.ip_sum)
    for name in ("sport", "dport", "seq", "ack", "flags", *(("tsval", "tsecr") if shape.stamped else ())):
        _put(packets, name, batch[name], summed)
    packets["tcp_sum"] = _folded(summed, made.tcp_sum)


def _put(packets: Batch, name: str, column: Batch, summed: Batch) -> None:
    """Write one column, and add its words of 16 or 32 bits to each row's sum: they fold to the same (RFC 1071, 2)."""
    packets[name] = column
    if column.itemsize == 8:
        summed += column >> np.uint64(32)
        column = column & np.uint64(0xFFFF_FFFF)
    summed += column


def _words(raw: bytes) -> int:
    """The sum of 16-bit words in the network's order."""
    return int(np.frombuffer(raw, ">u2").sum(dtype=np.uint64))


def _folded(summed: Batch, template: int) -> Batch:
    """Ones' complement of a sum of less than 2**48, the template's added, folded into 16 bits (RFC 1071)."""
    total = summed + np.uint64(template)
    for _ in range(3):
        total = (total & _WORD) + (total >> _SIXTEEN)
    folded: Batch = ~total & _WORD
    return folded


_WORD, _SIXTEEN = np.uint64(0xFFFF), np.uint64(16)
