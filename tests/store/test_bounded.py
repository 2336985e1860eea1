"""A PostgreSQL that is connected and says nothing: how long it is waited for, and what comes after."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
import sqlalchemy as sa

from prober.errors import StoreUnavailable
from prober.store import bounded, notices, reports, schema
from prober.store.engine import Store, open_store
from tests.hanging import Hanging, hanging


@pytest.fixture
def between(postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hanging]:
    schema.upgrade(postgresql_url)
    monkeypatch.setattr(bounded, "READS", 0.4)
    monkeypatch.setattr(bounded, "WRITES", 0.8)
    with hanging(postgresql_url) as one:
        yield one


@pytest.mark.parametrize(("opened", "lasts"), [(Store.read, 0.4), (Store.begin, 0.8)], ids=["read", "write"])
def test_who_reads_and_who_writes_is_not_kept_waiting_for_ever(
    between: Hanging, opened: Callable[[Store], AbstractContextManager[sa.Connection]], lasts: float
) -> None:
    store = open_store(between.url)
    assert reports.take(store, "lb", 1, 1, 1, b"before")
    began = time.monotonic()

    def hang() -> None:
        with opened(store) as connection:
            between.flows.clear()
            connection.execute(sa.text("SELECT 1"))

    with pytest.raises(StoreUnavailable, match=f"the server has not answered for {lasts} s"):
        hang()
    assert lasts <= time.monotonic() - began < lasts + 2.0
    between.flows.set()
    assert reports.take(store, "lb", 1, 2, 2, b"after")
    assert [row.body for row in reports.recent_reports(store, 0)] == [b"before", b"after"]
    store.close()


def test_a_migration_may_take_as_long_as_it_takes(between: Hanging) -> None:
    store = open_store(between.url)
    with store.begin() as connection:
        store.patient(connection)
        connection.execute(sa.text("SELECT pg_sleep(1.5)"))
    with pytest.raises(StoreUnavailable), store.begin() as connection:
        connection.execute(sa.text("SELECT pg_sleep(1.5)"))
    store.close()


def test_who_listens_waits_for_words_as_long_as_none_comes(between: Hanging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "LOOK", 0.1)
    store, heard, stop = open_store(between.url), list[str](), threading.Event()
    listener = threading.Thread(target=notices.listen, args=(store, heard.append, stop))
    listener.start()
    time.sleep(1.5)
    stop.set()
    listener.join()
    assert heard == [notices.ALL], "its connection stood all the time"
    store.close()
