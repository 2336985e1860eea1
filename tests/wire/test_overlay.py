"""What VXLAN and Geneve wrap is read as scapy wraps it; what a forger wraps is left alone."""

from __future__ import annotations

import numpy as np
import pytest
from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

from prober import segment
from prober.segment import ACK, SYN
from prober.wire import codec
from prober.wire.capture import SNAP

OUTER, OUTER6 = IP(src="10.224.0.4", dst="10.224.0.23"), IPv6(src="fd22::4", dst="fd22::23")
V4, V6 = IP(src="10.4.0.1", dst="10.19.0.4", ttl=63), IPv6(src="fd04::1", dst="fd19::4", hlim=63)
REPLY = TCP(sport=8080, dport=61440, flags="SA", seq=7, ack=8, options=[("Timestamp", (1, 2))])
FRAME, FRAME6 = Ether(type=0x0800) / V4 / REPLY, Ether(type=0x86DD) / V6 / REPLY
LINUX, IANA = UDP(dport=8472) / VXLAN(flags=8, vni=42), UDP(dport=4789) / VXLAN(flags=8, vni=42)
OPTIONED = UDP(dport=6081) / GENEVE(proto=0x6558, vni=42, options=[GeneveOptions(length=2, data=b"12345678")])

WRAPPED = {
    "Linux's VXLAN": OUTER / LINUX / FRAME,
    "IANA's VXLAN": OUTER / IANA / FRAME,
    "IPv6 in IPv4": OUTER / IANA / FRAME6,
    "IPv4 in IPv6": OUTER6 / IANA / FRAME,
    "IPv6 in IPv6": OUTER6 / LINUX / FRAME6,
    "Geneve": OUTER / UDP(dport=6081) / GENEVE(proto=0x6558, vni=42) / FRAME,
    "Geneve with options": OUTER / OPTIONED / FRAME,
    "Geneve with options, IPv6 in IPv6": OUTER6 / OPTIONED / FRAME6,
    "IP options outside": IP(src="10.224.0.4", dst="10.224.0.23", options=[b"\x01" * 8]) / LINUX / FRAME,
}
OTHERS = {
    "another port": OUTER / UDP(dport=4790) / VXLAN(flags=8, vni=42) / FRAME,
    "VXLAN without a network": OUTER / UDP(dport=8472) / VXLAN(flags=0, vni=42) / FRAME,
    "another version of Geneve": OUTER / UDP(dport=6081) / GENEVE(version=1, proto=0x6558, vni=42) / FRAME,
    "Geneve of something else": OUTER / UDP(dport=6081) / GENEVE(proto=0x0800, vni=42) / FRAME,
    "ARP inside": OUTER / LINUX / Ether(type=0x0806) / (b"\0" * 60),
    "UDP inside": OUTER / LINUX / Ether(type=0x0800) / V4 / UDP() / (b"\0" * 40),
    "a later fragment": IP(src="10.224.0.4", dst="10.224.0.23", frag=9) / LINUX / FRAME,
}


def parsed(*packets):
    return codec.parse(*codec.stacked([bytes(one) for one in packets], SNAP))


@pytest.mark.parametrize("name", WRAPPED)
def test_the_segment_inside_and_both_ends_of_the_tunnel(name):
    rows, _ = parsed(WRAPPED[name])
    assert len(rows) == 1
    one, six = rows[0], "IPv6 in" in name
    assert str(segment.address(one["dst_hi"], one["dst_lo"])) == ("fd19::4" if six else "10.19.0.4")
    assert [int(one[field]) for field in ("sport", "dport", "flags", "seq", "ack", "ttl", "vni", "tsecr")] == [
        8080, 61440, SYN | ACK, 7, 8, 63, 42, 2,
    ]  # fmt: skip
    outside = ("fd22::4", "fd22::23") if "in IPv6" in name else ("10.224.0.4", "10.224.0.23")
    ends = [segment.address(one[f"{end}_hi"], one[f"{end}_lo"]) for end in ("outer_src", "outer")]
    assert tuple(map(str, ends)) == outside


@pytest.mark.parametrize("name", OTHERS)
def test_nothing_else_is_taken_for_a_wrapped_segment(name):
    assert len(parsed(OTHERS[name])[0]) == 0


def test_a_bare_segment_beside_wrapped_ones_has_no_tunnel():
    rows, kept = parsed(V4 / REPLY, WRAPPED["Geneve"], OTHERS["ARP inside"], V6 / REPLY)
    assert kept.tolist() == [0, 1, 3]
    assert segment.wrapped(rows).tolist() == [False, True, False]
    assert rows["vni"].tolist() == [0, 42, 0]


@pytest.mark.parametrize("name", WRAPPED)
def test_every_cut_of_a_wrapped_packet_is_survived_and_none_is_taken_for_a_segment(name):
    whole = bytes(WRAPPED[name])
    assert len(codec.parse(*codec.stacked([whole[:cut] for cut in range(len(whole))], SNAP))[0]) == 0


def test_padding_after_a_short_wrapped_packet_is_not_read_as_its_options():
    bare = OUTER / LINUX / Ether(type=0x0800) / V4 / TCP(sport=8080, dport=61440, flags="R", dataofs=8)
    rows, _ = parsed(bytes(bare) + b"\x08\x0a" + b"\xff" * 10)
    assert len(rows) == 0, "its options would lie outside the wrapped packet"


def test_mutilated_wrapped_packets_are_survived():
    random = np.random.default_rng(2)
    good, _ = codec.stacked([bytes(one) for one in (*WRAPPED.values(), *OTHERS.values())], SNAP)
    data = good[random.integers(0, len(good), 50_000)]
    for _ in range(3):
        data[np.arange(len(data)), random.integers(0, 130, len(data))] = random.integers(0, 256, len(data))
    rows, kept = codec.parse(data, random.integers(0, SNAP + 1, len(data)))
    assert 0 < len(kept) < len(data)
    assert len(rows) == len(kept)
