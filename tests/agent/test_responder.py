"""A real kernel listener that finishes connections and keeps nothing."""

from __future__ import annotations

import resource
import socket

import pytest

from prober.agent.responder import Responder


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def test_whoever_connects_is_accepted_and_closed() -> None:
    port = free_port()
    responder = Responder(["127.0.0.1"], port)
    with socket.create_connection(("127.0.0.1", port), 2) as client:
        responder.serve()
        assert client.recv(1) == b""
    responder.serve()
    responder.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 2)


def test_a_taken_port_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            Responder(["127.0.0.1", "127.0.0.2"], port)
        Responder(["127.0.0.1"], port).close()


def test_without_descriptors_it_waits_for_the_next_turn() -> None:
    port = free_port()
    responder = Responder(["127.0.0.1"], port)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.create_connection(("127.0.0.1", port), 2) as client:
        resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno() + 1, hard))
        try:
            responder.serve()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        responder.serve()
        assert client.recv(1) == b""
    responder.close()
