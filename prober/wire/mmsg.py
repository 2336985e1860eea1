"""Many datagrams a system call: ``sendmmsg`` and ``recvmmsg`` (2) through ctypes, their structures numpy arrays.

A `Messages` keeps every array that the kernel's pointers lead into, so that none is collected under it.
ctypes lets go of the interpreter's lock during the calls. The layouts are those of 64-bit Linux.
"""

from __future__ import annotations

import ctypes
import socket
from collections.abc import Callable

import numpy as np

from prober.segment import Batch

MSGHDR = np.dtype(
    [
        ("name", "u8"), ("name_length", "u4"), ("_1", "u4"), ("iov", "u8"), ("iov_count", "u8"),
        ("control", "u8"), ("control_length", "u8"), ("flags", "u4"), ("_2", "u4"), ("length", "u4"), ("_3", "u4"),
    ]
)  # fmt: skip
"""``struct mmsghdr`` (linux/socket.h): a msghdr, then the length of the datagram."""

_IOVEC = np.dtype([("base", "u8"), ("length", "u8")])

_AT_ONCE = 1024
"""UIO_MAXIOV (linux/uio.h): the kernel takes no more messages a call."""

_libc = ctypes.CDLL(None, use_errno=True)


class Messages:
    """Headers for as many datagrams as `data` has rows, ready for either call.

    `data` is a (N, width) uint8 array; `names` N socket addresses and `control` (N, bytes) for ancillary data.
    """

    def __init__(self, data: Batch, lengths: Batch, names: Batch, control: Batch | None = None) -> None:
        self.data, self.names, self.control = data, names, control
        self.headers = np.zeros(len(data), MSGHDR)
        self._iov = np.zeros(len(data), _IOVEC)
        self._iov["base"], self._iov["length"] = _addresses(data), lengths
        self.headers["name"], self.headers["iov"], self.headers["iov_count"] = (
            _addresses(names),
            _addresses(self._iov),
            1,
        )
        self.headers["control"] = 0 if control is None else _addresses(control)
        self.rearm()

    def rearm(self) -> None:
        """Set again what the kernel overwrites when it receives."""
        self.headers["name_length"] = self.names.dtype.itemsize
        self.headers["control_length"] = 0 if self.control is None else self.control.shape[1]

    def send(self, sock: socket.socket, start: int) -> tuple[int, int]:
        """Send the rows from `start` on: ``(how many went, errno of the first that did not, or 0)``."""
        return self._call(_libc.sendmmsg, sock, start, socket.MSG_DONTWAIT)

    def receive(self, sock: socket.socket, limit: int) -> tuple[int, int]:
        """Receive at most `limit` datagrams into the first rows: ``(how many came, errno or 0)``; never waits."""
        return self._call(_libc.recvmmsg, sock, 0, socket.MSG_DONTWAIT | socket.MSG_TRUNC, limit)

    def _call(
        self, call: Callable[..., int], sock: socket.socket, start: int, flags: int, limit: int = _AT_ONCE
    ) -> tuple[int, int]:
        count = min(len(self.headers) - start, limit, _AT_ONCE)
        pointer = ctypes.c_void_p(int(_addresses(self.headers)[start]))
        done = call(sock.fileno(), pointer, ctypes.c_uint(count), ctypes.c_int(flags), None)
        return (done, 0) if done >= 0 else (0, ctypes.get_errno())


def _addresses(array: Batch) -> Batch:
    """Where each row of a contiguous array lies in memory."""
    if not array.flags["C_CONTIGUOUS"]:
        raise ValueError("the kernel is given whole rows only: the array must be contiguous")
    rows: Batch = np.uint64(array.ctypes.data) + np.arange(len(array), dtype=np.uint64) * np.uint64(array.strides[0])
    return rows
