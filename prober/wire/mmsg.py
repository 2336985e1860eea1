"""Many datagrams a system call: ``sendmmsg`` (2) through ctypes, its structures numpy arrays.

A `Messages` keeps every array that the kernel's pointers lead into, so that none is collected under it.
ctypes lets go of the interpreter's lock during the call. The layouts are those of 64-bit Linux.
"""

from __future__ import annotations

import ctypes
import socket

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

AT_ONCE = 1024
"""UIO_MAXIOV (linux/uio.h): the kernel takes no more messages a call."""

_libc = ctypes.CDLL(None, use_errno=True)


class Messages:
    """Headers for as many datagrams as `data` has rows, to be filled and sent again and again.

    `data` is a (N, width) uint8 array; `names` N socket addresses and `control` (N, bytes) for ancillary data.
    """

    def __init__(self, data: Batch, lengths: Batch, names: Batch, control: Batch | None = None) -> None:
        self.data, self.names, self.control = data, names, control
        self.headers = np.zeros(len(data), MSGHDR)
        self._iov = np.zeros(len(data), _IOVEC)
        self._iov["base"], self._iov["length"] = _addresses(data), lengths
        self.lengths: Batch = self._iov["length"]
        """A view: what is written here is how much of each row is sent."""
        self.headers["name"], self.headers["name_length"] = _addresses(names), names.dtype.itemsize
        self.headers["iov"], self.headers["iov_count"] = _addresses(self._iov), 1
        self.control_length = 0 if control is None else control.shape[1]
        if control is not None:
            self.headers["control"], self.headers["control_length"] = _addresses(control), self.control_length
        self._rows = _addresses(self.headers).tolist()

    def send(self, sock: socket.socket, start: int, stop: int) -> tuple[int, int]:
        """Send the rows from `start` up to `stop`: ``(how many went, errno of the first that did not, or 0)``."""
        count = min(stop - start, AT_ONCE)
        row = ctypes.c_void_p(self._rows[start])
        done = _libc.sendmmsg(sock.fileno(), row, ctypes.c_uint(count), ctypes.c_int(socket.MSG_DONTWAIT))
        return (done, 0) if done >= 0 else (0, ctypes.get_errno())


def _addresses(array: Batch) -> Batch:
    """Where each row of a contiguous array lies in memory."""
    if not array.flags["C_CONTIGUOUS"]:
        raise ValueError("the kernel is given whole rows only: the array must be contiguous")
    rows: Batch = np.uint64(array.ctypes.data) + np.arange(len(array), dtype=np.uint64) * np.uint64(array.strides[0])
    return rows
