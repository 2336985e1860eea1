"""Source ports: low and high in turn, and none that the target may still hold a half-open socket of."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from prober import segment
from prober.agent.ports import REST, Ports
from prober.handshake import State
from prober.report import OUTCOME

HELD = (20480, 20481, 61440, 61441)
A, B = "10.0.0.1", "10.0.0.2"


def ended(*ports, state=State.TIMED_OUT, address=A, port=80):
    rows = np.zeros(len(ports), OUTCOME)
    rows["dst_hi"], rows["dst_lo"] = segment.pair(address)
    rows["dport"], rows["sport"], rows["state"] = port, ports, state
    return rows


def taken(ports, count, now, address=A, port=80):
    return [ports.next(address, port, now) for _ in range(count)]


def test_each_target_goes_round_low_and_high_in_turn_on_its_own():
    ports = Ports(HELD, 7)
    for address in (A, B):
        told = taken(ports, 4, 0.0, address)
        assert sorted(told) == sorted(HELD)
        assert all((a < 30_000) != (b < 30_000) for a, b in pairwise(told))


def test_a_port_whose_probe_timed_out_is_not_used_towards_that_target_for_as_long_as_a_socket_may_live():
    ports = Ports(HELD, 0)
    ports.rest(ended(20480, 61440), 0.0)
    assert set(taken(ports, 9, 0.0)) == set(taken(ports, 9, REST - 0.1)) == {20481, 61441}
    assert set(taken(ports, 4, 1.0, port=443)) == set(taken(ports, 4, 1.0, B)) == set(HELD)
    assert set(taken(ports, 4, REST)) == set(HELD)


def test_what_ended_well_rests_not():
    ports = Ports(HELD, 0)
    ports.rest(np.concatenate([ended(one, state=State.ANSWERED) for one in HELD]), 0.0)
    assert set(taken(ports, 4, 0.0)) == set(HELD)


def test_where_all_rest_they_go_round_as_before():
    ports = Ports(HELD, 0)
    ports.rest(ended(*HELD), 0.0)
    assert set(taken(ports, 4, 1.0)) == set(HELD)


def test_the_flows_of_one_burst_have_different_ports_even_where_most_rest():
    ports = Ports(HELD, 0)
    ports.rest(ended(20480, 61440, 61441), 0.0)
    used = set()
    for _ in HELD:
        used.add(ports.next(A, 80, 1.0, used))
    assert used == set(HELD)
