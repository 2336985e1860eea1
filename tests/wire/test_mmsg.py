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
        assert _messages(data, [1, 2, 4]).send(left, 0) == (3, 0)
        into = np.zeros((5, 4), np.uint8)
        messages = _messages(into, np.full(5, 4))
        assert messages.receive(right, 5) == (3, 0)
        assert messages.headers["length"][:3].tolist() == [1, 2, 4]
        assert into.tolist()[:3] == [[0, 0, 0, 0], [4, 5, 0, 0], [8, 9, 10, 11]]
        assert messages.receive(right, 5) == (0, errno.EAGAIN)


def test_sending_goes_on_from_any_row():
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with left, right:
        assert _messages(np.arange(3, dtype=np.uint8).reshape(3, 1), [1, 1, 1]).send(left, 2) == (1, 0)
        assert right.recv(10) == b"\x02"


def test_a_failure_is_an_errno():
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    right.close()
    with left:
        assert _messages(np.zeros((1, 1), np.uint8), [1]).send(left, 0) == (0, errno.ECONNREFUSED)


def test_rows_that_do_not_lie_together_are_refused():
    with pytest.raises(ValueError, match="contiguous"):
        _messages(np.zeros((4, 4), np.uint8)[:, ::2], [1] * 4)
