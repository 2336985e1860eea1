"""What was asked for is what scapy reads in the packet, checksums included."""

from __future__ import annotations

import ipaddress

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from prober import segment
from prober.segment import SYN
from prober.wire import packets
from tests.wire.rows import row, segments


def dissected(packet: bytes):
    return (IP if packet[0] >> 4 == 4 else IPv6)(packet)


@settings(deadline=None, max_examples=150)
@given(st.lists(segments(), min_size=1, max_size=6))
def test_scapy_reads_in_a_frame_what_was_asked_for_and_finds_its_checksums_right(rows):
    batch = np.concatenate(rows)
    buffer, lengths = packets.frames(batch)
    for one, raw, length in zip(batch, buffer, lengths, strict=True):
        whole = raw[:length].tobytes()
        packet = dissected(whole)
        tcp = packet[TCP]
        assert (tcp.sport, tcp.dport, tcp.seq, tcp.ack, int(tcp.flags)) == tuple(
            int(one[name]) for name in ("sport", "dport", "seq", "ack", "flags")
        )
        assert ipaddress.ip_address(packet.src) == segment.address(one["src_hi"], one["src_lo"])
        assert ipaddress.ip_address(packet.dst) == segment.address(one["dst_hi"], one["dst_lo"])
        assert (packet.ttl if packet.version == 4 else packet.hlim) == one["ttl"]
        stamps = [value for name, value in tcp.options if name == "Timestamp"]
        assert stamps == ([(one["tsval"], one["tsecr"])] if one["tsval"] else [])
        del tcp.chksum
        if packet.version == 4:
            del packet.chksum
        assert bytes(packet) == whole
        assert not raw[length:].any()


def test_a_syn_looks_like_a_linux_clients():
    buffer, lengths = packets.frames(row("192.0.2.1", "192.0.2.2", flags=SYN, ttl=64, tsval=9))
    packet = IP(buffer[0, : lengths[0]].tobytes())
    assert [name for name, _ in packet[TCP].options] == ["MSS", "SAckOK", "Timestamp", "NOP", "WScale"]
    assert (packet[TCP].window, str(packet.flags), packet.id) == (64240, "DF", 0)


def test_arrays_that_held_other_packets_before_are_written_anew():
    buffer, lengths = np.full((2, packets.WIDTH), 0xFF, np.uint8), np.full(2, 9, np.uint32)
    batch = np.concatenate([row("10.0.0.1", "10.0.0.2", flags=4), row("fd00::1", "fd00::2", flags=SYN, tsval=1)])
    packets.write(batch, buffer, lengths)
    fresh, sizes = packets.frames(batch)
    assert (buffer.tolist(), lengths.tolist()) == (fresh.tolist(), sizes.tolist())


def test_nothing_is_written_for_nothing():
    buffer, lengths = packets.frames(segment.empty())
    assert (buffer.shape, lengths.shape) == ((0, packets.WIDTH), (0,))
