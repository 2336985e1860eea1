"""One tap sees every interface, both ways, and says what it missed."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import subprocess
import time

import numpy as np
import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.l2 import Dot1Q, Ether

from prober import segment
from prober.probe import Kind, recognise
from prober.segment import ACK, IN, OUT, RST, SYN
from prober.wire.capture import SNAP, Tap

A, B = "10.77.0.1", "10.77.0.2"
KEY = b"a key for tests."


def inject(host, frames, interface="eth0"):
    """Put frames on a cable from `host`, past its kernel's own opinion of them."""

    def send():
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind((interface, 0))
            for frame in frames:
                sock.send(frame)

    host.do(send)


def hardware(host, interface="eth0"):
    """The MAC of a host's interface."""
    return host.run(f"ip -br link show dev {interface}").split()[2]


def test_on_loopback_a_frame_is_seen_leaving_and_arriving(cable, probers):
    prober = probers(cable[0])
    prober.link.send(prober.syns("127.0.0.1", "127.0.0.1", 9))
    seen = prober.hear_all().segments
    assert [(one["flags"], one["way"]) for one in seen] == [(SYN, OUT), (SYN, IN), (RST | ACK, OUT), (RST | ACK, IN)]
    assert not seen["neighbour"].any()


def _await_carrier(host, name):
    """The kernel starts a link's queue from a work item of its own (net/core/link_watch.c), late on a busy machine."""
    words, deadline = ["ip", "-br", "link", "show", name], time.monotonic() + 5
    while "LOWER_UP" not in host.do(lambda: subprocess.run(words, capture_output=True, text=True, check=True).stdout):
        assert time.monotonic() < deadline, f"{name} never came up"
        time.sleep(0.01)


def test_an_interface_that_comes_later_is_watched_too(cable, probers):
    a, b = cable
    prober, far = probers(a), probers(b, mute=False)
    a.run(f"ip link add eth1 type veth peer name eth1 netns /proc/{os.getpid()}/fd/{b.namespace}")
    for host, number in ((a, 1), (b, 2)):
        host.run("ip link set eth1 up")
        host.run(f"ip address add 10.78.0.{number}/24 dev eth1")
    _await_carrier(a, "eth1")
    prober.link.send(np.concatenate([prober.syns("10.78.0.1", "10.78.0.2", 9), prober.syns(A, B, 9)]))
    seen = far.hear_all().segments
    arrived = seen[(seen["flags"] == SYN) & (seen["way"] == IN)]
    names = b.do(lambda: dict(socket.if_nameindex()))
    assert {names[one["interface"]]: int(one["seq"]) & 0xFF for one in arrived} == {"eth1": 0, "eth0": 1}


@pytest.mark.parametrize("tags", [1, 2])
def test_a_vlan_tag_hides_nothing(cable, probers, tags):
    a, b = cable
    far = probers(b, mute=False)
    frame = Ether(dst=hardware(b))
    for number in range(tags):
        frame /= Dot1Q(vlan=7 + number)
    inject(a, [bytes(frame / IP(src=A, dst=B) / TCP(sport=20480, dport=9, seq=77))])
    expected = [77] if tags == 1 else []  # the kernel's filter is told the protocol behind one tag only
    assert far.hear_all().segments["seq"].tolist() == expected


def test_a_device_without_a_link_header_is_read_as_well(cable, probers):
    a, _ = cable
    tunnel = a.do(lambda: os.open("/dev/net/tun", os.O_RDWR))
    try:
        a.do(lambda: fcntl.ioctl(tunnel, 0x400454CA, struct.pack("16sH22x", b"t0", 0x1001)))  # TUNSETIFF, TUN | NO_PI
        a.run("ip link set t0 up")
        far = probers(a, mute=False)
        packet = bytes(IP(src="10.79.0.2", dst="10.79.0.1") / TCP(sport=20480, dport=9, seq=78))
        os.write(tunnel, packet)
        seen = far.hear_all()
    finally:
        os.close(tunnel)
    assert (seen.segments["seq"].tolist(), seen.segments["neighbour"].tolist()) == ([78], [0])
    assert seen.frames == [packet]


def test_the_frame_is_kept_from_the_ip_header_on(cable, probers):
    a, b = cable
    far = probers(b, mute=False)
    packet = IP(src=A, dst=B) / TCP(sport=20480, dport=80, seq=5) / (b"x" * 400)
    inject(a, [bytes(Ether(dst=hardware(b)) / packet)])
    (frame,) = [one for one in far.hear_all().frames if IP(one)[TCP].dport == 80]
    assert frame == bytes(packet)[:SNAP]


def test_a_frame_flooded_here_for_another_host_is_no_evidence(cable, probers):
    a, b = cable
    far = probers(b, mute=False)
    b.run("ip link set eth0 promisc on")
    for mac in ("02:00:00:00:00:99", hardware(b)):
        inject(a, [bytes(Ether(dst=mac) / IP(src=A, dst=B) / TCP(sport=20480, dport=9, seq=int(mac[-2:], 16)))])
    seen = far.hear_all().segments
    assert seen["seq"][seen["way"] == IN].tolist() == [int(hardware(b)[-2:], 16)]


@pytest.mark.parametrize(
    ("source", "target", "kind", "code"), [(A, B, 3, 3), ("fd77::1", "fd77::2", 1, 4)], ids=["icmp", "icmpv6"]
)
def test_an_icmp_error_is_read_as_the_header_it_quotes(cable, probers, source, target, kind, code):
    a, b = cable
    b.rule("input", "tcp dport 8080 reject")
    prober = probers(a)
    rows = prober.syns(source, target, 8080)
    prober.link.send(rows)
    seen = prober.hear_all().segments
    (error,) = seen[seen["icmp_type"] != 0]
    assert (error["icmp_type"], error["icmp_code"]) == (kind, code)
    assert str(segment.address(error["icmp_hi"], error["icmp_lo"])) == target
    assert str(segment.address(error["src_hi"], error["src_lo"])) == source
    assert (error["seq"], error["tsval"], error["ttl"]) == (rows[0]["seq"], rows[0]["tsval"], 64)
    ids, kinds, sealed = recognise(seen, (KEY,))
    assert (ids[-1], kinds[-1], sealed[-1]) == (rows[0]["seq"], Kind.ICMP_SYN, True)


def test_a_router_without_a_way_on_is_told_by_its_icmp(cable, probers):
    a, b = cable
    b.run("sysctl -qw net.ipv4.ip_forward=1")
    a.run("ip route add 10.80.0.0/24 via 10.77.0.2")
    b.run("ip route add unreachable 10.80.0.0/24")
    prober = probers(a)
    prober.link.send(prober.syns(A, "10.80.0.7", 80))
    seen = prober.hear_all().segments
    (error,) = seen[seen["icmp_type"] != 0]
    assert (error["icmp_type"], error["icmp_code"], error["way"]) == (3, 1, IN)


def test_what_the_kernel_dropped_is_counted_and_never_forgotten(cable, probers):
    a, b = cable
    b.rule("input", "tcp dport 9 drop")
    prober = probers(a)
    with b.do(lambda: Tap(size=4096)) as small:
        assert small.dropped() == 0
        prober.link.send(prober.syns(A, B, 9, 2000))
        time.sleep(0.1)
        seen = len(small.receive().frames)
        assert small.dropped() == 2000 - seen > 0
        assert small.dropped() == 2000 - seen


def test_receive_takes_no_more_than_asked_and_leaves_the_rest(cable, probers):
    a, b = cable
    b.rule("input", "tcp dport 9 drop")
    prober, far = probers(a), probers(b, mute=False)
    prober.link.send(prober.syns(A, B, 9, 2500))
    time.sleep(0.1)
    assert [len(far.tap.receive(1100).frames) for _ in range(4)] == [1100, 1100, 300, 0]


def test_times_are_the_kernels_and_not_those_of_reading(cable, probers):
    prober = probers(cable[0])
    before = time.time_ns()
    prober.link.send(prober.syns(A, B, 9))
    sent = time.time_ns()
    seen = prober.hear_all(0.2).segments
    assert before <= seen["time_ns"][0] <= sent + 50_000_000


def test_an_error_quoting_eight_bytes_is_caught(cable, probers):
    a, b = cable
    far = probers(b, mute=False)
    quote = bytes(IP(src=B, dst=A, ttl=3) / TCP(sport=80, dport=61440, seq=9, flags="SA"))[:28]
    inject(a, [bytes(Ether(dst=hardware(b)) / IP(src="10.77.0.200", dst=B) / ICMP(type=11) / quote)])
    (error,) = far.hear_all().segments
    assert (error["icmp_type"], error["sport"], error["dport"], error["seq"], error["ack"]) == (11, 80, 61440, 9, 0)
    assert error["ttl"] == 3
