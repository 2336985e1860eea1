"""What scapy says of a packet, the codec says too; what a forger sends, it survives."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6

from prober import segment
from prober.segment import ACK, RST, SYN
from prober.wire import codec, packets
from tests.wire.rows import row, segments

PORT, WORD = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)
FAMILY4 = st.ip_addresses(v=4)


@settings(deadline=None, max_examples=150)
@given(st.lists(segments(), min_size=1, max_size=6))
def test_what_was_framed_is_parsed_back(rows):
    batch = np.concatenate(rows)
    again, kept = codec.parse(*packets.frames(batch))
    assert kept.tolist() == list(range(len(batch)))
    assert again.tolist() == batch.tolist()


OPTIONS = st.lists(
    st.one_of(
        st.just(("NOP", None)),
        st.just(("SAckOK", b"")),
        st.tuples(st.just("MSS"), PORT),
        st.tuples(st.just("Timestamp"), st.tuples(WORD, WORD)),
    ),
    max_size=3,
)


@settings(deadline=None, max_examples=150)
@given(FAMILY4, FAMILY4, PORT, PORT, WORD, WORD, OPTIONS, st.integers(0, 10), st.binary(max_size=40))
def test_any_segment_that_scapy_makes_is_read_as_scapy_reads_it(src, dst, sport, dport, seq, ack, options, pad, data):
    ip = IP(src=str(src), dst=str(dst), options=[b"\x01" * 4 * pad])
    packet = IP(bytes(ip / TCP(sport=sport, dport=dport, seq=seq, ack=ack, flags="SA", options=options) / data))
    parsed, kept = codec.parse(*codec.stacked([bytes(packet)]))
    assert kept.tolist() == [0]
    tcp = packet[TCP]
    stamps = [value for name, value in tcp.options if name == "Timestamp"]
    assert (parsed["tsval"][0], parsed["tsecr"][0]) == (stamps[0] if stamps else (0, 0))
    assert (parsed["sport"][0], parsed["dport"][0], parsed["seq"][0], parsed["ack"][0]) == (sport, dport, seq, ack)


def test_an_icmp_error_is_read_as_what_it_quotes():
    quoted = bytes(IP(src="10.4.0.1", dst="10.19.0.4", ttl=61) / TCP(sport=80, dport=61440, flags="SA", seq=1, ack=2))
    error = IP(src="10.224.0.23", dst="10.4.0.1") / ICMP(type=3, code=1) / quoted
    parsed, _ = codec.parse(*codec.stacked([bytes(error)]))
    assert str(segment.address(parsed["icmp_hi"][0], parsed["icmp_lo"][0])) == "10.224.0.23"
    assert str(segment.address(parsed["dst_hi"][0], parsed["dst_lo"][0])) == "10.19.0.4"
    names = ("icmp_type", "icmp_code", "ttl", "sport", "dport", "flags", "seq", "ack")
    assert [int(parsed[name][0]) for name in names] == [3, 1, 61, 80, 61440, SYN | ACK, 1, 2]


def test_an_icmpv6_error_keeps_its_own_type_number():
    quoted = bytes(IPv6(src="fd04::1", dst="fd19::4", hlim=63) / TCP(sport=80, dport=61440, flags="SA", seq=1, ack=2))
    error = IPv6(src="fd22::23", dst="fd04::1") / ICMPv6DestUnreach(code=3) / quoted
    parsed, _ = codec.parse(*codec.stacked([bytes(error)]))
    assert (parsed["icmp_type"][0], parsed["icmp_code"][0], parsed["ttl"][0]) == (1, 3, 63)
    assert str(segment.address(parsed["icmp_hi"][0], parsed["icmp_lo"][0])) == "fd22::23"
    assert (parsed["seq"][0], parsed["ack"][0]) == (1, 2)


def test_a_quote_cut_short_shows_what_is_there_and_zero_for_the_rest():
    tcp = TCP(sport=80, dport=61440, flags="SA", seq=5, ack=6, options=[("Timestamp", (7, 8))])
    quoted = bytes(IP(src="10.4.0.1", dst="10.19.0.4") / tcp)
    read = {}
    for length in range(len(quoted) + 1):
        error = bytes(IP(src="10.9.9.9", dst="10.4.0.1") / ICMP(type=11) / quoted[:length])
        parsed, kept = codec.parse(*codec.stacked([error]))
        fields = [int(parsed[name][0]) for name in ("seq", "ack", "flags", "tsval", "tsecr")] if len(kept) else None
        read.setdefault(str(fields), length)
    assert read == {
        "None": 0,
        "[5, 0, 0, 0, 0]": 28,
        "[5, 6, 0, 0, 0]": 32,
        "[5, 6, 18, 0, 0]": 34,
        "[5, 6, 18, 7, 8]": 50,
    }


def test_every_cut_of_a_whole_packet_is_survived_and_none_is_taken_for_a_segment():
    for batch in (row("10.0.0.1", "10.0.0.2", flags=SYN, tsval=1), row("fd00::1", "fd00::2", flags=SYN, tsval=1)):
        buffer, lengths = packets.frames(batch)
        whole = buffer[0, : lengths[0]].tobytes()
        parsed, kept = codec.parse(*codec.stacked([whole[:cut] for cut in range(len(whole))]))
        assert len(parsed) == len(kept) == 0


def _forged(offset: int, value: int) -> bytes:
    buffer, lengths = packets.frames(row("10.0.0.1", "10.0.0.2", flags=SYN, tsval=1, tsecr=2, sport=1, dport=2))
    raw = bytearray(buffer[0, : lengths[0]].tobytes())
    raw[offset] = value
    return bytes(raw)


def test_forged_lengths_are_refused():
    ihl, version, offset_small, offset_past = _forged(0, 0x44), _forged(0, 0x55), _forged(32, 0x40), _forged(32, 0xF0)
    fragment, short, other = _forged(7, 1), _forged(3, 39), _forged(9, 17)
    wrong = [ihl, version, offset_small, offset_past, fragment, short, other]
    assert codec.parse(*codec.stacked(wrong))[1].tolist() == []
    assert codec.parse(*codec.stacked([_forged(8, 9), *wrong, _forged(8, 9)]))[1].tolist() == [0, 8]


def test_a_total_length_of_zero_is_a_frame_the_kernel_has_yet_to_cut():
    raw = bytearray(_forged(2, 0))
    raw[3] = 0
    assert codec.parse(*codec.stacked([bytes(raw)]))[1].tolist() == [0]


def test_padding_after_a_short_packet_is_not_read_as_its_options():
    packet = bytes(IP(src="10.0.0.1", dst="10.0.0.2") / TCP(flags="R", sport=1, dport=2)) + b"\x08\x0a" + b"\xff" * 8
    assert codec.parse(*codec.stacked([packet]))[0]["tsval"].tolist() == [0]


def test_option_loops_end():
    options = [b"\x00" * 40, b"\x01" * 40, b"\x08\x00" * 20, b"\x08\x01" * 20, b"\x02\xff" * 20, b"\xff" * 40]
    base = bytes(IP(src="10.0.0.1", dst="10.0.0.2") / TCP(dataofs=15, sport=1, dport=2))
    packets = []
    for option in options:
        raw = bytearray(base[:40] + option)
        raw[2:4] = len(raw).to_bytes(2, "big")
        packets.append(bytes(raw))
    parsed, kept = codec.parse(*codec.stacked(packets))
    assert kept.tolist() == list(range(len(options)))
    assert not parsed["tsval"].any()


@settings(deadline=None, max_examples=300)
@given(st.lists(st.binary(max_size=200), min_size=1, max_size=8))
def test_no_bytes_break_the_parser(packets):
    parsed, kept = codec.parse(*codec.stacked(packets))
    assert len(parsed) == len(kept) <= len(packets)


def test_a_hundred_thousand_mutilated_packets_are_survived():
    random = np.random.default_rng(1)
    batch = np.concatenate([row("10.0.0.1", "10.0.0.2", flags=SYN, tsval=1), row("fd00::1", "fd00::2", flags=SYN)])
    quote = bytes(IP(src="10.0.0.1", dst="10.0.0.2") / ICMP(type=3) / IP(src="10.0.0.2") / TCP())
    good, _ = codec.stacked([raw[:n].tobytes() for raw, n in zip(*packets.frames(batch), strict=True)] + [quote])
    data = good[random.integers(0, 3, 100_000)]
    for _ in range(3):
        data[np.arange(len(data)), random.integers(0, 90, len(data))] = random.integers(0, 256, len(data))
    parsed, kept = codec.parse(data, random.integers(0, 161, len(data)))
    assert 0 < len(kept) < len(data)
    assert len(parsed) == len(kept)


def test_stale_bytes_behind_a_shorter_packet_are_never_read():
    buffer, lengths = packets.frames(row("10.0.0.1", "10.0.0.2", flags=RST, seq=1))
    buffer[0, lengths[0] :] = 0xFF
    clean, _ = codec.parse(*packets.frames(row("10.0.0.1", "10.0.0.2", flags=RST, seq=1)))
    assert codec.parse(buffer, lengths)[0].tolist() == clean.tolist()


def test_nothing_parsed_is_nothing():
    parsed, kept = codec.parse(np.zeros((0, 160), np.uint8), np.zeros(0, np.int64))
    assert len(parsed) == len(kept) == 0
