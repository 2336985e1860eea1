"""Namespaces by descriptor: a thread goes in, the process stays where it is."""

from __future__ import annotations

import errno
import os
import socket

import pytest
from children import Sealed

from prober.lab import namespaces


def inode() -> int:
    return os.stat("/proc/thread-self/ns/net").st_ino


def test_an_anonymous_namespace_is_new_and_the_process_stays_outside(sealed_child: Sealed) -> None:
    def live() -> tuple[bool, bool, list[str]]:
        own, new = inode(), namespaces.anonymous()
        there = namespaces.inside(new, inode)
        names = namespaces.inside(new, lambda: [name for _, name in socket.if_nameindex()])
        return there == os.fstat(new).st_ino, own == inode() != there, names

    right, stayed, names = sealed_child(live)
    assert right
    assert stayed
    assert "lo" in names
    assert "eth0" not in names


def test_a_socket_stays_in_the_namespace_it_was_made_in(sealed_child: Sealed) -> None:
    def live() -> int | None:
        new = namespaces.anonymous()
        made = namespaces.inside(new, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with made, pytest.raises(OSError, match="unreachable") as caught:
            made.connect(("127.0.0.1", 9))  # its loopback is down; the machine's own is up
        return caught.value.errno

    assert sealed_child(live) == errno.ENETUNREACH


def test_what_a_thread_raises_is_raised_where_it_was_asked_for() -> None:
    with pytest.raises(ZeroDivisionError):
        namespaces.in_thread(lambda: 1 // 0)


def test_a_descriptor_that_is_no_namespace_is_refused_by_name_of_the_call() -> None:
    reading, writing = os.pipe()
    try:
        with pytest.raises(OSError, match="setns: Invalid argument"):
            namespaces.inside(reading, inode)
    finally:
        os.close(reading)
        os.close(writing)
