"""What the kernel's filter lets through, asked of the kernel itself."""

from __future__ import annotations

import socket
import struct
import time

import pytest
from scapy.contrib.geneve import GENEVE, GeneveOptions
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoRequest, ICMPv6TimeExceeded, IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import Ether
from scapy.layers.vxlan import VXLAN

from prober.wire import filter

A, B, A6, B6 = "10.77.0.1", "10.77.0.2", "fd77::1", "fd77::2"
V4, V6 = IP(src=A, dst=B), IPv6(src=A6, dst=B6)
BACK, BACK6 = IP(src=B, dst=A), IPv6(src=B6, dst=A6)

TUNNEL, TUNNEL6 = V4 / UDP(dport=8472) / VXLAN(flags=8), V6 / UDP(dport=4789) / VXLAN(flags=8)
GENEVED = V4 / UDP(dport=6081) / GENEVE(proto=0x6558, options=[GeneveOptions(length=2, data=b"12345678")])
FRAME, FRAME6 = Ether(type=0x0800) / V4, Ether(type=0x86DD) / V6
RST = TCP(sport=20480, dport=80, flags="R")
STAMP, NOPS = ("Timestamp", (1, 2)), [("NOP", None)] * 2
SYNS = [("MSS", 1460), ("SAckOK", b""), STAMP, ("NOP", None), ("WScale", 7)]
BSDS = [("MSS", 1460), ("NOP", None), ("WScale", 6), ("SAckOK", b""), STAMP]
STAMPED = TCP(sport=80, dport=1024, flags="SA", options=SYNS)

KEPT = {
    "a probe in VXLAN": TUNNEL / FRAME / RST,
    "a probe in IPv6 in VXLAN": TUNNEL / FRAME6 / RST,
    "a probe in VXLAN in IPv6": TUNNEL6 / FRAME / RST,
    "a SYN-ACK of any port in VXLAN": TUNNEL / FRAME / STAMPED,
    "a SYN-ACK of any port, IPv6 in IPv6": TUNNEL6 / FRAME6 / STAMPED,
    "behind the wrapped header's options": TUNNEL / Ether(type=0x0800) / IP(src=A, dst=B, options=[b"\x01" * 8]) / RST,
    "a probe in Geneve with options": GENEVED / FRAME / RST,
    "source port, low band's first": V4 / TCP(sport=20480, dport=80, flags="R"),
    "source port, low band's last": V4 / TCP(sport=20543, dport=80, flags="R"),
    "destination port, high band": V4 / TCP(sport=80, dport=61503, flags="RA"),
    "a SYN of any port, for a NAT may have changed it": V4 / TCP(sport=1024, dport=80, options=SYNS),
    "a SYN-ACK of any port": V4 / STAMPED,
    "a SYN-ACK as BSD orders its options": V4 / TCP(sport=80, dport=1024, flags="SA", options=BSDS),
    "a SYN-ACK with timestamps alone": V4 / TCP(sport=80, dport=1024, flags="SA", options=[*NOPS, STAMP]),
    "a probe's SYN whose options were stripped": V4 / TCP(sport=20480, dport=80),
    "an answer without timestamps": V4 / TCP(sport=80, dport=20480, flags="SA"),
    "an IPv6 SYN-ACK of any port": V6 / STAMPED,
    "an RST of any port with timestamps": V4 / TCP(sport=1024, dport=80, flags="R", options=[*NOPS, STAMP]),
    "a refusal to any port": V4 / TCP(sport=80, dport=1024, flags="RA"),
    "a refusal to any port, IPv6 in VXLAN": TUNNEL / FRAME6 / TCP(sport=80, dport=1024, flags="RA"),
    "behind IP options": IP(src=A, dst=B, options=[b"\x01" * 8]) / TCP(sport=20480, dport=80),
    "IPv6": V6 / TCP(sport=61440, dport=80),
    "a first fragment": IP(src=A, dst=B, flags="MF") / TCP(sport=20480, dport=80),
    "unreachable quoting a probe": V4 / ICMP(type=3) / BACK / TCP(sport=20480, dport=80),
    "exceeded quoting an answer": V4 / ICMP(type=11) / BACK / TCP(sport=80, dport=20480),
    "quote with options": V4 / ICMP(type=3) / IP(src=B, dst=A, options=[b"\x01" * 4]) / TCP(sport=20480, dport=80),
    "quote of a probe's SYN from another port": V4 / ICMP(type=3) / BACK / TCP(sport=1024, dport=80, options=SYNS),
    "quote of an answer to another port": V6 / ICMPv6TimeExceeded() / BACK6 / STAMPED,
    "ICMPv6 quoting a probe": V6 / ICMPv6DestUnreach() / BACK6 / TCP(sport=20480, dport=80),
    "ICMPv6 quoting an answer": V6 / ICMPv6TimeExceeded() / BACK6 / TCP(sport=80, dport=61440),
}
DROPPED = {
    "a SYN of another port without timestamps": V4 / TCP(sport=1024, dport=80, options=[("MSS", 1460)]),
    "a bare SYN of another port": V4 / TCP(sport=1024, dport=80),
    "a SYN-ACK of another port without timestamps": V6 / TCP(sport=80, dport=1024, flags="SA", options=NOPS * 8),
    "an RST of another port without timestamps": V4 / TCP(sport=1024, dport=80, flags="R"),
    "an RST in a connection": V4 / TCP(sport=80, dport=1024, flags="RA", seq=5),
    "data with timestamps": V4 / TCP(sport=40000, dport=443, flags="PA", options=[*NOPS, STAMP]) / (b"x" * 30),
    "a connection's data in VXLAN": TUNNEL / FRAME / TCP(sport=40000, dport=443, flags="PA") / (b"x" * 30),
    "UDP in VXLAN": TUNNEL / FRAME / UDP(sport=20480, dport=80) / (b"\0" * 40),
    "ARP in VXLAN": TUNNEL / Ether(type=0x0806) / (b"\0" * 60),
    "a connection's data in Geneve": GENEVED / FRAME / TCP(sport=40000, dport=443, flags="PA") / (b"x" * 30),
    "a wrapped probe on another port": V4 / UDP(dport=4790) / VXLAN(flags=8) / FRAME / RST,
    "below the low band": V4 / TCP(sport=20479, dport=80, flags="R"),
    "above the low band": V4 / TCP(sport=20544, dport=80, flags="R"),
    "a connection's data": V4 / TCP(sport=40000, dport=443, flags="PA") / (b"x" * 30),
    "its end": V6 / TCP(sport=40000, dport=443, flags="FA"),
    "UDP": V4 / UDP(sport=20480, dport=80) / (b"\0" * 20),
    "a later fragment": IP(src=A, dst=B, frag=3) / TCP(sport=20480, dport=80),
    "ping": V4 / ICMP(type=8) / (b"\0" * 60),
    "ICMPv6 ping": V6 / ICMPv6EchoRequest(data=b"\0" * 60),
    "quote of another port": V4 / ICMP(type=3) / BACK / TCP(sport=40000, dport=80),
    "quote of UDP": V4 / ICMP(type=3) / BACK / UDP(sport=20480, dport=80),
    "IPv6 fragment": V6 / IPv6ExtHdrFragment() / TCP(sport=20480, dport=80),
}


def _frame(packet):
    raw = bytes(packet)
    return struct.pack("!6s6sH", b"\xff" * 6, b"\2" + b"\0" * 5, 0x0800 if raw[0] >> 4 == 4 else 0x86DD) + raw


@pytest.mark.parametrize(
    ("packets", "kept"), [(KEPT, True), (DROPPED, False)], ids=["probes and errors quoting them", "everything else"]
)
def test_the_kernel_keeps(cable, probers, packets, kept):
    a, b = cable
    b.rule("input", "drop")
    far = probers(b, mute=False)
    inject = _injector(a)
    for name, packet in packets.items():
        inject(_frame(packet))
        time.sleep(0.01)
        assert len(far.hear(0.05).frames) + far.tap.unread == int(kept), name


def _injector(host):
    sock = host.do(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))
    sock.bind(("eth0", 0))
    return sock.send


def test_a_frame_cut_anywhere_reaches_the_tap_only_with_its_ports(cable, probers):
    a, b = cable
    b.rule("input", "drop")
    far = probers(b, mute=False)
    inject = _injector(a)
    whole = bytes(Ether(dst="ff:ff:ff:ff:ff:ff") / V4 / TCP(sport=20480, dport=80, flags="R"))
    for length in range(14, len(whole)):
        inject(whole[:length])
    seen = far.hear_all()
    assert len(seen.frames) == 0, "no cut TCP header is taken for a segment"
    assert far.tap.unread == len(whole) - (14 + 20 + 2), "the filter reads the source port first"


def test_a_jump_skips_the_instructions_between():
    code = filter.assemble([("jeq", 7, "there"), ("ret", 1), "there", ("ret", 2)])
    assert struct.unpack("=" + "HBBI" * 3, code) == (0x15, 1, 0, 7, 0x06, 0, 0, 1, 0x06, 0, 0, 2)


def test_an_unconditional_jump_carries_its_distance_in_the_operand():
    code = filter.assemble([("ja", 0, "end"), ("ret", 1), "end", ("ret", 2)])
    assert struct.unpack("=HBBI", code[:8]) == (0x05, 0, 0, 1)
