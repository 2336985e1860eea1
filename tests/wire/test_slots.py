"""Read in place or walked byte by byte, a packet says the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6

from prober import segment
from prober.segment import ACK, RST, SYN
from prober.wire import codec, packets, slots
from prober.wire.ring import PACKET, SLOT, WIDTH
from tests.wire.rows import row, segments

STAMPS = ("Timestamp", (7, 8))
ORDERS = {
    "Linux's SYN-ACK": [("MSS", 1460), ("SAckOK", b""), STAMPS, ("NOP", None), ("WScale", 7)],
    "without SACK": [("MSS", 1460), ("NOP", None), ("NOP", None), STAMPS, ("NOP", None), ("WScale", 7)],
    "without scaling": [("MSS", 1460), ("SAckOK", b""), STAMPS],
    "BSD's": [("MSS", 1460), ("NOP", None), ("WScale", 6), ("SAckOK", b""), STAMPS],
    "macOS's": [("MSS", 1460), ("NOP", None), ("WScale", 6), ("NOP", None), ("NOP", None), STAMPS, ("SAckOK", b"")],
    "data's": [("NOP", None), ("NOP", None), STAMPS],
    "stamps alone": [STAMPS],
    "stripped by a filter": [("MSS", 1460), *[("NOP", None)] * 12, ("NOP", None), ("WScale", 7)],
    "none": [],
    "MSS alone": [("MSS", 1460)],
}


def laid(raws, network=PACKET, captured=None, stale=0):
    """Packets as the kernel lays them into slots, whatever was there before."""
    raw = np.full((len(raws), WIDTH), stale, np.uint8)
    there = raw.view(SLOT)[:, 0]
    there["network"], there["link"], there["hardware"] = network, network - 14, 1
    for at, one in enumerate(raws):
        room = one[: WIDTH - network]
        raw[at, network : network + len(room)] = np.frombuffer(room, np.uint8)
        there["captured"][at] = len(one) + 14 if captured is None else captured[at] + 14
    return there, raw


def agree(raws, network=PACKET, stale=0):
    """The segments and rows, which must be codec's own."""
    told, rows = slots.parse(*laid(raws, network, stale=stale))
    walked, kept = codec.parse(*codec.stacked(raws, WIDTH - network))
    assert rows.tolist() == kept.tolist()
    assert told.tolist() == walked.tolist()
    return told


def raws_of(batch):
    return [one[:length].tobytes() for one, length in zip(*packets.frames(batch), strict=True)]


@settings(deadline=None, max_examples=150)
@given(st.lists(segments(), min_size=1, max_size=8), st.sampled_from([80, 96, 112]))
def test_what_was_framed_is_read_back(rows, network):
    batch = np.concatenate(rows)
    assert agree(raws_of(batch), network).tolist() == batch.tolist()


@pytest.mark.parametrize("name", ORDERS)
@pytest.mark.parametrize("six", [False, True], ids=["ipv4", "ipv6"])
def test_options_in_the_order_of(name, six):
    ip = IPv6(src="fd00::1", dst="fd00::2") if six else IP(src="10.0.0.1", dst="10.0.0.2")
    raw = bytes(ip / TCP(sport=80, dport=61440, flags="SA", seq=3, ack=4, options=ORDERS[name]))
    (told,) = agree([raw])
    assert (told["tsval"], told["tsecr"]) == ((7, 8) if STAMPS in ORDERS[name] else (0, 0))
    assert (told["seq"], told["ack"], told["flags"]) == (3, 4, SYN | ACK)


def test_every_cut_of_every_kind_whatever_lies_behind_it():
    quoted = bytes(IP(src="10.4.0.1", dst="10.19.0.4") / TCP(sport=80, dport=61440, options=[STAMPS]))
    quoted6 = bytes(IPv6(src="fd04::1", dst="fd19::4") / TCP(sport=80, dport=61440, options=[STAMPS]))
    wholes = [
        *raws_of(row("10.0.0.1", "10.0.0.2", flags=SYN, tsval=1)),
        *raws_of(row("fd00::1", "fd00::2", flags=RST)),
        bytes(IP(src="10.0.0.1", dst="10.0.0.2") / TCP(options=ORDERS["BSD's"])),
        bytes(IP(src="10.0.0.9", dst="10.4.0.1") / ICMP(type=3, code=1) / quoted),
        bytes(IPv6(src="fd00::9", dst="fd04::1") / ICMPv6DestUnreach(code=3) / quoted6),
    ]  # fmt: skip
    for whole in wholes:
        for stale in (0, 0x08, 0xFF):
            agree([whole[:cut] for cut in range(len(whole) + 1)], stale=stale)


def test_two_hundred_thousand_mutilated_packets_are_read_as_codec_reads_them():
    random = np.random.default_rng(4)
    batch = np.concatenate(
        [
            row("10.0.0.1", "10.0.0.2", flags=SYN, tsval=1, tsecr=2),
            row("10.0.0.1", "10.0.0.2", flags=RST, tsval=3),
            row("fd00::1", "fd00::2", flags=SYN, tsval=5),
            row("fd00::1", "fd00::2", flags=ACK),
        ]
    )
    good, _ = packets.frames(batch)
    for _ in range(4):
        data = np.zeros((50_000, WIDTH - PACKET), np.uint8)
        data[:, : good.shape[1]] = good[random.integers(0, len(good), len(data))]
        for _ in range(random.integers(1, 4)):
            data[np.arange(len(data)), random.integers(0, 80, len(data))] = random.integers(0, 256, len(data))
        lengths = random.integers(0, WIDTH - PACKET + 1, len(data))
        raw = np.zeros((len(data), WIDTH), np.uint8)
        raw[:, PACKET:] = data
        there = raw.view(SLOT)[:, 0]
        there["network"], there["link"], there["captured"] = PACKET, PACKET - 14, lengths + 14
        told, rows = slots.parse(there, raw)
        walked, kept = codec.parse(data, lengths)
        assert 0 < len(rows) < len(data)
        assert (rows == kept).all() and (told == walked).all()


FORGED = {
    "IHL 4": (0, 0x44), "version 5": (0, 0x55), "offset 4": (32, 0x40), "offset 15": (32, 0xF0), "a fragment": (7, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_header_is_refused(name):
    (good,) = raws_of(row("10.0.0.1", "10.0.0.2", flags=SYN, tsval=1))
    raw = bytearray(good)
    raw[FORGED[name][0]] = FORGED[name][1]
    assert len(agree([good, bytes(raw), good])) == 2


def test_offsets_that_no_kernel_writes_lead_nowhere():
    (good,) = raws_of(row("10.0.0.1", "10.0.0.2", flags=SYN, tsval=1))
    for network, link, captured in ((0xFFFF, 0xFFF1, 74), (256, 242, 74), (80, 66, 2**32 - 1), (80, 0, 3), (0, 0, 0)):
        there, raw = laid([good])
        there["network"], there["link"], there["captured"] = network, link, captured
        told, rows = slots.parse(there, raw)
        assert len(told) == len(rows) <= 1


def test_the_packets_are_kept_from_the_ip_header_on_and_cut():
    raws = [b"\x45" + bytes(range(1, 60)), b"\x45" * 176, b"\x60" * 20]
    there, raw = laid(raws, stale=0xEE)
    assert slots.packets(there, raw, np.array([0, 1, 2]), 100) == [raws[0], raws[1][:100], raws[2]]
    assert slots.packets(there, raw, np.array([1, 2]), 176) == raws[1:]
    assert slots.packets(there, raw, np.array([], np.int64), 176) == []


def test_nothing_is_nothing():
    told, rows = slots.parse(np.zeros(0, SLOT), np.zeros((0, WIDTH), np.uint8))
    assert len(told) == len(rows) == 0
    assert told.dtype == segment.SEGMENT
