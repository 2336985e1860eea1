"""The kernel's own connect(), beside the tap."""

from __future__ import annotations

import socket
import time
from itertools import count
from typing import Any

import numpy as np
import pytest

from prober import segment
from prober.agent import dialler
from prober.agent.dialler import Dialler
from prober.handshake import State
from prober.segment import ACK, IN, OUT, SYN
from tests.agent.plans import task

US, THEM = "127.0.0.1", "127.0.0.2"
MUTED = np.array([20480, 61440], np.uint16)
MS = 1_000_000


def caught(port: int, way: int = IN, flags: int = SYN | ACK, src: str = THEM) -> Any:
    """One segment that the tap saw, for this port of ours."""
    row = segment.empty(1)
    for name, address in (("src", src), ("dst", US)):
        row[f"{name}_hi"], row[f"{name}_lo"] = segment.pair(address)
    row["sport"], row["dport"], row["flags"], row["way"] = 8080, port, flags, way
    return row


def dialled(port: int, now: float = dialler.FIRST) -> Dialler:
    """One pair, just dialled."""
    one = Dialler()
    one.adopt([task("web", THEM, port, timeout=0.2)], 0.0)
    numbers = count(1)
    assert len(one.begin(lambda: next(numbers), 0.0, 0)) == 0
    assert one.open == []
    one.begin(lambda: next(numbers), now, 0)
    return one


@pytest.fixture
def deaf() -> Any:
    """A port that answers no SYN: the queue of its listener is full (a backlog of 0 takes one)."""
    listener = socket.create_server((THEM, 0), backlog=0)
    port = listener.getsockname()[1]
    fillers = [socket.socket() for _ in range(2)]
    for one in fillers:
        one.setblocking(False)
        one.connect_ex((THEM, port))
    time.sleep(0.05)
    yield port
    for one in (*fillers, listener):
        one.close()


def test_what_connects_is_told_and_closed() -> None:
    with socket.create_server((THEM, 0)) as listener:
        one = dialled(listener.getsockname()[1])
        time.sleep(0.05)
        [outcome] = one.finished(21.0, 50 * MS)
        assert (outcome["state"], outcome["probe"], outcome["error"]) == (State.ANSWERED, 1, 0)
        assert one.open == []
        peer, _ = listener.accept()
        with peer, pytest.raises(ConnectionResetError):
            peer.recv(1)


def test_a_closed_port_refuses() -> None:
    with socket.create_server((THEM, 0)) as listener:
        port = listener.getsockname()[1]
    one = dialled(port)
    time.sleep(0.05)
    [outcome] = one.finished(21.0, 50 * MS)
    assert outcome["state"] == State.REFUSED


def test_an_answer_that_only_the_tap_heard_is_told_and_dialled_again_soon(deaf: int) -> None:
    one = dialled(deaf)
    assert len(one.finished(20.1, 100 * MS)) == 0
    port = one.open[0].source[1]
    one.hear(np.concatenate([caught(port + 1), caught(port, way=OUT), caught(port, flags=ACK)]), MUTED)
    assert not one.open[0].heard
    one.hear(caught(port, src="127.0.0.9"), MUTED)  # a service's backend, before this host's NAT undoes it
    [outcome] = one.finished(20.3, 300 * MS)
    assert outcome["state"] == State.UNHEARD
    one.begin(lambda: 9, 20.3 + dialler.AGAIN, 0)
    assert len(one.open) == 1
    one.close()


def test_silence_is_no_deafness(deaf: int) -> None:
    one = dialled(deaf)
    [outcome] = one.finished(20.3, 300 * MS)
    assert outcome["state"] == State.TIMED_OUT


def test_what_the_kernel_refuses_at_once_is_not_sent() -> None:
    """No packet leaves for a broadcast address: tcp_v4_connect, net/ipv4/tcp_ipv4.c."""
    one = Dialler()
    one.adopt([task("nowhere", "255.255.255.255", 80)], 0.0)
    [outcome] = one.begin(lambda: 1, dialler.FIRST, 0)
    assert outcome["state"] == State.NOT_SENT
    assert outcome["error"] != 0


@pytest.mark.parametrize(
    ("looks", "hurries"),
    [
        ([(3, 3), (2, 2)], False), ([(3, 3), (2, 0)], True), ([(0, 1), (1, 0)], False), ([(0, 1), (2, 0)], True),
        ([(2, 1)], True), ([(0, 5), (0, 0), (1, 0)], True),
    ],
)  # fmt: skip
def test_where_tcp_gets_fewer_answers_than_the_tap_sees_the_pair_is_dialled_at_once(looks: Any, hurries: bool) -> None:
    one, counter = Dialler(), 100
    one.adopt([task("web", THEM, 8080), task("other", "127.0.0.3", 8080)], 0.0)
    one.compare(counter, 0.0)
    for turn, (seen, swallowed) in enumerate(looks):
        for _ in range(seen):
            one.hear(caught(61440), MUTED)
        counter += swallowed
        one.compare(counter, 1.0 + turn)
    one.begin(lambda: 1, 4.0, 0)
    assert [(dial.task.target) for dial in one.open] == (["web"] if hurries else [])
    one.close()


def test_pairs_that_are_known_keep_their_turn_and_others_go() -> None:
    one = Dialler()
    one.adopt([task("a", THEM, 1), task("b", THEM, 2)], 0.0)
    one.adopt([task("a", THEM, 1), task("c", THEM, 3)], 10.0)
    one.begin(lambda: 1, dialler.FIRST, 0)
    assert [dial.task.target for dial in one.open] == ["a"]
    one.close()


def test_only_so_many_at_once() -> None:
    one = Dialler()
    one.adopt([task(f"t{n}", "127.0.0.1", 40000 + n) for n in range(10)], 0.0)
    one.begin(lambda: 1, dialler.FIRST, 0)
    assert len(one.open) == dialler.AT_ONCE
    one.close()
