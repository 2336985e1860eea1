"""Captured frames and what was made of them, as a file that Wireshark opens.

The block formats are those of draft-ietf-opsawg-pcapng: section header (4.1), interface description (4.2) and
enhanced packet (4.3), little endian, with a comment option a packet. One interface block an agent and interface.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from prober.observation import Observation, Seen
from prober.segment import OUT

RAW = 101
"""LINKTYPE_RAW: the taps keep frames from the IP header on, so that every kind of device is alike."""

LONGEST = 4096
"""Bytes of an option at most; the format has 16 bits for its length."""
_COMMENT, _IF_NAME, _IF_TSRESOL, _FLAGS = 1, 2, 9, 2


def write(observation: Observation, sentence: str, at_ns: int) -> bytes:
    """The probe's frames, both ends' and the witnesses', in order of time; ``at_ns`` is when it was sent (Unix)."""
    frames = [one for one in observation.seen if one.frame]
    interfaces = list(dict.fromkeys((one.agent, one.interface) for one in frames))
    blocks = [_section(sentence)]
    blocks += [_interface(f"{agent}/{name}") for agent, name in interfaces]
    for one in sorted(frames, key=lambda one: one.after_ms):
        index = interfaces.index((one.agent, one.interface))
        stamp = min(max(0, at_ns + int(one.after_ms * 1e6)), 2**64 - 1)  # whatever an agent's clock says
        blocks.append(_packet(index, stamp, one))
    return b"".join(blocks)


def _section(comment: str) -> bytes:
    body = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + _options([(_COMMENT, comment.encode())])
    return _block(0x0A0D0D0A, body)


def _interface(name: str) -> bytes:
    options = _options([(_IF_NAME, name.encode()), (_IF_TSRESOL, b"\x09")])
    return _block(1, struct.pack("<HHI", RAW, 0, 0) + options)


def _packet(interface: int, at_ns: int, one: Seen) -> bytes:
    way = struct.pack("<I", 2 if one.way == OUT else 1)
    comment = f"{one.agent}: {one.text()}".encode()
    head = struct.pack("<IIIII", interface, at_ns >> 32, at_ns & 0xFFFFFFFF, len(one.frame), len(one.frame))
    return _block(6, head + _padded(one.frame) + _options([(_COMMENT, comment), (_FLAGS, way)]))


def _options(options: Sequence[tuple[int, bytes]]) -> bytes:
    short = [(code, value[:LONGEST]) for code, value in options]
    written = b"".join(struct.pack("<HH", code, len(value)) + _padded(value) for code, value in short)
    return written + struct.pack("<HH", 0, 0)


def _padded(value: bytes) -> bytes:
    return value + bytes(-len(value) % 4)


def _block(kind: int, body: bytes) -> bytes:
    length = len(body) + 12
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)
