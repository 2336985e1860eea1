"""The lab's child processes: forked from this one, killed with it, each one's end awaited."""

from __future__ import annotations

import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn, TypeVar

from prober.errors import CannotMeasure
from prober.lab import namespaces

_BACKLOG = 4096

Result = TypeVar("Result")


class Children:
    """The pids forked here. Each child is killed by the kernel when the thread that forked it ends."""

    def __init__(self) -> None:
        self._pids: set[int] = set()

    def fork(self, function: Callable[[], int | None]) -> int:
        """Run `function` in a child and leave with the exit code it returns; a traceback on stderr means 1."""
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _run_and_exit(parent, function)
        self._pids.add(pid)
        return pid

    def end(self, pid: int) -> None:
        """Kill a child and await it."""
        self._pids.discard(pid)
        with suppress(ProcessLookupError):  # it ended by itself and somebody awaited it
            os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):  # likewise
            os.waitpid(pid, 0)

    def ended(self, pid: int) -> bool:
        """Whether a child has ended by itself."""
        try:
            return os.waitpid(pid, os.WNOHANG)[0] == pid
        except ChildProcessError:  # it ended, and somebody awaited it
            return True

    def end_all(self) -> None:
        """Kill every child, then await them all."""
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in tuple(self._pids):
            self.end(pid)


def listener(namespace: int, address: str, port: int) -> Callable[[], int]:
    """Open a listening TCP socket inside `namespace`, and answer with the loop that accepts on it and closes.

    A socket stays in the namespace it was made in, so the loop may run anywhere. CannotMeasure when it can't listen.
    """
    opened = _opened(namespace, address, port, lambda: _bound(address, port, _BACKLOG))

    def serve() -> int:
        while True:
            with suppress(ConnectionError):  # the other side reset it before it was accepted
                opened.accept()[0].close()

    return serve


def full_listener(namespace: int, address: str, port: int) -> Callable[[], int]:
    """The same, but nobody accepts: with a backlog of 0 one connection fills it (sk_acceptq_is_full, net/sock.h),
    and the host itself makes that one."""

    def fill() -> tuple[socket.socket, socket.socket]:
        opened = _bound(address, port, 0)
        return opened, socket.create_connection((address, port), timeout=2.0)

    held = _opened(namespace, address, port, fill)

    def wait() -> int:
        listening, connected = held
        signal.pause()  # until the lab ends it
        listening.close()
        connected.close()
        return 0

    return wait


def _bound(address: str, port: int, backlog: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind((address, port))
    opened.listen(backlog)
    return opened


def _opened(namespace: int, address: str, port: int, function: Callable[[], Result]) -> Result:
    """What `function` answers inside the namespace; CannotMeasure when it can't listen there."""
    try:
        return namespaces.inside(namespace, function)
    except OSError as failure:
        raise CannotMeasure(f"The lab cannot listen on {address} port {port}: {failure.strerror}") from failure


def _run_and_exit(parent: int, function: Callable[[], int | None]) -> NoReturn:
    """The child's whole life: nothing of the parent's clean-up may run here, hence ``os._exit``."""
    code = 1
    try:
        namespaces.die_with_parent(parent)
        signal.set_wakeup_fd(-1)  # the parent's event loop must not be woken by a child's signals
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the parent decides
        code = function() or 0
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:  # noqa: BLE001 - a child's end is told here, nobody is left above it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
