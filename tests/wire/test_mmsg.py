"""Many datagrams a call, over a plain Unix socket pair."""

from __future__ import annotations

import errno
import socket

import numpy as np
import pytest

from prober.wire.mmsg import Messages


def _messages(data, lengths):
    messages = Messages(data, lengths, np.zeros(len(data), "u8"))
    messages.headers["name_length"] = 0  # a connected pair needs no address
    return messages


def test_what_is_sent_arrives_row_for_row_at_its_own_length():
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    data = np.arange(12, dtype=np.uint8).reshape(3, 4)
    with left, right:
        messages = _messages(data, [1, 2, 4])
        assert messages.send(left, 0, 3) == (3, 0)
        assert [right.recv(10) for _ in range(3)] == [b"\0", b"\4\5", b"\x08\x09\x0a\x0b"]
        data[0], messages.lengths[0] = 7, 3
        assert messages.send(left, 0, 1) == (1, 0)
        assert right.recv(10) == b"\7\7\7"


def test_sending_goes_on_from_any_row_and_stops_at_any():
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with left, right:
        assert _messages(np.arange(3, dtype=np.uint8).reshape(3, 1), [1, 1, 1]).send(left, 2, 3) == (1, 0)
        assert right.recv(10) == b"\x02"
        assert _messages(np.arange(3, dtype=np.uint8).reshape(3, 1), [1, 1, 1]).send(left, 0, 1) == (1, 0)
        assert right.recv(10) == b"\x00"


def test_a_failure_is_an_errno():
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    right.close()
    with left:
        assert _messages(np.zeros((1, 1), np.uint8), [1]).send(left, 0, 1) == (0, errno.ECONNREFUSED)


def test_rows_that_do_not_lie_together_are_refused():
    with pytest.raises(ValueError, match="contiguous"):
        _messages(np.zeros((4, 4), np.uint8)[:, ::2], [1] * 4)
