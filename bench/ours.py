"""Prober's side, each work a process of its own on the near side: ``python -m bench.ours WORK`` prints JSON."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.field import DROPPED, HERE, PORT
from prober import probe, segment
from prober.segment import Batch

KEY = os.urandom(16)
COUNT = 65_536


def syns(port: int = PORT, begin: int = 0, count: int = COUNT) -> Batch:
    """One SYN to each address of the far side's /16."""
    rows = segment.empty(count)
    rows["src_lo"] = segment.pair(HERE)[1]
    rows["dst_lo"] = segment.pair("198.19.0.0")[1] + np.arange(count, dtype=np.uint64)
    numbers = np.arange(begin, begin + count)
    rows["sport"], rows["dport"] = np.array(probe.PORTS)[(numbers + begin // COUNT) % len(probe.PORTS)], port
    ids = (numbers % probe.SERIALS | 7 << probe.SERIAL_BITS).astype(np.uint32)
    return probe.ask(ids, KEY, rows)


def sweep() -> dict[str, Any]:
    """65,536 handshakes, SYN to RST, with their verdicts: from the call to the last one's label."""
    from prober.agent.engine import Engine, asked
    from prober.agent.sweep import sweep as swept
    from prober.swept import Swept
    from prober.wire.capture import Tap
    from prober.wire.feeder import Feeder
    from prober.wire.link import Link
    from prober.wire.mute import Mute

    with Tap() as tap, Link() as link, Link() as other, Mute():
        engine = Engine(tap, link, Feeder(other))
        swept(engine, asked(syns(begin=14 * COUNT), 1.0), (KEY,))  # an agent has been running for long
        gc.freeze()  # as `prober.agent.main` does
        rows = syns()
        before = tap.dropped()
        began, cpu = time.perf_counter(), time.process_time()
        result = swept(engine, asked(rows, 1.0), (KEY,))
        labels, index = Swept("near", "far", result.outcomes, result.sightings, tap.dropped() == before).labels()
        seconds = time.perf_counter() - began
        found = int(np.isin(index, [at for at, label in enumerate(labels) if label.passes]).sum())
        rtt = np.percentile(result.outcomes["rtt_ns"] / 1e3, [50, 99])
        return {
            "seconds": seconds, "cpu": time.process_time() - cpu, "found": found, "labels": labels,
            "dropped": tap.dropped() - before, "lost_resets": engine.lost_resets, "rtt_us": rtt.tolist(),
        }  # fmt: skip


def send() -> dict[str, Any]:
    """Sending alone, to a drop; and the same calls over one packet that is written once."""
    from prober.wire.link import Link

    with Link() as link:
        rows = syns(DROPPED)
        link.send(rows[:1024])
        began = time.perf_counter()
        errors = link.send(rows)
        ours = time.perf_counter() - began
        return {"ours": COUNT / ours, "constant": COUNT / _constant(rows[:1]), "errors": int((errors != 0).sum())}


def _constant(row: Batch) -> float:
    """Seconds of ``sendmmsg`` over `COUNT` copies of one packet, written before the clock starts."""
    import socket

    from prober.wire.link import _open, _Road

    sock = _open(socket.AF_INET)
    assert sock is not None
    road = _Road(sock)
    road.send(np.repeat(row, 1024))
    began = time.perf_counter()
    for _ in range(COUNT // 1024):
        row_at = 0
        while row_at < 1024:
            sent, error = road._messages.send(sock, row_at, 1024)
            assert not error
            row_at += sent
    seconds = time.perf_counter() - began
    sock.close()
    return seconds


def parse() -> dict[str, Any]:
    """Captured replies, in the ring's own slots, to matched handshakes: packets a second of one thread's CPU."""
    from prober.handshakes import Handshakes
    from prober.sighting import sightings
    from prober.wire import capture
    from prober.wire.ring import PACKET

    asked = syns()
    raw, there = _slots(_answers(asked))
    table = Handshakes()
    table.open(asked, np.zeros(COUNT), np.zeros(COUNT), 10**9, 0)
    matched, began = 0, time.thread_time()
    for start in range(0, COUNT, 2048):
        some = slice(start, start + 2048)
        segments, _ = capture._read(there[some], raw[some])
        seen, _ = sightings(segments, (KEY, b"the one before.."), frozenset())
        matched += len(table.hear(seen, 5)[1])
    seconds = time.thread_time() - began
    return {"rate": COUNT / seconds, "matched": matched, **_others(raw[:, PACKET:], 4096)}


def _answers(asked: Batch) -> Batch:
    answers = asked.copy()
    for one, other in (("src_lo", "dst_lo"), ("sport", "dport")):
        answers[one], answers[other] = asked[other], asked[one]
    answers["flags"], answers["seq"], answers["ack"] = segment.SYN | segment.ACK, 99, asked["seq"] + 1
    answers["tsval"], answers["tsecr"] = 5, asked["tsval"]
    return answers


def _slots(answers: Batch) -> tuple[Batch, Batch]:
    from prober.wire import packets
    from prober.wire.ring import PACKET, SLOT, WIDTH

    raw = np.zeros((len(answers), WIDTH), np.uint8)
    data, lengths = packets.frames(answers)
    raw[:, PACKET : PACKET + data.shape[1]] = data
    there = raw.view(SLOT)[:, 0]
    there["captured"], there["link"], there["network"], there["hardware"] = lengths + 14, PACKET - 14, PACKET, 1
    return raw, there


def _others(data: Batch, count: int) -> dict[str, float]:
    """scapy and dpkt over the same packets: dissected, the four-tuple and acknowledgement read."""
    raws = [one[:60].tobytes() for one in data[:count]]
    from scapy.layers.inet import IP, TCP

    began = time.thread_time()
    total = 0
    for raw in raws:
        packet = IP(raw)
        total += packet[TCP].ack + packet[TCP].dport
    told = {"scapy": count / (time.thread_time() - began)}
    try:
        import dpkt
    except ImportError:
        return told
    began = time.thread_time()
    for raw in raws:
        ip = dpkt.ip.IP(raw)
        total -= ip.data.ack + ip.data.dport
    assert total == 0
    return told | {"dpkt": count / (time.thread_time() - began)}


def foreign() -> dict[str, Any]:
    """From the far side: TCP segments that are nobody's probe, to a closed door of the near side, a while long."""
    from bench.field import THERE
    from prober.wire.link import Link

    rows = segment.empty(1024)
    rows["src_lo"], rows["dst_lo"] = segment.pair(THERE)[1], segment.pair(HERE)[1]
    rows["sport"], rows["dport"], rows["flags"] = 40_000, DROPPED, segment.ACK
    rows["seq"], rows["ttl"], rows["tsval"], rows["tsecr"] = np.arange(1024), 64, 1, 1
    seconds, rate = float(sys.argv[2]), float(sys.argv[3])
    with Link() as link:
        link.send(rows[:1])  # the templates are made before the clock runs
        began, sent = time.perf_counter(), 0
        while (now := time.perf_counter() - began) < seconds:
            if rate and sent > now * rate:
                time.sleep(0.0005)
                continue
            link.send(rows)
            sent += len(rows)
        return {"rate": sent / (time.perf_counter() - began)}


def rtt() -> dict[str, Any]:
    """The tap's round trips against TCP_INFO's of the same handshakes, which a child makes while this one sweeps."""
    import subprocess

    from prober.agent.engine import Engine, asked
    from prober.wire.capture import Tap
    from prober.wire.feeder import Feeder
    from prober.wire.link import Link
    from prober.wire.mute import Mute

    ports = probe.PORTS[96:]
    with Tap() as tap, Link() as link, Link() as other, Mute(ports=probe.PORTS[:96]):
        engine, heard = Engine(tap, link, Feeder(other)), []
        words = [sys.executable, "-c", CONNECTS, *map(str, ports)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as child:
            turn = 0
            while child.poll() is None:
                rows = syns(begin=turn * COUNT, count=COUNT)
                rows["sport"] = np.array(probe.PORTS[:96])[np.arange(COUNT) % 96]
                engine.ask(asked(rows, 1.0), time.time_ns())
                turn += 1
                while engine.waiting:
                    look = engine.hear((KEY,), frozenset(), time.time_ns(), 2048, thorough=False)
                    theirs = np.isin(look.segments["sport"], ports) | np.isin(look.segments["dport"], ports)
                    heard.append(look.segments.take(np.flatnonzero(theirs)))
                    if not len(look.segments):
                        engine.expire(time.time_ns())
                        tap.wait(0.002)
            assert child.stdout is not None
            kernel = {tuple(key): value for *key, value in json.loads(child.stdout.read())}
    ours = _round_trips(np.concatenate(heard))
    errors = sorted(abs(ours[key] - value) for key, value in kernel.items() if key in ours)
    at = np.percentile(errors, [50, 99])
    return {"compared": len(errors), "made": len(kernel), "p50_us": at[0], "p99_us": at[1], "sweeps": turn}


def _round_trips(segments: Batch) -> dict[tuple[str, int], float]:
    """µs from SYN leaving to SYN-ACK arriving, by the other end's address and the port here."""
    left: dict[tuple[str, int], int] = {}
    took: dict[tuple[str, int], float] = {}
    for one in segments:
        if one["flags"] == segment.SYN and one["way"] == segment.OUT:
            left[str(segment.address(one["dst_hi"], one["dst_lo"])), int(one["sport"])] = int(one["time_ns"])
        elif one["flags"] == segment.SYN | segment.ACK and one["way"] == segment.IN:
            key = str(segment.address(one["src_hi"], one["src_lo"])), int(one["dport"])
            if key in left:
                took[key] = (int(one["time_ns"]) - left[key]) / 1e3
    return took


CONNECTS = """
import json, socket, struct, sys, time
told = []
for n in range(600):
    port, address = int(sys.argv[1 + n % (len(sys.argv) - 1)]), f"198.19.200.{n % 250}"
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("198.18.0.1", port))
        one.settimeout(2.0)
        one.connect((address, 8080))
        info = one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        told.append((address, port, struct.unpack_from("=I", info, 68)[0]))
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    time.sleep(0.004)
print(json.dumps(told))
"""

WORKS: dict[str, Callable[[], dict[str, Any]]] = {
    "sweep": sweep, "send": send, "parse": parse, "foreign": foreign, "rtt": rtt,
}  # fmt: skip

if __name__ == "__main__":
    print(json.dumps(WORKS[sys.argv[1]]()))
