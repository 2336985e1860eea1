"""The ring goes round: nothing is lost at its end, nothing is read twice, and what did not fit is counted."""

from __future__ import annotations

import time

import pytest

from prober.wire.capture import Tap

A, B = "10.77.0.1", "10.77.0.2"
SLOTS = 256
"""What 64 KiB, the smallest ring, holds."""


@pytest.fixture
def wired(cable, probers):
    """A prober on ``a``, and a tap with the smallest ring on ``b``, which swallows port 9."""
    a, b = cable
    b.rule("input", "tcp dport 9 drop")
    with b.do(lambda: Tap(size=1)) as small:
        yield probers(a), small


def sent(prober, count):
    """Send `count` SYNs: their ids in order."""
    rows = prober.syns(A, B, 9, count)
    assert not prober.link.send(rows).any()
    time.sleep(0.02)
    return rows["seq"].tolist()


def test_round_and_round_every_frame_is_read_once_and_in_order(wired):
    prober, small = wired
    for count in (1, 100, 255, 3, 256, 200, 200, 31, 32, 33):
        wanted = sent(prober, count)
        seen = [number for _ in range(4) for number in small.receive().segments["seq"].tolist()]
        assert seen == wanted
    assert small.dropped() == 0


def test_a_full_ring_keeps_the_oldest_and_counts_the_rest(wired):
    prober, small = wired
    wanted = sent(prober, SLOTS + 44)
    assert small.dropped() == 44
    assert [small.receive(100).segments["seq"].tolist() for _ in range(4)] == [
        wanted[:100], wanted[100:200], wanted[200:SLOTS], [],
    ]  # fmt: skip
    assert small.receive().segments["seq"].tolist() == []
    assert sent(prober, 5) == small.receive().segments["seq"].tolist()


def test_a_slot_is_the_kernels_again_only_when_it_was_given_back(wired):
    prober, small = wired
    wanted = sent(prober, 10)
    there, _ = small._ring.take(100)
    assert len(there) == 10
    small._ring.give_back(4)
    assert small.receive().segments["seq"].tolist() == wanted[4:]
