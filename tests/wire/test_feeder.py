"""Every part is announced before it leaves, all of it leaves, and what does not is told."""

from __future__ import annotations

import errno
import threading
import time

import numpy as np

from prober import segment
from prober.wire import capture, ring
from prober.wire.feeder import AHEAD, HELPED, PART, Asked, Feeder


class Wire:
    """A sender that writes down what it was given, and refuses the rows whose port says so."""

    def __init__(self):
        self.batches, self.feeder, self.unannounced = [], None, 0

    def send(self, batch):
        announced = sum(len(one.asked.syns) for one in tuple(self.feeder.announced))
        self.unannounced += announced < sum(map(len, self.batches)) + len(batch)
        self.batches.append(batch.copy())
        self.feeder.noticed(len(batch))
        return np.where(batch["dport"] == 81, errno.EPERM, 0).astype(np.int32)


def fed(count, rate=0.0):
    """A feeder that has sent `count` SYNs over a `Wire`, and the seconds it took."""
    wire = Wire()
    wire.feeder = feeder = Feeder(wire)
    rows = segment.empty(count)
    rows["seq"] = np.arange(count)
    rows["dport"][7::100] = 81
    zeros = np.zeros(count, np.uint16)
    began = time.monotonic()
    feeder.feed(Asked(rows, zeros, zeros, np.full(count, 10**9)), rate)
    while feeder.left and time.monotonic() < began + 20:
        time.sleep(0.001)
    took = time.monotonic() - began
    feeder.close()
    return wire, feeder, took


def test_all_leaves_in_order_each_part_announced_before():
    wire, feeder, _ = fed(3 * PART + 10)
    assert [number for batch in wire.batches for number in batch["seq"].tolist()] == list(range(3 * PART + 10))
    assert [len(batch) for batch in wire.batches] == [PART, PART, PART, 10]
    assert wire.unannounced == 0
    assert sum(len(one.asked.syns) for one in feeder.announced) == 3 * PART + 10


def test_what_could_not_leave_is_told_with_its_errno():
    _, feeder, _ = fed(1000)
    ids = [number for one in feeder.failed for number in one.ids.tolist()]
    assert ids == list(range(7, 1000, 100))
    assert {number for one in feeder.failed for number in one.errnos.tolist()} == {errno.EPERM}


def test_the_pace_is_kept_to():
    wire, _, took = fed(300, rate=1000.0)
    assert took >= (300 - max(map(len, wire.batches))) / 1000.0 * 0.99
    assert max(map(len, wire.batches)) <= 5


def test_it_runs_no_further_ahead_than_the_tap_can_follow():
    wire = Wire()
    wire.feeder = feeder = Feeder(wire)
    feeder.noticed, noticed = (lambda count: None), feeder.noticed
    rows = segment.empty(AHEAD + 3 * PART)
    zeros = np.zeros(len(rows), np.uint16)
    feeder.feed(Asked(rows, zeros, zeros, np.full(len(rows), 10**9)))
    time.sleep(0.15)
    assert AHEAD < sum(map(len, wire.batches)) <= AHEAD + PART, "waits for the tap"
    noticed(AHEAD)
    time.sleep(0.1)
    assert sum(map(len, wire.batches)) == len(rows)
    feeder.close()


class Slow(Wire):
    """A sender whose first call lasts until it is let go."""

    def __init__(self):
        super().__init__()
        self.begun, self.over = threading.Event(), threading.Event()

    def send(self, batch):
        self.begun.set()
        assert self.over.wait(10)
        return super().send(batch)


def test_who_hears_sends_the_rest_and_each_syn_leaves_once():
    slow, own = Slow(), Wire()
    slow.feeder = own.feeder = feeder = Feeder(slow)
    rows = segment.empty(3 * PART)
    rows["seq"] = np.arange(len(rows))
    zeros = np.zeros(len(rows), np.uint16)
    assert not feeder.help(own), "nothing has been fed"
    feeder.feed(Asked(rows, zeros, zeros, np.full(len(rows), 10**9)))
    assert slow.begun.wait(10)
    while feeder.help(own):
        assert len(own.batches[-1]) == HELPED
    assert feeder.left == PART, "what the thread is sending has not left"
    assert sum(len(one.asked.syns) for one in feeder.announced) == len(rows), "each was announced"
    slow.over.set()
    feeder.close()
    assert [n for batch in (*slow.batches, *own.batches) for n in batch["seq"].tolist()] == list(range(len(rows)))
    assert (feeder.left, own.unannounced) == (0, 0)


def test_what_has_a_pace_is_left_to_the_thread():
    wire, own = Wire(), Wire()
    wire.feeder = own.feeder = feeder = Feeder(wire)
    rows = segment.empty(100)
    zeros = np.zeros(100, np.uint16)
    feeder.feed(Asked(rows, zeros, zeros, np.full(100, 10**9)), rate=500.0)
    while feeder.left:
        assert not feeder.help(own)
        time.sleep(0.001)
    feeder.close()
    assert (sum(map(len, wire.batches)), own.batches) == (100, [])


def test_whatever_is_out_unnoticed_has_room_in_the_taps_ring():
    assert 3 * (AHEAD + PART + HELPED) <= capture._RING // ring.WIDTH


def test_closing_sends_nothing_more():
    wire = Wire()
    wire.feeder = feeder = Feeder(wire)
    rows = segment.empty(1000)
    zeros = np.zeros(1000, np.uint16)
    feeder.feed(Asked(rows, zeros, zeros, np.full(1000, 10**9)), rate=100.0)
    time.sleep(0.05)
    feeder.close()
    gone = sum(map(len, wire.batches))
    time.sleep(0.05)
    assert 0 < gone < 50
    assert sum(map(len, wire.batches)) == gone
