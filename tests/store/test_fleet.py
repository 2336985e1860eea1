"""Keys and numbers that the fleet shares."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from prober.errors import CannotMeasure
from prober.probe import AGENTS
from prober.store import tables
from prober.store.engine import Store
from prober.store.fleet import agent_number, agent_numbers, keys, relay_secret, rotate, rotated_ns


def test_the_first_call_makes_the_key_and_later_ones_read_it(store: Store) -> None:
    assert rotated_ns(store) is None
    (first,) = keys(store, 5)
    assert len(first) == 16
    assert keys(store, 6) == [first]
    assert rotated_ns(store) == 5


def test_many_first_calls_make_one_key(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: keys(store), range(8)))
    assert all(one == found[0] for one in found)


def test_a_rotated_key_is_kept_as_the_one_before(store: Store) -> None:
    (first,) = keys(store)
    second = rotate(store, 7)
    assert second[1:] == [first]
    assert second[0] != first
    assert keys(store) == second
    assert rotate(store, 8)[1] == second[0]
    assert rotated_ns(store) == 8


def test_the_controllers_have_one_secret_that_is_no_key_of_the_fleet(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: relay_secret(store), range(8)))
    (secret,) = found
    assert len(secret) == 32
    assert secret not in rotate(store, 7)
    assert relay_secret(store) == secret, "a rotated key leaves it alone"


def test_an_agent_keeps_its_number_wherever_it_moves(store: Store) -> None:
    assert [agent_number(store, name, "nodes") for name in ("node1", "node2", "node1")] == [0, 1, 0]
    assert agent_number(store, "node1", "elsewhere") == 0
    assert agent_numbers(store) == {("node1", "elsewhere"): 0, ("node2", "nodes"): 1}
    with store.read() as connection:
        moved = sa.select(tables.agents.c.zone).where(tables.agents.c.name == "node1")
        assert connection.execute(moved).scalar_one() == "elsewhere"


def test_agents_that_come_at_once_get_numbers_of_their_own(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        numbers = list(pool.map(lambda name: agent_number(store, f"node{name}", "nodes"), range(24)))
    assert sorted(numbers) == list(range(24))


def test_when_every_number_is_given_away_the_next_agent_is_told(store: Store) -> None:
    rows = [{"name": f"n{number}", "number": number, "zone": "z", "created_ns": 0} for number in range(AGENTS)]
    with store.begin() as connection:
        connection.execute(sa.insert(tables.agents), rows)
        connection.execute(sa.delete(tables.agents).where(tables.agents.c.number == 77))
    assert agent_number(store, "last", "z") == 77
    with pytest.raises(CannotMeasure, match="all 4096 agent numbers are given away"):
        agent_number(store, "one more", "z")
