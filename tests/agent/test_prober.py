"""The half that asks: what is due leaves, once, as the plan has it; a burst closes what was left on its ports first."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from prober import probe
from prober.agent.engine import Engine
from prober.agent.prober import Prober
from prober.handshake import State
from prober.report import CONNECT
from prober.segment import ACK, IN, RST, SYN
from prober.wire.feeder import Feeder
from tests.agent.plans import plan, task
from tests.agent.wires import Wire

PLAN = plan(syns_per_second=1000.0)


class Straight:
    """No neighbour is handed anything."""

    def parted(self, tasks, note):
        yield None, tasks

    def close(self):
        """There is nothing to close."""


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def prober(wire: Wire) -> Iterator[Prober]:
    made = Prober(Engine(wire, wire, Feeder(wire)), tuple(probe.PORTS[:4]), Straight(), print)
    yield made
    made.close()


def flags(wire: Wire) -> list[int]:
    return [flag for batch in wire.sent for flag in batch["flags"].tolist()]


def test_what_is_due_leaves_once_with_the_plans_number(prober: Prober, wire: Wire) -> None:
    prober.adopt(PLAN, [], 0.0)
    prober.once(task(every=0.0, flows=3), 0.0)
    assert [len(one) for one in prober.ask(PLAN)] == [0] and prober.begun
    assert flags(wire) == [SYN] * 3
    assert {one & ~(probe.SERIALS - 1) for one in wire.sent[0]["seq"].tolist()} == {probe.identity(PLAN.number, 0)}
    assert list(prober.ask(PLAN)) == []
    assert len(wire.sent) == 1


def test_what_could_not_be_sent_is_told(prober: Prober, wire: Wire) -> None:
    wire.refuse = errno.EPERM
    prober.adopt(PLAN, [], 0.0)
    prober.once(task(every=0.0), 0.0)
    [unsent] = prober.ask(PLAN)
    assert (unsent["state"].tolist(), unsent["error"].tolist()) == ([State.NOT_SENT], [errno.EPERM])


def test_the_handshake_before_on_the_same_ports_is_closed_once_more_and_a_lost_rst_is_counted(
    prober: Prober, wire: Wire
) -> None:
    prober.adopt(PLAN, [], 0.0)
    again = task(every=0.0, ports=[probe.PORTS[0]])
    prober.once(again, 0.0)
    assert [len(one) for one in prober.ask(PLAN)] == [0]
    prober.engine.handshakes.expire(2**62)
    wire.refuse = errno.ENOBUFS
    prober.once(again, 0.0)
    assert [len(one) for one in prober.ask(PLAN)] == [1]
    assert (flags(wire), prober.engine.lost_resets) == ([SYN, RST, SYN], 1)


def test_when_it_rests_nothing_is_due(prober: Prober, wire: Wire) -> None:
    prober.adopt(PLAN, [task(every=0.01)], 0.0)
    prober.rest(0.0)
    assert prober.schedule.next_due() is None and list(prober.ask(PLAN)) == [] and wire.sent == []


def test_connects_are_a_run_of_their_own(prober: Prober) -> None:
    ended = np.zeros(1, prober.dial(0.0).dtype)
    prober.dialler = SimpleNamespace(finished=lambda *_: ended, begin=lambda *_: ended[:0], close=prober.dialler.close)
    assert [prober.runs.order[one] for one in prober.dial(0.0)["run"]] == [CONNECT]


def test_a_target_that_refuses_gets_no_more_syns_than_one_that_answers(prober: Prober, wire: Wire) -> None:
    slow = plan(syns_per_second=0.001)
    prober.adopt(slow, [], 0.0)
    for _ in range(4):  # as many as it may get at once
        prober.once(task(every=0.0), 0.0)
        for _ in prober.ask(slow):
            first = wire.sent[-1]
            back = first.copy()
            for one, other in (("src_hi", "dst_hi"), ("src_lo", "dst_lo"), ("sport", "dport")):
                back[one], back[other] = first[other], first[one]
            back["flags"], back["ack"], back["seq"], back["way"] = RST | ACK, first["seq"] + 1, 0, IN
            wire.coming.append(back)
            prober.hear(prober.engine.hear(tuple(slow.keys), frozenset(), 5))
    assert flags(wire) == [SYN] * 4, "two handshakes, each asked twice"
