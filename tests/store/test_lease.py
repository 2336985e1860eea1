"""One controller has the lease; whoever had it before can write nothing more behind its fence."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event, Thread

import pytest

from prober.errors import Deposed
from prober.store import flips, lease, notices, schema
from prober.store.engine import Store, open_store
from prober.store.flips import list_flips


@pytest.fixture
def several(postgresql_url: str) -> Iterator[Store]:
    schema.upgrade(postgresql_url)
    store = open_store(postgresql_url)
    yield store
    store.close()


def test_one_has_it_until_it_runs_out_by_the_databases_clock(several: Store) -> None:
    assert lease.hold(several, "a", None, 1.5) == 1
    assert lease.hold(several, "b", None, 9.0) is None
    assert lease.hold(several, "a", 1, 1.5) == 1
    time.sleep(1.6)
    assert lease.hold(several, "b", None, 9.0) == 2
    assert lease.hold(several, "a", 1, 9.0) is None
    assert lease.holder(several) == (2, "b")


def test_who_let_it_run_out_keeps_it_where_nobody_took_it(several: Store) -> None:
    assert [lease.hold(several, "a", token, 0.0) for token in (None, 1)] == [1, 1]


def test_a_lease_that_is_given_back_is_free_at_once(several: Store) -> None:
    lease.hold(several, "a", None, 9.0)
    lease.release(several, 7)
    assert lease.hold(several, "b", None, 9.0) is None
    lease.release(several, 1)
    assert lease.hold(several, "b", None, 9.0) == 2


def test_sqlite_is_whoevers_started_last_and_stays_so(sqlite_url: str) -> None:
    schema.upgrade(sqlite_url)
    store = open_store(sqlite_url)
    assert lease.hold(store, "a", None, 9.0) == 1
    assert lease.hold(store, "b", None, 9.0) == 2
    assert lease.hold(store, "a", 1, 9.0) is None
    assert lease.hold(store, "b", 2, 9.0) == 2
    store.close()


def test_a_deposed_holder_writes_nothing(store: Store) -> None:
    token = lease.hold(store, "a", None, 0.0)
    assert token is not None
    flip = flips.Flip(1.0, "lb", "pod", None, "local", "…")
    flips.add_flips(store.fenced(token), [flip])
    lease.hold(store, "b", None, 9.0)
    with pytest.raises(Deposed):
        flips.add_flips(store.fenced(token), [flip])
    assert len(list_flips(store)) == 1


def test_nobody_takes_the_lease_between_a_fence_and_its_commit(several: Store) -> None:
    token = lease.hold(several, "a", None, 0.0)
    assert token is not None
    taken: list[float] = []
    thread = Thread(target=lambda: taken.append(lease.hold(several, "b", None, 9.0) and time.monotonic()))
    with several.fenced(token).begin():
        thread.start()
        time.sleep(0.3)
        assert not taken
        committed = time.monotonic()
    thread.join(5)
    assert taken[0] > committed


def test_a_word_is_heard_with_its_commit_and_not_without(several: Store) -> None:
    heard, stop = list[str](), Event()
    thread = Thread(target=notices.listen, args=(several, heard.append, stop))
    thread.start()
    _until(lambda: heard == [notices.ALL])
    with several.engine.connect() as connection:
        several.tell(connection, "nothing")
        connection.rollback()
    with several.begin() as connection:
        several.tell(connection, f"own#{several.origin}")
        several.tell(connection, "another's#0")
        several.tell(connection, "runs")
    _until(lambda: heard == [notices.ALL, "another's", "runs"])
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def _until(true: object) -> None:
    deadline = time.monotonic() + 5
    assert callable(true)
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
