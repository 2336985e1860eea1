"""Frames in a ring's slots -> segments. What looks like nearly all of them is read in place, column by column.

That is TCP right behind an IP header without options or extensions, with no TCP options or with timestamps where
Linux and this prober put them. Everything else (IP options, ICMP errors, odd option lists, long link headers, cut
or forged lengths) is left to `codec.parse`, which walks it with every offset bounded. Where both can read a packet
they say the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from prober import segment
from prober.segment import Batch
from prober.wire import codec
from prober.wire.ring import PACKET, WIDTH

_TCP = 6
_SACK_STAMP, _PAD_STAMP = (int.from_bytes(bytes(four), "little") for four in ((4, 2, 8, 10), (1, 1, 8, 10)))
"""SACK permitted or two NOPs, then the timestamps' kind and length (RFC 2018, 2; RFC 7323, 3.2)."""
_MSS = int.from_bytes(bytes((2, 4)), "little")  # kind and length (RFC 9293, 3.2)


class _Layout(NamedTuple):
    """A family's columns in a slot, and what its length field leaves out."""

    columns: np.dtype[np.void]
    header: int
    uncounted: int


def _layout(header: int, uncounted: int, ip: dict[str, tuple[str, int]]) -> _Layout:
    tcp = {
        "sport": (">u2", 0), "dport": (">u2", 2), "seq": (">u4", 4), "ack": (">u4", 8), "offset": ("u1", 12),
        "flags": ("u1", 13), "option": ("<u4", 20), "mss": ("<u2", 20), "second": ("<u4", 24),
        "short_tsval": (">u4", 24), "short_tsecr": (">u4", 28), "long_tsval": (">u4", 28), "long_tsecr": (">u4", 32),
    }  # fmt: skip
    places = [(name, kind, PACKET + at) for name, (kind, at) in ip.items()]
    places += [(name, kind, PACKET + header + at) for name, (kind, at) in tcp.items()]
    names, formats, offsets = zip(*places, strict=True)
    columns = {"names": list(names), "formats": list(formats), "offsets": list(offsets), "itemsize": WIDTH}
    return _Layout(np.dtype(columns), header, uncounted)  # type: ignore[call-overload]  # as in packets


_V4 = _layout(
    20, 0,
    {"first": ("u1", 0), "total": (">u2", 2), "fragment": (">u2", 6), "ttl": ("u1", 8), "protocol": ("u1", 9),
     "src": (">u4", 12), "dst": (">u4", 16)},
)  # fmt: skip
_V6 = _layout(
    40, 40,
    {"first": ("u1", 0), "total": (">u2", 4), "protocol": ("u1", 6), "ttl": ("u1", 7),
     "src_hi": (">u8", 8), "src_lo": (">u8", 16), "dst_hi": (">u8", 24), "dst_lo": (">u8", 32)},
)  # fmt: skip


def lengths(slots: Batch) -> Batch:
    """How many bytes of each packet were captured, from the IP header on."""
    behind = slots["network"].astype(np.int64)
    said = slots["captured"].astype(np.int64) - (behind - slots["link"])
    result: Batch = np.clip(said, 0, np.maximum(WIDTH - behind, 0))
    return result


def parse(slots: Batch, raw: Batch) -> tuple[Batch, Batch]:
    """``(segments, rows)`` of `SLOT` rows and their bytes, as `codec.parse` would say it: which rows were segments.

    Of the columns that only a capture has, ``icmp_*`` are filled in here, the others are the tap's.
    """
    captured = lengths(slots)
    usual = slots["network"] == PACKET
    four = _View(raw, _V4, usual, captured)
    if four.plain.all():
        return four.segments(slice(None)), np.arange(len(raw))
    six = _View(raw, _V6, usual, captured)
    odd = np.flatnonzero(~(four.plain | six.plain))
    odd_segments, kept = _odd(slots["network"][odd], raw[odd], captured[odd])
    told = four.plain | six.plain
    told[odd[kept]] = True
    rows = np.flatnonzero(told)
    place = np.cumsum(told) - 1
    batch = segment.empty(len(rows))
    for view in (four, six):
        some = np.flatnonzero(view.plain)
        segment.put(batch, place[some], view.segments(some))
    segment.put(batch, place[odd[kept]], odd_segments)
    return batch, rows


def packets(slots: Batch, raw: Batch, rows: Batch, snap: int) -> list[bytes]:
    """These rows' packets from the IP header on, `snap` bytes at most."""
    if not len(rows):
        return []
    first, last = int(rows[0]), int(rows[-1]) + 1
    whole = raw[first:last].tobytes()  # then each packet is cut out of one object, without numpy
    network = slots["network"][rows].astype(np.int64)
    begins = (rows - first) * WIDTH + network
    sizes = np.minimum(lengths(slots)[rows], snap)
    return [whole[a:b] for a, b in zip(begins.tolist(), (begins + sizes).tolist(), strict=True)]


def _odd(network: Batch, raw: Batch, captured: Batch) -> tuple[Batch, Batch]:
    """The slow path: packets moved to the front of their rows, wherever their link header ended."""
    data = np.zeros((len(raw), WIDTH), np.uint8)
    for begin in np.unique(network[network < WIDTH]).tolist():
        some = network == begin
        data[some, : WIDTH - begin] = raw[some, begin:]
    return codec.parse(data, captured)


class _View:
    """The columns of one family, and which rows are plain enough to be read from them."""

    def __init__(self, raw: Batch, layout: _Layout, usual: Batch, captured: Batch) -> None:
        self.layout, self.view = layout, raw.view(layout.columns)[:, 0]
        self.plain = self._is_plain(usual, captured)

    def _is_plain(self, usual: Batch, captured: Batch) -> Batch:
        """IP as expected, the whole TCP header captured and inside the packet, its options in one of three shapes."""
        view = self.view
        fine = usual & (view["protocol"] == _TCP)
        if self.layout is _V4:
            fine &= (view["first"] == 0x45) & (view["fragment"] & 0x1FFF == 0)
        else:
            fine &= view["first"] >> 4 == 6
        total, size = view["total"].astype(np.int64), (view["offset"] >> 4) * 4
        stop = np.minimum(captured, np.where(total == 0, WIDTH, total + self.layout.uncounted))
        fine &= self.layout.header + size <= stop
        second = view["second"]
        long = (view["mss"] == _MSS) & ((second == _SACK_STAMP) | (second == _PAD_STAMP))
        short = view["option"] == _PAD_STAMP
        plain: Batch = fine & ((size == 20) | ((size == 32) & short) | ((size == 40) & long))
        return plain

    def segments(self, rows: Batch | slice) -> Batch:
        """These rows, all of them plain."""
        view = self.view[rows] if isinstance(rows, slice) else self.view.take(rows)
        batch = segment.empty(len(view))
        for name in ("ttl", "sport", "dport", "seq", "ack", "flags"):
            batch[name] = view[name]
        if self.layout is _V4:
            for name in ("src", "dst"):
                batch[f"{name}_lo"] = view[name].astype(np.uint64) | np.uint64(0xFFFF << 32)
        else:
            for name in ("src_hi", "src_lo", "dst_hi", "dst_lo"):
                batch[name] = view[name]
        size = view["offset"] >> 4
        for name in ("tsval", "tsecr"):
            batch[name] = np.where(size == 10, view[f"long_{name}"], np.where(size == 8, view[f"short_{name}"], 0))
        return batch
