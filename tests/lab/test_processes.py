"""Children of a lab: inside their host, awaited, and deaf to what is meant for their parent."""

from __future__ import annotations

import os
import signal
import socket
import time

import pytest
from children import Sealed
from dialling import DUAL, dial

from prober.errors import CannotMeasure
from prober.host.counters import Counters
from prober.lab import namespaces
from prober.lab.processes import Children, listener
from prober.lab.topology import Lab


def test_a_forked_child_is_inside_its_host_and_hands_back_its_exit_code(sealed_child: Sealed) -> None:
    def live() -> tuple[int, bool]:
        with Lab(DUAL) as lab:
            wanted = os.fstat(lab.namespaces["pod"]).st_ino
            pid = lab.fork("pod", lambda: 7 if os.stat("/proc/self/ns/net").st_ino == wanted else 1)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), os.stat("/proc/self/ns/net").st_ino == wanted

    assert sealed_child(live) == (7, False)


def test_a_child_that_raises_ends_with_one(sealed_child: Sealed) -> None:
    def live() -> int:
        with Lab(DUAL) as lab:
            pid = lab.fork("caller", lambda: 1 // 0)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    assert sealed_child(live) == 1


def test_a_child_ends_with_the_parent_that_is_killed() -> None:
    reading, writing = os.pipe()

    def parent() -> None:
        child = Children().fork(lambda: time.sleep(60))
        os.write(writing, child.to_bytes(4, "big"))
        os.kill(os.getpid(), signal.SIGKILL)

    children = Children()
    pid = children.fork(parent)
    grandchild = int.from_bytes(os.read(reading, 4), "big")
    os.waitpid(pid, 0)
    until = time.monotonic() + 2
    while _runs(grandchild) and time.monotonic() < until:
        time.sleep(0.01)
    assert not _runs(grandchild)
    children.end_all()


def _runs(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_ctrl_c_reaches_the_whole_group_and_only_the_parent_listens() -> None:
    children = Children()
    pid = children.fork(lambda: time.sleep(60))
    time.sleep(0.1)
    os.kill(pid, signal.SIGINT)
    time.sleep(0.05)
    assert _runs(pid)
    children.end(pid)
    assert not _runs(pid)


def test_a_child_that_somebody_awaited_already_is_ended_without_a_fuss() -> None:
    children = Children()
    pid = children.fork(lambda: 3)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    children.end(pid)
    children.end_all()


def test_a_port_that_is_taken_is_named(sealed_child: Sealed) -> None:
    def live() -> str:
        with Lab(DUAL) as lab, pytest.raises(CannotMeasure) as caught:
            listener(lab.namespaces["node"], "198.18.2.4", 80)
        return str(caught.value)

    assert sealed_child(live) == "The lab cannot listen on 198.18.2.4 port 80: Address already in use"


def test_a_listener_accepts_and_closes_and_goes_on(sealed_child: Sealed) -> None:
    def live() -> list[bytes]:
        with Lab(DUAL) as lab:
            lab.enter("caller")
            answers = []
            for _ in range(3):
                with socket.create_connection(("198.18.2.4", 80), timeout=1) as caller:
                    answers.append(caller.recv(1))
            return answers

    assert sealed_child(live) == [b"", b"", b""]


def test_a_full_listener_answers_nobody_and_counts_it(sealed_child: Sealed) -> None:
    def live() -> tuple[list[str], int]:
        with Lab(DUAL) as lab:
            lab.run({"node": ["listen 8080 full"]})
            before = namespaces.inside(lab.namespaces["node"], lambda: Counters().read())["TcpExtListenOverflows"]
            how = dial(lab, [("caller", "198.18.2.4", 8080), ("caller", "198.18.2.4", 80)])
            after = namespaces.inside(lab.namespaces["node"], lambda: Counters().read())["TcpExtListenOverflows"]
            lab.run({"node": ["close 8080"]})
            return [*how, *dial(lab, [("caller", "198.18.2.4", 8080)])], after - before

    told, overflows = sealed_child(live)
    assert told == ["times out", "connects", "ECONNREFUSED"]
    assert overflows > 0


def test_a_child_that_ended_by_itself_is_noticed_and_stays_so(sealed_child: Sealed) -> None:
    def live() -> tuple[bool, bool, bool]:
        children = Children()
        short, long = children.fork(lambda: 0), children.fork(lambda: time.sleep(60))
        deadline = time.monotonic() + 10
        while not children.ended(short) and time.monotonic() < deadline:
            time.sleep(0.01)
        told = children.ended(short), children.ended(short), children.ended(long)
        children.end_all()
        return told

    assert sealed_child(live) == (True, True, False)
