"""The kernel's own sieve for a tap: classic BPF that lets through probes' segments and the ICMP errors quoting them.

That is every TCP segment of a probe's port; and of other ports, for a NAT may have changed it, every SYN, SYN-ACK and
RST with timestamps and every RST by which a closed port answers; bare, or wrapped by an overlay (VXLAN, Geneve).

A small assembler with labels, then the program. Offsets are relative to the *network* header (``SKF_NET_OFF``,
linux/filter.h), so one program serves Ethernet, VLANs and devices without a link header. A load past the end of
a packet ends the program with "drop" (net/core/filter.c).
"""

from __future__ import annotations

import ctypes
import socket
import struct

from prober.probe import PORT_BAND_SIZE, PORT_BANDS
from prober.segment import ACK, FIN, RST, SYN
from prober.wire.overlay import GENEVE, VXLAN

_NET = -0x100000  # SKF_NET_OFF
_ANCILLARY = -0x1000  # SKF_AD_OFF
_PROTOCOL, _PACKET_TYPE, _HARDWARE = 0, 4, 28  # SKF_AD_PROTOCOL, SKF_AD_PKTTYPE, SKF_AD_HATYPE
_OUTGOING = 4  # PACKET_OUTGOING
_OTHERHOST = 3  # PACKET_OTHERHOST, linux/if_packet.h: flooded to us, addressed to another
_KEEP = 0x40000

_CODES = {
    "ldh": 0x28, "ldb": 0x30, "ld": 0x20, "ld x": 0x40, "ldh x": 0x48, "ldb x": 0x50, "ldx ihl": 0xB1,
    "and": 0x54, "lsh": 0x64, "add": 0x04, "add x": 0x0C, "tax": 0x07, "txa": 0x87, "ldx": 0x01,
    "jeq": 0x15, "jset": 0x45, "ja": 0x05, "ret": 0x06,
}  # fmt: skip
"""linux/bpf_common.h. ``ldx ihl`` is ``4 * (byte & 15)``, the length of the IPv4 header there."""

Line = tuple[str, int] | tuple[str, int, str] | str
"""An instruction with its operand, a jump with its label (taken when it holds), or a label."""


_PLACES = (26, 30, 22, 24, 28, 20)
"""Where timestamps may stand in a TCP header with SYN: Linux's own place first, BSD's and Windows' next."""
_STAMPS = 0x080A
"""The option's kind and length (RFC 7323, 3.2)."""

_BANDS: list[Line] = [("and", 0x10000 - PORT_BAND_SIZE), *(("jeq", band, "keep") for band in PORT_BANDS)]

_TCP: list[Line] = [
    "tcp",  # X: the TCP header, whoever wraps or quotes it
    ("ldh x", _NET), *_BANDS, ("ldh x", _NET + 2), *_BANDS,
    ("ldb x", _NET + 13), ("and", FIN | SYN | RST | ACK),
    *(("jeq", flags, "stamps") for flags in (SYN, SYN | ACK, RST)), ("jeq", RST | ACK, "refusal"), ("ja", 0, "drop"),
    "refusal", ("ld x", _NET + 4), ("jeq", 0, "keep"),
    "stamps", *(line for at in _PLACES for line in (("ldh x", _NET + at), ("jeq", _STAMPS, "keep"))), ("ja", 0, "drop"),
]  # fmt: skip
"""Keeps a segment of a probe's port. Of any other, for a NAT may have given a probe another port: a SYN, SYN-ACK or RST
that has timestamps, for the seal in them tells it still, and an RST,ACK with the sequence number 0: so a SYN is refused
(RFC 9293, 3.10.7.1; tcp_v4_send_reset, net/ipv4/tcp_ipv4.c), and little else looks so."""


_HEAD = "plain tcp"

_UNLESS_RESET: list[Line] = [
    ("ldb", _ANCILLARY + _PACKET_TYPE), ("jeq", _OUTGOING, "leaving"), ("ja", 0, "staying"),
    "leaving", ("ldb", 47), ("jeq", 0x04, "own reset"), ("ja", 0, "staying"),
    "own reset", ("ret", 0), "staying",
]  # fmt: skip

_FAST: list[Line] = [
    ("ldh", _ANCILLARY + _HARDWARE), ("jeq", 1, "ethernet"), ("jeq", 772, "ethernet"), ("ja", 0, "general"),
    "ethernet",
    ("ldh", _ANCILLARY + _PROTOCOL), ("jeq", 0x0800, "plain"), ("ja", 0, "general"),
    "plain",
    ("ldb", 14), ("jeq", 0x45, "no options"), ("ja", 0, "general"),
    "no options",  # fragment offset, TTL and protocol in one word
    ("ld", 20), ("and", 0x1FFF00FF), ("jeq", 6, "plain tcp"), ("ja", 0, "general"),
    _HEAD,
    ("ldh", 34), ("and", 0x10000 - PORT_BAND_SIZE), *(("jeq", band, "keep it") for band in PORT_BANDS),
    ("ldh", 36), ("and", 0x10000 - PORT_BAND_SIZE), *(("jeq", band, "keep it") for band in PORT_BANDS),
    ("ldb", 47), ("jset", SYN | RST, "general"), ("ret", 0),
    "keep it", ("ret", _KEEP),
]  # fmt: skip
"""What nearly every foreign packet of a node is, sorted out by loads from fixed places: those the kernel compiles into
a few instructions, while a place relative to a header costs a call (convert_bpf_ld_abs, net/core/filter.c)."""

PROGRAM: list[Line] = [
    ("ldb", _ANCILLARY + _PACKET_TYPE), ("jeq", _OTHERHOST, "drop"), *_FAST, "general",
    ("ldh", _ANCILLARY + _PROTOCOL), ("jeq", 0x0800, "ipv4"), ("jeq", 0x86DD, "ipv6"), ("ja", 0, "drop"),
    "ipv4",
    ("ldh", _NET + 6), ("jset", 0x1FFF, "drop"),  # a later fragment has no ports
    ("ldx ihl", _NET), ("ldb", _NET + 9), ("jeq", 6, "tcp"), ("jeq", 1, "icmp"), ("jeq", 17, "udp"), ("ja", 0, "drop"),
    "icmp",
    ("ldb x", _NET), ("jeq", 3, "quote"), ("jeq", 11, "quote"), ("jeq", 12, "quote"), ("ja", 0, "drop"),
    "quote",  # X + 8: the quoted IPv4 header, of a length of its own
    ("ldb x", _NET + 17), ("jeq", 6, "quoted tcp"), ("ja", 0, "drop"),
    "quoted tcp",
    ("ldb x", _NET + 8), ("and", 15), ("lsh", 2), ("add x", 0), ("add", 8), ("tax", 0), ("ja", 0, "tcp"),
    "ipv6",
    ("ldx", 40), ("ldb", _NET + 6), ("jeq", 6, "tcp"), ("jeq", 58, "icmp6"), ("jeq", 17, "udp"), ("ja", 0, "drop"),
    "icmp6",  # the error types are 1 to 4 (RFC 4443); the quoted header is 40 long
    ("ldb", _NET + 54), ("jeq", 6, "quoted tcp6"), ("ja", 0, "drop"),
    "quoted tcp6",
    ("ldb", _NET + 40), ("jset", 0x80, "drop"), ("ldx", 88), ("ja", 0, "tcp"),
    "udp",
    ("ldh x", _NET + 2), *(("jeq", port, "wrapped") for port in VXLAN), ("jeq", GENEVE, "geneve"), ("ja", 0, "drop"),
    "geneve",  # its options, counted in words, stand before what is wrapped
    ("ldb x", _NET + 8), ("and", 0x3F), ("lsh", 2), ("add x", 0), ("tax", 0),
    "wrapped",  # X + 16: the wrapped Ethernet header
    ("ldh x", _NET + 28), ("jeq", 0x0800, "wrapped ipv4"), ("jeq", 0x86DD, "wrapped ipv6"), ("ja", 0, "drop"),
    "wrapped ipv4",
    ("ldb x", _NET + 39), ("jeq", 6, "wrapped tcp"), ("ja", 0, "drop"),
    "wrapped tcp",
    ("ldb x", _NET + 30), ("and", 15), ("lsh", 2), ("add x", 0), ("add", 30), ("tax", 0), ("ja", 0, "tcp"),
    "wrapped ipv6",
    ("ldb x", _NET + 36), ("jeq", 6, "wrapped tcp6"), ("ja", 0, "drop"),
    "wrapped tcp6", ("txa", 0), ("add", 70), ("tax", 0),
    *_TCP,
    "keep", ("ret", _KEEP),
    "drop", ("ret", 0),
]  # fmt: skip


HURRIED = [*PROGRAM[: PROGRAM.index(_HEAD) + 1], *_UNLESS_RESET, *PROGRAM[PROGRAM.index(_HEAD) + 1 :]]
"""`PROGRAM` without the RSTs that this host sends over IPv4: in a sweep they are a third of all frames."""


def assemble(program: list[Line]) -> bytes:
    """``struct sock_filter`` for each instruction; a jump that does not hold goes on with the next line."""
    places: dict[str, int] = {}
    lines: list[tuple[str, int] | tuple[str, int, str]] = []
    for line in program:
        if isinstance(line, str):
            places[line] = len(lines)
        else:
            lines.append(line)
    code = b""
    for here, (name, operand, *label) in enumerate(lines):
        jump = places[str(label[0])] - here - 1 if label else 0
        value = jump if name == "ja" else operand
        code += struct.pack("=HBBI", _CODES[name], 0 if name == "ja" else jump, 0, value & 0xFFFF_FFFF)
    return code


def attach(sock: socket.socket, program: list[Line]) -> None:
    """Attach to an open socket (SO_ATTACH_FILTER, socket(7)); before `bind`, so that nothing else slips in."""
    code = ctypes.create_string_buffer(assemble(program))
    count = len(code.raw) // 8  # create_string_buffer adds one zero byte
    sock.setsockopt(socket.SOL_SOCKET, 26, struct.pack("@HP", count, ctypes.addressof(code)))
