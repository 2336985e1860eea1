"""Segments <-> packets, by the batch: scapy crafts a template once, numpy writes the columns and reads them.

The SYN looks like a Linux client's (MSS, SACK permitted, timestamps, window scale 7), so that a middlebox treats
a probe as it treats a real connection. Measured: 3.5 million packets a second against scapy's 8 thousand.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from prober import segment
from prober.segment import SYN, Batch

WIDTH = 80
"""The longest packet made here: an IPv6 header (40) and a TCP header (20) with a SYN's options (20)."""

_TCP, _TIMESTAMP = 6, 8
_PAST = 1 << 20
"""An offset that no packet reaches."""


class _Layout(NamedTuple):
    """Where a family keeps what: the offset of TTL or hop limit, of the source address, and of TCP."""

    ttl: int
    address: int
    size: int
    tcp: int


_LAYOUTS = {4: _Layout(8, 12, 4, 20), 6: _Layout(7, 8, 16, 40)}  # RFC 791, 3.1; RFC 8200, 3


@cache
def _template(family: int, syn: bool, stamped: bool) -> tuple[bytes, int]:
    """``(packet, offset of TSval in it or 0)``."""
    options: list[tuple[str, object]] = []
    if syn:
        options += [("MSS", 1460 if family == 4 else 1440), ("SAckOK", b"")]
    elif stamped:
        options += [("NOP", None), ("NOP", None)]
    if stamped:
        options.append(("Timestamp", (0, 0)))
    if syn:
        options += [("NOP", None), ("WScale", 7)]
    tcp = TCP(sport=1, dport=1, window=64240 if syn else 0, options=options)
    packet = bytes((IP(flags="DF", id=0) if family == 4 else IPv6()) / tcp)
    before = 6 if syn else 2  # what stands before the timestamps' kind byte
    return packet, _LAYOUTS[family].tcp + 20 + before + 2 if stamped else 0


def frames(batch: Batch) -> tuple[Batch, Batch]:
    """The IP packets of a batch to send: ``(buffer, lengths)``, a (N, `WIDTH`) uint8 array and N lengths.

    Both families and all kinds may be mixed. A row without ``tsval`` gets no timestamps option.
    """
    buffer, lengths = np.zeros((len(batch), WIDTH), np.uint8), np.zeros(len(batch), np.uint32)
    shapes = np.where(segment.is_ipv4(batch), 4, 6) << 2 | (batch["flags"] & SYN != 0) << 1 | (batch["tsval"] != 0)
    for shape in np.unique(shapes):
        rows = np.flatnonzero(shapes == shape)
        packets = _fill(batch[rows], int(shape) >> 2, bool(shape & 2), bool(shape & 1))
        buffer[rows, : packets.shape[1]], lengths[rows] = packets, packets.shape[1]
    return buffer, lengths


def _fill(batch: Batch, family: int, syn: bool, stamped: bool) -> Batch:
    """Packets of one shape as a (N, length) array."""
    template, stamp = _template(family, syn, stamped)
    at = _LAYOUTS[family]
    packets = np.tile(np.frombuffer(template, np.uint8), (len(batch), 1))
    packets[:, at.ttl] = batch["ttl"]
    for name, start in (("src", at.address), ("dst", at.address + at.size)):
        whole = np.hstack([_bytes(batch[f"{name}_{half}"], ">u8") for half in ("hi", "lo")])
        packets[:, start : start + at.size] = whole[:, -at.size :]
    for name, offset, kind in (("sport", 0, ">u2"), ("dport", 2, ">u2"), ("seq", 4, ">u4"), ("ack", 8, ">u4")):
        _write(packets, at.tcp + offset, _bytes(batch[name], kind))
    packets[:, at.tcp + 13] = batch["flags"]
    if stamped:
        _write(packets, stamp, _bytes(batch["tsval"], ">u4"))
        _write(packets, stamp + 4, _bytes(batch["tsecr"], ">u4"))
    return _checksummed(packets, at)


def _checksummed(packets: Batch, at: _Layout) -> Batch:
    """Fill in both checksums by column sums (RFC 1071; the pseudo-header of RFC 9293, 3.1, and RFC 8200, 8.1)."""
    _write(packets, at.tcp + 16, _bytes(np.zeros(len(packets)), ">u2"))
    pseudo = 6 + packets.shape[1] - at.tcp
    _write(packets, at.tcp + 16, _bytes(_checksum(packets[:, at.address :], pseudo), ">u2"))
    if at.tcp == 20:
        _write(packets, 10, _bytes(np.zeros(len(packets)), ">u2"))
        _write(packets, 10, _bytes(_checksum(packets[:, : at.tcp], 0), ">u2"))
    return packets


def _checksum(data: Batch, start: int) -> Batch:
    total = np.ascontiguousarray(data).view(">u2").sum(axis=1, dtype=np.uint64) + np.uint64(start)
    for _ in range(2):
        total = (total & np.uint64(0xFFFF)) + (total >> np.uint64(16))
    folded: Batch = ~total & np.uint64(0xFFFF)
    return folded


def _bytes(column: Batch, kind: str) -> Batch:
    """A column as (N, size) bytes in the network's order."""
    return np.ascontiguousarray(column.astype(kind)).view(np.uint8).reshape(len(column), -1)


def _write(packets: Batch, offset: int, value: Batch) -> None:
    packets[:, offset : offset + value.shape[1]] = value


def parse(data: Batch, lengths: Batch) -> tuple[Batch, Batch]:
    """Captured packets -> ``(segments, rows)``: TCP and the ICMP errors that quote TCP, and which rows they were.

    `data` is a (N, snap) uint8 array of packets from the IP header on, `lengths` how much of each was captured.
    No length that a packet claims is believed beyond what was captured; whatever is no whole TCP header, no ICMP
    error, a later fragment or behind IPv6 extension headers is left out. Checksums are not looked at: frames that
    this kernel made carry unfinished ones. A quote needs 8 bytes of TCP (RFC 792); fields cut off read 0.
    """
    outer = _View(data, lengths).header(np.zeros(len(data), np.int64))
    view = _View(data, np.minimum(lengths, outer.stop))
    error = outer.fine & view.is_icmp_error(outer)
    start = np.where(error, outer.end + 8, 0)
    inner = view.header(start)
    quoting = error & inner.fine & (inner.family == outer.family) & (inner.protocol == _TCP)
    at = np.where(quoting, inner.end, outer.end)
    plain = outer.fine & (outer.protocol == _TCP) & view.is_whole_tcp(at)
    rows = np.flatnonzero(plain | (quoting & (at + 8 <= view.ends)))
    return view.pick(rows).segments(start[rows], at[rows], np.where(quoting, outer.end, _PAST)[rows]), rows


def stacked(packets: list[bytes], snap: int = 160) -> tuple[Batch, Batch]:
    """Packets as `parse` takes them: ``(data, lengths)``, each cut at `snap` bytes."""
    lengths = np.array([min(len(one), snap) for one in packets], np.int64)
    whole = b"".join(one[:snap].ljust(snap, b"\0") for one in packets)
    return np.frombuffer(whole, np.uint8).reshape(-1, snap), lengths


class _Header(NamedTuple):
    """IP headers as columns: whether it is one, family, protocol, where what follows begins and the packet stops."""

    fine: Batch
    family: Batch
    protocol: Batch
    end: Batch
    stop: Batch


class _View:
    """Bounded reading of (N, snap) bytes, at an offset of its own in each row; past a packet's end all is 0."""

    def __init__(self, data: Batch, ends: Batch) -> None:
        self.data, self.ends = data, np.minimum(ends.astype(np.int64), data.shape[1])

    def pick(self, rows: Batch) -> _View:
        """The same view of some rows."""
        return _View(self.data[rows], self.ends[rows])

    def number(self, at: Batch, size: int) -> Batch:
        """`size` bytes at each row's offset as a big-endian number (uint64); 0 unless all of them are there."""
        inside = (at >= 0) & (at + size <= self.ends)
        columns = np.where(inside, at, 0)[:, None] + np.arange(size)
        raw = np.zeros((len(at), 8), np.uint8)
        raw[:, 8 - size :] = np.take_along_axis(self.data, np.minimum(columns, self.data.shape[1] - 1), axis=1)
        return np.where(inside, raw.view(">u8")[:, 0].astype(np.uint64), np.uint64(0))

    def header(self, at: Batch) -> _Header:
        """The IP header at each row's offset (RFC 791, 3.1; RFC 8200, 3). A length of 0 is a segment yet uncut."""
        first = self.number(at, 1).astype(np.int64)
        v4 = first >> 4 == 4
        size = np.where(v4, (first & 15) * 4, 40)
        later = v4 & (self.number(at + 6, 2).astype(np.int64) & 0x1FFF != 0)
        fine = (v4 | (first >> 4 == 6)) & (size >= 20) & (at + size <= self.ends) & ~later
        said = self.number(at + np.where(v4, 2, 4), 2).astype(np.int64)
        stop = np.where(said == 0, _PAST, at + said + np.where(v4, 0, 40))
        return _Header(fine, np.where(v4, 4, 6), self.number(at + np.where(v4, 9, 6), 1), at + size, stop)

    def is_icmp_error(self, outer: _Header) -> Batch:
        """A mask: destination unreachable, time exceeded, parameter problem; ICMPv6 too big (RFC 792, RFC 4443)."""
        kind = self.number(outer.end, 1)
        v4 = (outer.family == 4) & (outer.protocol == 1) & np.isin(kind, (3, 11, 12))
        v6 = (outer.family == 6) & (outer.protocol == 58) & np.isin(kind, (1, 2, 3, 4))
        either: Batch = v4 | v6
        return either

    def is_whole_tcp(self, at: Batch) -> Batch:
        """A mask: a TCP header lies here, its data offset sane and inside the packet (RFC 9293, 3.1)."""
        size = (self.number(at + 12, 1).astype(np.int64) >> 4) * 4
        whole: Batch = (size >= 20) & (at + size <= self.ends)
        return whole

    def address(self, start: Batch, offset: int) -> tuple[Batch, Batch]:
        """``(hi, lo)`` of the source (`offset` 0) or destination (1) of the IP header at `start`."""
        v4 = self.number(start, 1) >> np.uint64(4) == 4
        mapped = self.number(start + 12 + 4 * offset, 4) | np.uint64(0xFFFF << 32)
        hi, lo = (self.number(start + 8 + 16 * offset + half, 8) for half in (0, 8))
        return np.where(v4, np.uint64(0), hi), np.where(v4, mapped, lo)

    def timestamps(self, at: Batch) -> tuple[Batch, Batch]:
        """``(tsval, tsecr)`` of each TCP header, 0 where there is no such option (RFC 7323, 3.2)."""
        stamps = np.zeros((2, len(at)), np.uint32)
        size = (self.number(at + 12, 1).astype(np.int64) >> 4) * 4
        stop = np.minimum(at + size, self.ends)
        rows, here = np.arange(len(at)), at + 20
        while len(rows):  # every step moves on by a byte at least, so an option list ends after 40
            view = self.pick(rows)
            kind, length = view.number(here, 1), view.number(here + 1, 1).astype(np.int64)
            step = np.where(kind == 1, 1, length)
            fits = (kind != 0) & (step >= np.where(kind == 1, 1, 2)) & (here + step <= stop[rows])
            found = fits & (kind == _TIMESTAMP) & (length == 10)
            stamps[0, rows[found]] = view.number(here + 2, 4)[found]
            stamps[1, rows[found]] = view.number(here + 6, 4)[found]
            on = fits & ~found
            rows, here = rows[on], (here + step)[on]
        return stamps[0], stamps[1]

    def segments(self, start: Batch, at: Batch, icmp: Batch) -> Batch:
        """The rows as `SEGMENT`: IP header at `start`, TCP at `at`, ICMP at `icmp` (past the end where none is)."""
        batch = segment.empty(len(at))
        batch["src_hi"], batch["src_lo"] = self.address(start, 0)
        batch["dst_hi"], batch["dst_lo"] = self.address(start, 1)
        batch["ttl"] = self.number(start + np.where(segment.is_ipv4(batch), 8, 7), 1)
        for name, offset, size in (("sport", 0, 2), ("dport", 2, 2), ("seq", 4, 4), ("ack", 8, 4), ("flags", 13, 1)):
            batch[name] = self.number(at + offset, size)
        batch["tsval"], batch["tsecr"] = self.timestamps(at)
        batch["icmp_type"], batch["icmp_code"] = self.number(icmp, 1), self.number(icmp + 1, 1)
        hi, lo = self.address(np.zeros(len(at), np.int64), 0)
        batch["icmp_hi"], batch["icmp_lo"] = (np.where(icmp < _PAST, half, 0) for half in (hi, lo))
        return batch
