"""What is asked, from where, on which port, with which id."""

from __future__ import annotations

import socket
from itertools import pairwise

import numpy as np

from prober import probe, segment
from prober.agent import asking
from prober.agent.asking import Asking
from tests.agent.plans import plan, task

PORTS = (20480, 20481, 61440, 61441)


def asked(one, tasks, now=100.0):
    return one.syns(tasks, plan(), now)


def test_each_task_is_a_syn_with_its_own_id_and_seal():
    one = Asking(PORTS)
    one.number = 3
    told = asked(one, [task("a", "127.0.0.1", 80), task("b", "::1", 81, timeout=0.5, run="r1")])
    rows = told.syns
    assert [str(segment.address(row["dst_hi"], row["dst_lo"])) for row in rows] == ["127.0.0.1", "::1"]
    assert [str(segment.address(row["src_hi"], row["src_lo"])) for row in rows] == ["127.0.0.1", "::1"]
    assert (rows["dport"].tolist(), rows["flags"].tolist()) == ([80, 81], [segment.SYN] * 2)
    assert set((rows["seq"] >> np.uint32(probe.SERIAL_BITS)).tolist()) == {3}
    assert (rows["tsval"] == probe.seal(rows["seq"], plan().keys[0])).all()
    assert ([one.targets.order[n] for n in told.targets], [one.runs.order[n] for n in told.runs]) == (
        ["a", "b"],
        ["", "r1"],
    )
    assert told.timeouts.tolist() == [1_000_000_000, 500_000_000]


def test_ports_go_round_low_and_high_in_turn_for_each_target_alone():
    one = Asking(PORTS)
    first, second = (
        [int(asked(one, [task("a", address, 80)]).syns["sport"][0]) for _ in range(4)]
        for address in ("127.0.0.1", "127.0.0.2")
    )
    assert sorted(first) == sorted(second) == sorted(PORTS)
    assert all((a < 30_000) != (b < 30_000) for ports in (first, second) for a, b in pairwise(ports))


def test_a_port_that_is_asked_for_is_the_one():
    rows = asked(Asking(PORTS), [task("a", "127.0.0.1", 80, ports=[61441], ttl=5)]).syns
    assert (rows["sport"].tolist(), rows["ttl"].tolist()) == ([61441], [5])


def test_no_id_comes_twice_in_a_million():
    one = Asking(PORTS)
    ids = np.array([one.next_id() for _ in range(100_000)], np.uint32)
    assert len(np.unique(ids)) == len(ids)
    assert not (np.diff(ids.astype(np.int64)) == 1).all()


def test_the_source_is_looked_up_once_for_many_and_again_after_a_while(monkeypatch):
    made, real, one = [], socket.socket, Asking(PORTS)
    monkeypatch.setattr(asking.socket, "socket", lambda *given: made.append(given) or real(*given))
    tasks = [task("a", "127.0.0.1", 80)] * 5
    asked(one, tasks, 100.0)
    asked(one, tasks, 159.0)
    assert len(made) == 1
    asked(one, tasks, 161.0)
    assert len(made) == 2


def test_the_source_is_looked_up_again_when_the_kernel_tells_of_a_change(monkeypatch):
    """docker0 went away: its address was still asked from for seconds, and no answer found the way back."""
    made, told = [], iter([True, False, True])
    monkeypatch.setattr(asking, "_looked_up", lambda *_: made.append(_) or "127.0.0.1")
    one = Asking(PORTS)
    monkeypatch.setattr(one._changes, "happened", lambda: next(told))
    for now, looked_up in ((100.0, 1), (100.1, 1), (100.2, 2)):
        asked(one, [task("a", "127.0.0.1", 80)], now)
        assert len(made) == looked_up


def test_where_there_is_no_route_the_agents_own_address_is_the_source(monkeypatch):
    def refuse(*_):
        raise OSError(101, "Network is unreachable")

    one = Asking(PORTS)
    monkeypatch.setattr(asking.socket, "socket", refuse)
    rows = asked(one, [task("a", "10.4.0.1", 80), task("b", "2001:db8::1", 80)]).syns
    assert [str(segment.address(row["src_hi"], row["src_lo"])) for row in rows] == ["10.19.0.4", "::1"]
