"""What this process may do, and giving it up: raw sockets are opened first, then every capability is dropped.

Facts from capabilities(7), capset(2) and prctl(2).
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from pathlib import Path

from prober.errors import CannotMeasure

_VERSION_3 = 0x20080522  # linux/capability.h
_SYS_CAPSET = {"x86_64": 126, "aarch64": 91}
_PR_SET_NO_NEW_PRIVS = 38

_libc = ctypes.CDLL(None, use_errno=True)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Data(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def can_capture() -> bool:
    """Whether this process may open raw and packet sockets here (CAP_NET_RAW over its network namespace)."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except PermissionError:
        return False
    return True


def describe() -> str:
    """The sentence for an operator whose agent may not open raw sockets, with the cure."""
    return (
        "This process may not open raw sockets: it lacks CAP_NET_RAW, so it can neither probe nor capture. "
        "An agent still responds here, answers for its routes and reads its half-open sockets. "
        f"Give it that one capability: setcap cap_net_raw+ep {os.path.realpath(sys.executable)}, "
        "docker run --cap-add NET_RAW, or AmbientCapabilities=CAP_NET_RAW in a systemd unit."
    )


def drop() -> None:
    """Give up every capability for good, sockets already open stay. Raises CannotMeasure where the kernel refuses.

    Capabilities belong to a *thread*: call it from the main thread before any other is started.
    """
    number = _SYS_CAPSET.get(os.uname().machine)
    if number is None:
        raise CannotMeasure(f"Dropping capabilities is not known for {os.uname().machine} (x86_64 and aarch64 are).")
    header, none = _Header(_VERSION_3, 0), (_Data * 2)()
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")
    _check(_libc.syscall(number, ctypes.byref(header), ctypes.byref(none)), "capset")


def held() -> int:
    """The effective capabilities of the calling thread, as a bit mask; 0 after `drop`."""
    lines = Path("/proc/thread-self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff:"))


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise CannotMeasure(f"Dropping capabilities failed at {what}: {os.strerror(number)}.")
