"""The peers: how each is started on the near side, and what it found."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from typing import NamedTuple

from bench.field import DROPPED, HERE, PORT, TARGETS, THERE, Field

PATIENCE = 240.0


class Ended(NamedTuple):
    """A program's run: seconds from its start to its exit, and what it wrote."""

    seconds: float
    out: str


def run(field: Field, words: list[str], patience: float = PATIENCE) -> Ended:
    """One program on the near side, to its end. RuntimeError with its own words where it fails."""

    def start() -> Ended:
        began = time.perf_counter()
        done = subprocess.run(words, capture_output=True, text=True, timeout=patience, check=False)
        seconds = time.perf_counter() - began
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(words)}: {done.returncode}: {done.stderr[-800:]}")
        return Ended(seconds, done.stdout)

    return field.do(start)


def zmap(field: Field, port: int = PORT, cooldown: int = 8) -> list[str]:
    """As fast as it goes; its own default cool-down. The block list is empty: 198.18.0.0/15 is on the usual one.

    One sending thread, its default: two take both processors, and it misses most of what is answered.
    """
    return [
        "zmap", "-p", str(port), "-i", "eth0", "-G", field.hardware(), "-S", HERE, "-r", "10000000", "-T", "1",
        "-b", "/dev/null", "-c", str(cooldown), "-q", "-o", "-", TARGETS,
    ]  # fmt: skip


def masscan(field: Field, port: int = PORT) -> list[str]:
    """At ``--rate 1000000``, its own default wait."""
    return [
        "masscan", TARGETS, "-p", str(port), "--rate", "1000000", "-e", "eth0", "--adapter-ip", HERE, "--router-mac",
        field.hardware().replace(":", "-"), "-oL", "-", "--adapter-port", "40000",
    ]  # fmt: skip


def nmap(network: str) -> list[str]:
    """A SYN scan of one port, names and pings left out, as fast as it goes."""
    return ["nmap", "-sS", "-Pn", "-n", "-p", str(PORT), "--min-rate", "1000000", "-T5", "-oG", "-", network]


def fping(network: str) -> list[str]:
    """An ICMP echo to each address: no handshake, one packet each way."""
    return ["fping", "-a", "-q", "-i", "0.01", "-r", "0", "-g", network]


def hping3(seconds: int) -> list[str]:
    """SYNs to one address that drops them, as fast as it goes; a flood never ends by itself."""
    return ["timeout", str(seconds), "hping3", "-q", "--flood", "-S", "-p", str(DROPPED), THERE]


SR = """
import sys, time
from scapy.layers.inet import IP, TCP
from scapy.sendrecv import sr
from scapy.config import conf
conf.verb = 0
targets = [f"198.19.{n >> 8}.{n & 255}" for n in range(int(sys.argv[1]))]
began = time.perf_counter()
answered, _ = sr([IP(dst=one) / TCP(sport=30000, dport=int(sys.argv[2]), flags="S") for one in targets], timeout=3)
print(len(answered), time.perf_counter() - began)
"""


def answering_rate(field: Field, words: list[str]) -> tuple[Ended, float]:
    """A run, and how many SYNs a second the far side answered between the first hundredth and the last."""
    over, seen = threading.Event(), []
    watcher = threading.Thread(target=lambda: seen.extend(field.watch(over)))
    watcher.start()
    try:
        ended = run(field, words)
    finally:
        over.set()
        watcher.join()
    base, last = seen[0][1], seen[-1][1]
    begin = next(at for at, count in seen if count - base >= (last - base) * 0.01)
    end = next(at for at, count in seen if count - base >= (last - base) * 0.99)
    return ended, (last - base) * 0.98 / (end - begin)


def scapy_sr(field: Field, count: int) -> tuple[int, float]:
    """``(answers, seconds)`` of scapy's ``sr()`` over `count` addresses, its start not counted."""
    found, seconds = run(field, [sys.executable, "-c", SR, str(count), str(PORT)]).out.split()
    return int(found), float(seconds)


def versions() -> dict[str, str]:
    """Each peer's own word for its version."""
    asked = {
        "zmap": ["zmap", "--version"], "masscan": ["masscan", "--version"], "nmap": ["nmap", "--version"],
        "hping3": ["hping3", "-v"], "fping": ["fping", "-v"],
        "blackbox_exporter": ["prometheus-blackbox-exporter", "--version"],
    }  # fmt: skip
    told = {}
    for name, words in asked.items():
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
        told[name] = found[0] if found else "unknown"
    return told
