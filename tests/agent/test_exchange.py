"""A message there and one back: whole, bounded, and in time, or not at all."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from prober.agent.exchange import HEAD, hear, tell


def test_a_message_arrives_whole_however_large_it_is() -> None:
    here, there = socket.socketpair()
    with here, there:
        for message in (b"", b"x", bytes(3_000_000)):
            thread = threading.Thread(target=tell, args=(here, message, 2.0))
            thread.start()
            assert hear(there, 3_000_000, 2.0) == message
            thread.join()


@pytest.mark.parametrize(
    ("sent", "why"),
    [
        (HEAD.pack(11) + b"x" * 11, "11 bytes are announced, 10 are the most"),
        (b"GET / HTTP/1.1\r\n\r\n", "bytes are announced"), (HEAD.pack(5) + b"four", "ended after 4 of 5 bytes"),
        (b"\0\0", "ended after 2 of 4 bytes"), (b"", "ended after 0 of 4 bytes"),
    ],
)  # fmt: skip
def test_a_message_that_is_too_large_or_broken_off_is_none(sent: bytes, why: str) -> None:
    here, there = socket.socketpair()
    with there:
        with here:
            here.sendall(sent)
        with pytest.raises(ConnectionError, match=why):
            hear(there, 10, 1.0)


def test_whoever_drips_is_left_when_the_time_is_up() -> None:
    here, there = socket.socketpair()
    ended = threading.Event()

    def drip() -> None:
        here.sendall(HEAD.pack(100))
        while not ended.wait(0.05):
            here.sendall(b"x")

    thread = threading.Thread(target=drip)
    thread.start()
    with there:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            hear(there, 100, 0.3)
        assert 0.25 < time.monotonic() - began < 1.0
        ended.set()
        thread.join()
    here.close()
