"""A plain connect() of the kernel's own now and then: it fails where a tap is deceived.

A tap hears a SYN-ACK before the host's INPUT chain and rp_filter do. So an answer may be seen that no application
here would ever get. Where the tap saw the SYN-ACK of a connect() that did not finish, the host itself drops it.

When to dial: each pair after `FIRST` seconds and every `EVERY`; sooner where fewer answers to probes have come to TCP
(`TcpExtTCPMinTTLDrop` counts them, for the muted ports swallow them there) than the tap has seen; and every `AGAIN`
seconds while it fails. The connection is closed with an RST, so that no application keeps it.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from prober import segment
from prober.handshake import State
from prober.report import OUTCOME, Task
from prober.segment import ACK, IN, RST, SYN, Batch

FIRST, EVERY, AGAIN = 20.0, 60.0, 2.0
"""Seconds."""
AT_ONCE = 4
"""Connections under way at most."""
_LINGER = struct.pack("ii", 1, 0)


@dataclass(slots=True)
class Dial:
    """One connect() under way; ``heard``: the tap saw its SYN-ACK arrive."""

    task: Task
    probe: int
    socket: socket.socket
    sent_ns: int
    source: tuple[str, int]
    heard: bool = False


Key = tuple[str, int]
"""Address and port of a target."""


class Dialler:
    """The connections under way, and when each pair is dialled next (monotonic seconds).

    `index` gives a target's place in the agent's table of names.
    """

    def __init__(self, index: Callable[[str], int] = lambda _: 0) -> None:
        self.index = index
        self.open: list[Dial] = []
        self._tasks: dict[Key, Task] = {}
        self._due: dict[Key, float] = {}
        self._swallowed: int | None = None
        self._answers = self._missing = self._moved = 0
        self._answered_by: set[tuple[int, int, int]] = set()

    def adopt(self, tasks: list[Task], now: float) -> None:
        """The pairs to dial; those that are known keep their turn."""
        self._tasks = {(task.address, task.port): task for task in tasks}
        self._due = {key: self._due.get(key, now + FIRST) for key in self._tasks}

    def begin(self, next_id: Callable[[], int], now: float, now_ns: int) -> Batch:
        """Dial what is due; the outcomes of those that the kernel refused at once."""
        refused = []
        for key in sorted((key for key, at in self._due.items() if at <= now), key=self._due.__getitem__):
            if len(self.open) >= AT_ONCE:
                break
            self._due[key] = now + EVERY
            one, error = _dial(self._tasks[key], next_id(), now_ns)
            if error:
                refused.append(self._outcome(one, State.NOT_SENT, error, now_ns))
                one.socket.close()
            else:
                self.open.append(one)
        return np.concatenate(refused) if refused else np.zeros(0, OUTCOME)

    def hear(self, segments: Batch, muted: Batch) -> None:
        """What the tap caught: SYN-ACKs of open connections, and answers to the probes' `muted` ports."""
        if not self._tasks and not self.open:
            return  # nobody is dialled here: whatever they say leads to nothing
        flags = segments["flags"] & np.uint8(SYN | ACK | RST)
        arrived = (segments["way"] == IN) & (segments["icmp_type"] == 0) & ((flags == SYN | ACK) | (flags & RST != 0))
        for row in segments[arrived & (flags == SYN | ACK)] if self.open else ():
            for one in self.open:
                hi, lo = segment.pair(one.source[0])
                one.heard |= (int(row["dst_hi"]), int(row["dst_lo"]), int(row["dport"])) == (hi, lo, one.source[1])
        if arrived.any():
            rows = segments[arrived & np.isin(segments["dport"], muted)]
            self._answered_by |= set(zip(*(rows[n].tolist() for n in ("src_hi", "src_lo", "sport")), strict=True))
            self._answers += len(rows)

    def compare(self, swallowed: int, now: float) -> None:
        """`swallowed` is the kernel's counter now. Where it lags behind the tap, the pairs just answered are dialled.

        The counter may be ahead of the tap for a moment, never behind it: what it was ahead is made up for by the
        next look. A suspicion that is wrong costs one connect().
        """
        if self._swallowed is not None:
            moved = swallowed - self._swallowed
            missing = self._answers - moved + max(min(self._missing, 0), -self._moved)
            if missing > 0:
                self._hurry(now)
            self._missing, self._moved = missing, moved
        self._swallowed, self._answers, self._answered_by = swallowed, 0, set()

    def _hurry(self, now: float) -> None:
        busy = {(one.task.address, one.task.port) for one in self.open}
        for address, port in self._tasks.keys() - busy:
            if (*segment.pair(address), port) in self._answered_by:
                self._due[address, port] = min(self._due[address, port], now)

    def finished(self, now: float, now_ns: int) -> Batch:
        """The outcomes of connections that were made, refused, or have had their time."""
        rows = [row for one in self.open.copy() if (row := self._ended(one, now, now_ns)) is not None]
        return np.concatenate(rows) if rows else np.zeros(0, OUTCOME)

    def _ended(self, one: Dial, now: float, now_ns: int) -> Batch | None:
        error = _result(one.socket)
        late = now_ns - one.sent_ns >= one.task.timeout * 1e9
        if error is None and not late:
            return None
        self.open.remove(one)
        one.socket.close()
        if error is None:
            state = State.UNHEARD if one.heard else State.TIMED_OUT
        else:
            state = State.ANSWERED if error == 0 else State.REFUSED if error == errno.ECONNREFUSED else State.TIMED_OUT
        if state == State.UNHEARD and (key := (one.task.address, one.task.port)) in self._due:
            self._due[key] = now + AGAIN
        return self._outcome(one, state, error or 0, now_ns)

    def _outcome(self, one: Dial, state: State, error: int, now_ns: int) -> Batch:
        """One row; the ``run`` is the agent's to fill in."""
        row = np.zeros(1, OUTCOME)
        row["src_hi"], row["src_lo"] = segment.pair(one.source[0])
        row["dst_hi"], row["dst_lo"] = segment.pair(one.task.address)
        row["probe"], row["target"], row["state"] = one.probe, self.index(one.task.target), state
        row["error"], row["sport"], row["dport"] = error, one.source[1], one.task.port
        row["sent_ns"], row["done_ns"] = one.sent_ns, now_ns
        return row

    def close(self) -> None:
        """Let go of everything."""
        for one in self.open:
            one.socket.close()
        self.open.clear()


def _dial(task: Task, probe: int, now_ns: int) -> tuple[Dial, int]:
    """A connect() begun, and the errno where the kernel refused it at once."""
    family = socket.AF_INET6 if ":" in task.address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
    error = sock.connect_ex((task.address, task.port))
    source = sock.getsockname()
    return Dial(task, probe, sock, now_ns, (source[0], source[1])), 0 if error == errno.EINPROGRESS else error


def _result(sock: socket.socket) -> int | None:
    """0 where it is connected, an errno where it failed, None while it is under way."""
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) if poll.poll(0) else None
