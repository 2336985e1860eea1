"""A peer hands in what it is given, unread, and is bounded in all that it does for others."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from prober import relay
from prober.agent import exchange, relaying
from prober.agent.line import RELAYED, clients
from prober.agent.relaying import AT_ONCE, Relaying
from tests.agent.peers import KEY, NOBODY, Controller, honest
from tests.agent.test_responder import free_port

BUNDLE = relay.seal("firewall", b"a report", KEY)


class Stand:
    """A peer with a controller behind it."""

    def __init__(self) -> None:
        self.controller, self.useful, self.made = Controller(), True, 0
        self.port = free_port()
        self.relaying = Relaying(["127.0.0.1", "127.0.0.2"], self.port, self.make, lambda: self.useful)

    def make(self) -> list:
        self.made += 1
        return clients(f"unix:/nonexistent, {self.controller.url}", NOBODY, path=RELAYED)

    def ask(self, message: bytes = relay.encode(BUNDLE), address: str = "127.0.0.1") -> bytes:
        with socket.create_connection((address, self.port), 1.0) as connection:
            exchange.tell(connection, message, 1.0)
            return exchange.hear(connection, relay.MOST_BACK, 3.0)

    def close(self) -> None:
        self.relaying.close()
        self.controller.close()


@pytest.fixture
def stand() -> Iterator[Stand]:
    one = Stand()
    yield one
    one.close()


def test_a_bundle_is_handed_in_as_it_came_and_the_answer_handed_back(stand: Stand) -> None:
    assert stand.made == 0, "nothing is made before somebody asks"
    for address in ("127.0.0.1", "127.0.0.2", "127.0.0.1"):
        assert relay.decode_receipt(stand.ask(address=address)) == honest(BUNDLE)
    assert stand.controller.posts == [("/agent/v1/relayed", relay.encode(BUNDLE))] * 3
    assert stand.made == 1
    stand.controller.status = 403
    assert stand.ask(), "what the controller says is handed back, whatever it is"


def test_a_peer_that_is_cut_off_itself_keeps_nobody_waiting(stand: Stand) -> None:
    stand.useful = False
    began = time.monotonic()
    with pytest.raises(ConnectionError):
        stand.ask()
    assert time.monotonic() - began < 1.0
    assert not stand.controller.posts
    stand.useful = True
    assert stand.ask()


def test_few_are_served_at_a_time_and_who_says_nothing_is_let_go(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "PATIENCE", 0.4)
    with ExitStack() as silent:
        for _ in range(AT_ONCE):
            silent.enter_context(socket.create_connection(("127.0.0.1", stand.port), 1.0))
        time.sleep(0.1)
        with pytest.raises(ConnectionError):
            stand.ask()
        time.sleep(0.6)
        assert stand.ask()


def test_a_rate_bounds_what_is_handed_in_for_others(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relaying, "RATE", 0)
    stand.relaying._purse = 2.0 * relaying.LEAST + 10
    with pytest.raises(ConnectionError):
        stand.ask(bytes(2 * relaying.LEAST + 11))
    assert not stand.controller.posts
    assert stand.ask()
    with pytest.raises(ConnectionError):
        stand.ask()


def test_where_no_controller_can_be_reached_nothing_comes_back(stand: Stand) -> None:
    stand.relaying.make = lambda: clients("unix:/nonexistent", NOBODY, path=RELAYED)
    assert stand.ask() == b""


def test_it_ends_at_once_and_leaves_nothing(stand: Stand) -> None:
    before = threading.active_count()
    one = Relaying(["127.0.0.1"], free_port(), stand.make, lambda: True)
    began = time.monotonic()
    one.close()
    assert time.monotonic() - began < 0.5
    assert threading.active_count() == before
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        Relaying(["127.0.0.2", "127.0.0.1"], taken.getsockname()[1], stand.make, lambda: True)
