"""Whether something listens on a port: the kernel's own table, read with no capability."""

from __future__ import annotations

import socket

import pytest

from prober.host import listening
from prober.host.routes import Routes
from prober.report import Question


def listen(node, address: str, port: int) -> socket.socket:
    def opened() -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made = socket.socket(family, socket.SOCK_STREAM)
        made.bind((address, port))
        made.listen(1)
        return made

    return node.do(opened)


@pytest.mark.parametrize(
    ("bound", "asked"), [("10.224.0.4", "10.224.0.4"), ("0.0.0.0", "10.224.0.4"), ("::", "fd22::4")]
)
def test_a_listener_on_the_address_or_on_any(node, bound: str, asked: str):
    assert not node.do(lambda: listening.on(asked, 8080))
    with listen(node, bound, 8080):
        assert node.do(lambda: listening.on(asked, 8080))
        assert not node.do(lambda: listening.on(asked, 8081))
    assert not node.do(lambda: listening.on(asked, 8080))


def test_a_listener_on_another_address_is_none(node):
    with listen(node, "127.0.0.1", 8080):
        assert not node.do(lambda: listening.on("10.224.0.4", 8080))


def test_it_is_asked_like_a_route(node):
    def ask():
        return Routes("node1").ask(Question("10.224.0.4", port=8080))

    assert not node.do(ask).listening
    with listen(node, "10.224.0.4", 8080):
        told = node.do(ask)
    assert (told.agent, told.dst, told.port, told.listening) == ("node1", "10.224.0.4", 8080, True)
