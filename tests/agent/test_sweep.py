"""A whole sweep, on the real kernel: every handshake to its end, nothing left half-open."""

from __future__ import annotations

import subprocess
import time
from typing import Any

import numpy as np

from prober import probe, segment
from prober.handshake import State
from tests.agent.test_loop import HERE, half_open, in_namespace

KEY = b"k" * 16
COUNT = 3000


def swept(rate: float, drop: str = "") -> Any:
    """States by name, seconds, what stayed half-open; on ``lo``, with `COUNT` addresses that answer."""
    from prober.agent.engine import Engine, asked
    from prober.agent.sweep import sweep
    from prober.lab import namespaces
    from prober.lab.processes import Children, listener
    from prober.wire.capture import Tap
    from prober.wire.feeder import Feeder
    from prober.wire.link import Link
    from prober.wire.mute import Mute

    subprocess.run(["ip", "route", "add", "local", "10.99.0.0/16", "dev", "lo"], check=True)
    if drop:
        subprocess.run(["nft", "add table ip t; add chain ip t c { type filter hook input priority 0; }"], check=True)
        subprocess.run(["nft", f"add rule ip t c {drop}"], check=True)
    children = Children()
    children.fork(listener(namespaces.current(), "0.0.0.0", 8080))
    rows = segment.empty(COUNT)
    rows["src_lo"] = segment.pair(HERE)[1]
    rows["dst_lo"] = segment.pair("10.99.0.0")[1] + np.arange(COUNT, dtype=np.uint64)
    rows["sport"], rows["dport"] = np.array(probe.PORTS)[np.arange(COUNT) % 128], 8080
    rows = probe.ask(np.arange(COUNT)[::-1].astype(np.uint32), KEY, rows)
    with Tap() as tap, Link() as link, Link() as other, Mute():
        began = time.monotonic()
        result = sweep(Engine(tap, link, Feeder(other)), asked(rows, 0.4), (KEY,), rate)
        took = time.monotonic() - began
        dropped = tap.dropped()
    time.sleep(0.05)
    left = half_open()
    children.end_all()
    assert (result.outcomes["probe"] == rows["seq"]).all()
    assert dropped == 0
    states, counts = np.unique(result.outcomes["state"], return_counts=True)
    return {State(int(s)).name: int(n) for s, n in zip(states, counts, strict=True)}, took, left


def test_every_one_of_three_thousand_is_answered_and_none_stays_half_open() -> None:
    states, _, left = in_namespace(lambda: swept(0.0))
    assert (states, left) == ({"ANSWERED": COUNT}, 0)


def test_the_rate_is_kept_to() -> None:
    states, took, _ = in_namespace(lambda: swept(6000.0))
    assert states == {"ANSWERED": COUNT}
    assert took > COUNT / 6000.0 * 0.9


def test_what_does_not_answer_times_out_and_is_told_in_its_place() -> None:
    states, _, left = in_namespace(lambda: swept(0.0, "ip daddr 10.99.0.0/24 tcp dport 8080 drop"))
    assert (states, left) == ({"ANSWERED": COUNT - 256, "TIMED_OUT": 256}, 0)
