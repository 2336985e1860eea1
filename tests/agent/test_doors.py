"""An agent listens where its plan says, and nowhere else."""

from __future__ import annotations

import socket

import pytest

from prober.agent.doors import Doors
from tests.agent.plans import plan
from tests.agent.test_responder import free_port


def is_open(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def test_it_listens_where_the_plan_says_and_moves_with_it() -> None:
    first, second, relay = free_port(), free_port(), free_port()
    doors = Doors(list, lambda: False)
    try:
        assert doors.adopt(plan(addresses=["127.0.0.1"], listen=first)) == []
        assert (is_open(first), is_open(relay)) == (True, False)
        assert doors.adopt(plan(addresses=["127.0.0.1"], listen=second, relay=relay)) == []
        assert (is_open(first), is_open(second), is_open(relay)) == (False, True, True)
        same = doors.relaying
        doors.adopt(plan(addresses=["127.0.0.1"], relay=relay))
        assert doors.relaying is same and (is_open(second), is_open(relay)) == (False, True)
        doors.adopt(plan(addresses=["127.0.0.1"]))
        assert not is_open(relay)
    finally:
        doors.close()


@pytest.mark.parametrize("which", ["listen", "relay"])
def test_a_port_that_is_taken_is_one_sentence(which: str) -> None:
    doors = Doors(list, lambda: False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = doors.adopt(plan(addresses=["127.0.0.1"], **{which: port}))
        assert told == [f"can't listen on port {port} of 127.0.0.1: Address already in use"]
    doors.close()
