"""A task done once, flow by flow."""

from __future__ import annotations

import random

from prober.agent import burst
from prober.agent.ports import Ports
from tests.agent.plans import task


def test_each_flow_has_its_own_port_the_one_asked_for_or_the_agents_next() -> None:
    ports = Ports(tuple(range(20480, 20544)), 0)
    free = list(burst.flows(task(every=0.0, flows=3, attempts=2), ports, 0.0))
    assert [(one.flows, one.ports, one.attempts) for one in free] == [(1, [20480], 2), (1, [20481], 2), (1, [20482], 2)]
    named = list(burst.flows(task(every=0.0, flows=2, ports=[61440, 20490]), ports, 0.0))
    assert [one.ports for one in named] == [[61440], [20490]]


def test_the_next_attempt_comes_after_the_last_has_ended_and_never_in_step() -> None:
    sent = [task(every=0.0, attempts=3, spread=2.0, timeout=0.5, ports=[20480 + n]) for n in range(50)]
    again = list(burst.attempts(sent, 10.0, random.Random(1)))
    assert [one.attempts for _, one in again] == [2] * 50
    assert all(10.5 + burst.PAUSE <= at <= 12.5 + burst.PAUSE for at, _ in again)
    assert len({at for at, _ in again}) == 50


def test_what_was_asked_for_once_or_for_ever_is_not_asked_again() -> None:
    assert not list(burst.attempts([task(every=0.0), task(every=1.0, attempts=3)], 0.0, random.Random(1)))
