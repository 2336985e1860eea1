"""The templates of what this prober sends, crafted by scapy in a process that then ends.

scapy takes half a second to import and 30 MiB to keep, for eight packets: a process of its own makes them
meanwhile, and an agent never holds scapy. Where no process can be started, scapy is imported here after all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import NamedTuple


class Shape(NamedTuple):
    """What rows must have in common to come from one template: family, a SYN's options or not, timestamps or not."""

    family: int
    syn: bool
    stamped: bool


SHAPES = [Shape(family, syn, stamped) for family in (4, 6) for syn in (True, False) for stamped in (True, False)]


class _Crafting:
    """One child at most, one answer, whichever thread asks."""

    def __init__(self) -> None:
        self.packets: dict[Shape, bytes] = {}
        self.leave()

    def leave(self) -> None:
        """After a fork: the parent's child is the parent's. Whoever read its pipe first would take all of it."""
        self.lock = threading.Lock()
        self.child: subprocess.Popen[str] | None = None


_STATE = _Crafting()
os.register_at_fork(after_in_child=_STATE.leave)


def begin() -> None:
    """Start crafting; returns at once. Harmless when it has begun."""
    with _STATE.lock:
        _begin()


def packet(shape: Shape) -> bytes:
    """The packet of a shape, all its fields and checksums 0; waits until it is crafted."""
    with _STATE.lock:
        if not _STATE.packets:
            _begin()
            child, _STATE.child = _STATE.child, None
            _STATE.packets = _read(child) or {one: craft(one) for one in SHAPES}
        return _STATE.packets[shape]


def _begin() -> None:
    if _STATE.child is None and not _STATE.packets:
        words = [sys.executable, "-m", "prober.wire.crafting"]
        try:
            _STATE.child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        except OSError:
            _STATE.child = None  # `packet` will import scapy itself


def _read(child: subprocess.Popen[str] | None) -> dict[Shape, bytes]:
    """What the child crafted; nothing where it failed."""
    if child is None:
        return {}
    written, _ = child.communicate()
    if child.returncode != 0:
        return {}
    try:
        return {shape: bytes.fromhex(one) for shape, one in zip(SHAPES, json.loads(written), strict=True)}
    except ValueError:  # cut short, or not written by the child
        return {}


def craft(shape: Shape) -> bytes:
    """By scapy, here and now."""
    from scapy.layers.inet import IP, TCP
    from scapy.layers.inet6 import IPv6

    tcp = TCP(sport=0, dport=0, flags=0, window=64240 if shape.syn else 0, options=_options(shape), chksum=0)
    ip = IP(flags="DF", id=0, ttl=0, src="0.0.0.0", dst="0.0.0.0", chksum=0) if shape.family == 4 else None
    return bytes((ip or IPv6(src="::", dst="::", hlim=0)) / tcp)


def _options(shape: Shape) -> list[tuple[str, object]]:
    stamp: list[tuple[str, object]] = [("Timestamp", (0, 0))] if shape.stamped else []
    if shape.syn:
        mss = 1460 if shape.family == 4 else 1440
        return [("MSS", mss), ("SAckOK", b""), *stamp, ("NOP", None), ("WScale", 7)]
    return [("NOP", None), ("NOP", None), *stamp] if stamp else []


if __name__ == "__main__":
    json.dump([craft(shape).hex() for shape in SHAPES], sys.stdout)
