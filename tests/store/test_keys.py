"""A token brings one key in, once, whoever else tries at the same time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from prober.enrolment import Enrolment
from prober.store import audit, keys, schema, tables
from prober.store.engine import Store, connect, open_store
from prober.store.keys import Key, Spent, enrol, get_key, good_keys, list_keys
from prober.store.tokens import Token, add_token, get_token, list_tokens, revoke_agent, revoke_token

ONE, OTHER = bytes(range(32)), bytes(32)


def token(store: Store, token_id: str = "a1", agent: str = "lb", expires_ns: int | None = 100) -> Token:
    made = Token(token_id, f"{token_id:f>64}", "agent", agent, "front", 5, expires_ns=expires_ns)
    add_token(store, made)
    return made


def test_a_key_comes_in_with_a_token_that_is_used_up(store: Store) -> None:
    made = token(store)
    kept = Key("lb", "front", ONE, "a1", 50)
    assert enrol(store, made, Enrolment("lb", ONE), 50) == kept == get_key(store, "lb")
    assert (good_keys(store), list_keys(store)) == ({"lb": ONE}, [kept])
    assert get_token(store, "a1").used_ns == 50  # type: ignore[union-attr]
    (told,) = audit.entries(store)
    assert (told.who, told.what, told.at_ns) == ("token a1", "enrol", 50)
    assert told.detail.startswith("lb in front, key SHA256:")


def test_the_same_key_again_is_as_good_and_another_one_is_not(store: Store) -> None:
    made = token(store)
    kept = enrol(store, made, Enrolment("lb", ONE), 50)
    assert enrol(store, made, Enrolment("lb", ONE), 5_000) == kept, "its answer was lost, and it is late"
    assert enrol(store, made, Enrolment("lb", OTHER), 60) is Spent.USED
    assert good_keys(store) == {"lb": ONE}
    assert len(audit.entries(store)) == 1


def test_a_token_that_is_late_or_revoked_brings_nothing_in(store: Store) -> None:
    late, revoked = token(store), token(store, "b2")
    assert enrol(store, late, Enrolment("lb", ONE), 100) is Spent.EXPIRED
    revoke_token(store, "b2", 10)
    assert enrol(store, revoked, Enrolment("lb", ONE), 50) is Spent.REVOKED
    assert good_keys(store) == {}


def test_a_token_that_never_expires_is_good_once_all_the_same(store: Store) -> None:
    made = token(store, expires_ns=None)
    assert isinstance(enrol(store, made, Enrolment("lb", ONE)), Key)
    assert enrol(store, made, Enrolment("lb", OTHER)) is Spent.USED


def test_an_agent_that_lost_its_key_gets_another_in_its_place(store: Store) -> None:
    first, second = token(store), token(store, "b2")
    enrol(store, first, Enrolment("lb", ONE), 50)
    enrol(store, second, Enrolment("lb", OTHER), 60)
    assert good_keys(store) == {"lb": OTHER}
    assert enrol(store, first, Enrolment("lb", ONE), 70) is Spent.USED, "the key before does not come back"


@pytest.mark.parametrize("by", ["token", "agent"])
def test_what_is_revoked_takes_its_key_along_and_only_a_new_token_helps(store: Store, by: str) -> None:
    made, spare = token(store), token(store, "b2")
    enrol(store, made, Enrolment("lb", ONE), 50)
    enrol(store, token(store, "c3", "vm"), Enrolment("vm", OTHER), 50)
    if by == "token":
        assert revoke_token(store, "a1", 60)
        assert not revoke_token(store, "a1", 61)
    else:
        assert revoke_agent(store, "lb", 60) == 3
        assert revoke_agent(store, "lb", 61) == 0
    assert good_keys(store) == {"vm": OTHER}
    assert get_key(store, "lb").revoked_ns == 60  # type: ignore[union-attr]
    assert enrol(store, made, Enrolment("lb", ONE), 70) is Spent.REVOKED
    if by == "token":
        assert isinstance(enrol(store, spare, Enrolment("lb", OTHER), 70), Key)
        assert good_keys(store) == {"lb": OTHER, "vm": OTHER}
    else:
        assert enrol(store, spare, Enrolment("lb", OTHER), 70) is Spent.REVOKED


def test_of_many_that_race_for_one_token_exactly_one_wins(store: Store, url: str) -> None:
    """Each has a connection of its own, as on controllers of their own, and all begin at once."""
    racers, rounds = 6, 8
    stores = [open_store(url) for _ in range(racers)]
    for number in range(rounds):
        made, start = token(store, f"t{number}", f"agent{number}"), threading.Barrier(racers)

        def race(at: int, made: Token = made, start: threading.Barrier = start) -> Key | Spent:
            start.wait()
            return enrol(stores[at], made, Enrolment(str(made.agent), bytes([at]) * 32), 50)

        with ThreadPoolExecutor(racers) as pool:
            came = list(pool.map(race, range(racers)))
        (won,) = (one for one in came if isinstance(one, Key))
        assert came.count(Spent.USED) == racers - 1
        assert get_key(store, str(made.agent)) == won
    assert len(audit.entries(store)) == rounds
    for one in stores:
        one.close()


def test_one_agents_two_tries_at_once_are_one(store: Store, url: str) -> None:
    made, start, other = token(store), threading.Barrier(2), open_store(url)

    def again(of: Store) -> Key | Spent:
        start.wait()
        return enrol(of, made, Enrolment("lb", ONE), 50)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(again, (store, other))
    other.close()
    assert first == second == get_key(store, "lb")
    assert len(audit.entries(store)) == 1


@pytest.mark.parametrize("had", [False, True], ids=["its first key", "another key before"])
def test_a_token_that_is_revoked_while_it_brings_a_key_in_takes_that_key_along(
    store: Store, url: str, had: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if had:
        enrol(store, token(store, "a0"), Enrolment("lb", OTHER), 50)
    made, other, put = token(store), open_store(url), keys._put
    used, revoking = threading.Event(), threading.Event()

    def slowly(*given: Any) -> None:
        used.set()
        assert revoking.wait(5)
        time.sleep(0.3)  # the revocation is at the database by now
        put(*given)

    def revoke() -> int:
        assert used.wait(5)
        revoking.set()
        return revoke_agent(other, "lb", 60)

    monkeypatch.setattr(keys, "_put", slowly)
    with ThreadPoolExecutor(2) as pool:
        came, revoked = pool.submit(enrol, store, made, Enrolment("lb", ONE), 50), pool.submit(revoke)
        assert isinstance(came.result(), Key)
        assert revoked.result() == (3 if had else 2)
    other.close()
    assert good_keys(store) == {}


def test_tokens_of_an_older_database_enrol_once_and_peoples_stay(url: str) -> None:
    older, made = connect(url), schema.config()
    with older.begin() as connection:
        made.attributes["connection"] = connection
        command.upgrade(made, "0005")
        for name, role, agent in (("a1", "agent", "lb"), ("b2", "viewer", None)):
            values = {"id": name, "hash": f"{name:f>64}", "role": role, "agent": agent, "zone": agent and "front"}
            columns = [sa.column(one) for one in (*values, "created_ns")]
            connection.execute(sa.insert(sa.table("tokens", *columns)).values(created_ns=1, **values))
    older.close()
    schema.upgrade(url)
    store = open_store(url)
    old, viewer = list_tokens(store)
    assert (old.expires_ns, old.used_ns, viewer.role, viewer.revoked_ns) == (None, None, "viewer", None)
    assert isinstance(enrol(store, old, Enrolment("lb", ONE)), Key), "however old it is"
    assert enrol(store, old, Enrolment("lb", OTHER)) is Spent.USED
    with store.begin() as connection:
        made = schema.config()
        made.attributes["connection"] = connection
        command.downgrade(made, "0005")
        assert "keys" not in sa.inspect(connection).get_table_names()
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.tokens)).scalar_one() == 2
    store.close()
