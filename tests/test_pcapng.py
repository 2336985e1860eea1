"""The evidence as a capture file, read back by scapy and by tshark's own dissectors."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest
from scapy.layers.inet import IP, TCP
from scapy.utils import PcapNgReader

from prober import replay
from prober.lab.recording import read
from prober.pcapng import write
from prober.probe import Kind
from prober.segment import ACK, OUT, SYN
from tests.stories import FIREWALL, INCIDENT, POD, WRONG, story

AT = 1_795_000_000_123_456_789
SENTENCE = "firewall → ingress: the reply left node1 and went to node19."


def recorded():
    """The incident, each sighting with a frame, from the IP header on as the taps keep it."""
    o = story(INCIDENT, routes=(WRONG,))
    seen = []
    for one in o.seen:
        frame = IP(src=one.src, dst=one.dst, ttl=one.ttl) / TCP(
            sport=one.sport, dport=one.dport, flags=one.flags, seq=one.seq
        )
        seen.append(msgspec.structs.replace(one, frame=bytes(frame)))
    return msgspec.structs.replace(o, seen=tuple(seen))


def packets(o, at_ns=AT):
    return PcapNgReader(io.BytesIO(write(o, SENTENCE, at_ns))).read_all()


def test_scapy_reads_every_frame_in_order_of_time():
    o = recorded()
    got = packets(o)
    assert [bytes(packet) for packet in got] == [one.frame for one in o.seen]
    assert [packet[TCP].flags.value for packet in got] == [SYN, SYN, SYN, SYN | ACK, SYN | ACK, SYN | ACK]


def test_each_packet_says_who_saw_it_and_when():
    got = packets(recorded())
    assert b"node19: SYN,ACK 10.4.76.34:8080 > 10.19.0.4:61440 ttl 62" in got[-1].comments[0]
    assert float(got[3].time) == pytest.approx((AT + 3_000_000) / 1e9, abs=1e-6)
    assert got[-1].sniffed_on == "node19/eth0"


def test_what_was_seen_without_a_frame_is_left_out():
    o = recorded()
    bare = msgspec.structs.replace(o, seen=(*o.seen, msgspec.structs.replace(o.seen[0], frame=b"")))
    assert len(packets(bare)) == len(o.seen)


@pytest.mark.parametrize("after", [-1e15, 1e15])
def test_a_clock_that_is_out_of_its_mind_breaks_no_file(after):
    o = recorded()
    wild = msgspec.structs.replace(o, seen=(msgspec.structs.replace(o.seen[0], after_ms=after),))
    assert len(packets(wild)) == 1


def test_a_long_sentence_breaks_no_file():
    o = recorded()
    assert len(PcapNgReader(io.BytesIO(write(o, "ä" * 70_000, AT))).read_all()) == len(o.seen)


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_dissects_it(tmp_path: Path):
    file = tmp_path / "evidence.pcapng"
    o = recorded()
    file.write_bytes(write(o, SENTENCE, AT))
    fields = [
        "frame.comment",
        "ip.src",
        "tcp.flags.syn",
        "tcp.flags.ack",
        "ip.ttl",
        "frame.interface_name",
        "frame.time_epoch",
    ]
    command = ["tshark", "-r", str(file), "-T", "fields", *(word for field in fields for word in ("-e", field))]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    rows = [line.split("\t") for line in told.stdout.splitlines()]
    assert [row[1] for row in rows] == [FIREWALL] * 3 + [POD] * 3
    assert [(row[2] in ("1", "True"), row[3] in ("1", "True")) for row in rows] == [(True, i >= 3) for i in range(6)]
    assert rows[-1][0].endswith("ttl 62") and rows[-1][0].startswith("node19: SYN,ACK")
    assert rows[-1][5] == "node19/eth0"
    assert o.seen[0].way == OUT and rows[0][6].startswith(("1795000000.1234567", "2026-"))
    assert "malformed" not in told.stderr.lower()


@pytest.mark.skipif(shutil.which("capinfos") is None, reason="capinfos is not installed")
def test_the_file_carries_the_sentence(tmp_path: Path):
    file = tmp_path / "evidence.pcapng"
    file.write_bytes(write(recorded(), SENTENCE, AT))
    told = subprocess.run(["capinfos", str(file)], capture_output=True, text=True, check=True, timeout=60)
    assert SENTENCE in told.stdout


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_dissects_what_the_taps_really_captured(tmp_path: Path):
    recording = read(Path(__file__).parent / "incidents" / "incident")
    caught = next(
        o
        for o in replay.observe(recording)
        if (o.source, o.target) == ("firewall", "ingress") and o.witnesses(Kind.SYN_ACK)
    )
    file = tmp_path / "real.pcapng"
    file.write_bytes(write(caught, SENTENCE, AT))
    command = ["tshark", "-r", str(file), "-Y", "tcp.flags.syn == 1 && tcp.flags.ack == 1 && !icmp", "-T", "fields"]
    command += ["-e", "frame.interface_name", "-e", "ip.src", "-e", "_ws.expert.severity"]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    rows = [line.split("\t")[:2] for line in told.splitlines()]
    assert ["node1/eth0", "10.4.76.34"] in rows
    assert ["node19/eth0", "10.4.76.34"] in rows
