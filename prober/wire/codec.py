"""Packets -> segments, whatever they look like: every header walked, every offset bounded, all rows at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from prober import segment
from prober.segment import Batch
from prober.wire import overlay

_TCP, _TIMESTAMP = 6, 8
_PAST = 1 << 20
"""An offset that no packet reaches."""


def parse(data: Batch, lengths: Batch) -> tuple[Batch, Batch]:
    """Captured packets -> ``(segments, rows)``: TCP and the ICMP errors that quote TCP, and which rows they were.

    `data` is a (N, snap) uint8 array of packets from the IP header on, `lengths` how much of each was captured.
    No length that a packet claims is believed beyond what was captured; whatever is no whole TCP header, no ICMP
    error, a later fragment or behind IPv6 extension headers is left out. Checksums are not looked at: frames that
    this kernel made carry unfinished ones. A quote needs 8 bytes of TCP (RFC 792); fields cut off read 0. Of an
    overlay's packet the wrapped TCP segment is read, with the tunnel's ends beside it.
    """
    outer = _View(data, lengths).header(np.zeros(len(data), np.int64))
    view = _View(data, np.minimum(lengths, outer.stop))
    error, tunnel = outer.fine & view.is_icmp_error(outer), overlay.tunnel(view, outer)
    start = np.where(error, outer.end + 8, tunnel.start)
    inner = view.header(start)
    view = _View(data, np.where(tunnel.wraps, np.minimum(view.ends, inner.stop), view.ends))
    tcp = inner.fine & (inner.protocol == _TCP)
    quoting, wrapped = error & tcp & (inner.family == outer.family), tunnel.wraps & tcp
    at = np.where(quoting | wrapped, inner.end, outer.end)
    plain = (wrapped | (outer.fine & (outer.protocol == _TCP))) & view.is_whole_tcp(at)
    rows = np.flatnonzero(plain | (quoting & (at + 8 <= view.ends)))
    batch = view.pick(rows).segments(start[rows], at[rows], np.where(quoting, outer.end, _PAST)[rows])
    if wrapped.any():
        view.pick(rows).ends_of_tunnels(batch, wrapped[rows], tunnel.vni[rows])
    return batch, rows


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

    def ends_of_tunnels(self, batch: Batch, wrapped: Batch, vni: Batch) -> None:
        """Fill in the outer addresses of the wrapped rows."""
        zero = np.zeros(len(batch), np.int64)
        for name, which in (("outer_src", 0), ("outer", 1)):
            for part, half in zip(("hi", "lo"), self.address(zero, which), strict=True):
                batch[f"{name}_{part}"] = np.where(wrapped, half, np.uint64(0))
        batch["vni"] = np.where(wrapped, vni, np.uint32(0))
