"""Network namespaces without names: held by file descriptor, gone with the process that holds them.

Python 3.11 has no ``os.unshare`` (3.12 does), so the few system calls are made through libc, each with its
errno checked. ``unshare`` and ``setns`` with CLONE_NEWNET act on the calling *thread* alone (unshare(2),
setns(2)), so whatever must happen inside a namespace is done by a thread of its own.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from collections.abc import Callable
from typing import TypeVar

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWNET = 0x4000_0000
"""The kinds of namespace (linux/sched.h)."""

MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x4000, 0x4_0000
"""Mount flags (linux/mount.h)."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h

Result = TypeVar("Result")

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, call: str) -> None:
    """Turn libc's -1 into an OSError that names the call."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{call}: {os.strerror(number)}")


def unshare(kinds: int) -> None:
    """Give the calling thread new namespaces of these kinds; OSError where the kernel refuses."""
    _check(_libc.unshare(ctypes.c_int(kinds)), "unshare")


def join(namespace: int) -> None:
    """Move the calling thread into the network namespace behind a file descriptor."""
    _check(_libc.setns(ctypes.c_int(namespace), ctypes.c_int(CLONE_NEWNET)), "setns")


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """mount(2); `kind` is the file system's type, '' where `flags` only change what is mounted already."""
    texts = [ctypes.c_char_p(text.encode()) for text in (source, target, kind)]
    _check(_libc.mount(*texts, ctypes.c_ulong(flags), ctypes.c_char_p(options.encode())), "mount")


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the *thread* that forked it ends (prctl(2), PR_SET_PDEATHSIG).

    `parent` is the pid that forked: one that ended before the call is noticed, too.
    """
    _check(_libc.prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0), "prctl")
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def in_thread(function: Callable[[], Result]) -> Result:
    """Run `function` in a thread of its own and hand back its result, or raise what it raised."""
    results: list[Result] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as failure:  # noqa: BLE001 - handed to the caller's thread, whatever it is
            failures.append(failure)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def inside(namespace: int, function: Callable[[], Result]) -> Result:
    """Run `function` in a thread that joined `namespace`; a process it starts is in there too, a socket stays there."""

    def run() -> Result:
        join(namespace)
        return function()

    return in_thread(run)


def anonymous() -> int:
    """A new, empty network namespace as a file descriptor (close-on-exec); it lives as long as something holds it."""

    def make() -> int:
        unshare(CLONE_NEWNET)
        return current()

    return in_thread(make)


def current() -> int:
    """The calling thread's own network namespace as a file descriptor."""
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
