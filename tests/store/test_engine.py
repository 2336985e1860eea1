"""The door: what it opens, and how its transactions stand beside each other."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from prober.errors import CannotMeasure, StoreUnavailable, Unstorable
from prober.store import engine, reports, schema, tables
from prober.store.engine import Many, Store, connect, open_store


def test_a_database_without_tables_is_refused_with_the_cure(url: str) -> None:
    with pytest.raises(CannotMeasure, match=r"the database has no tables yet; run: prober db upgrade --database '"):
        open_store(url)


def test_a_transaction_that_raises_leaves_nothing(store: Store) -> None:
    def half_way() -> None:
        with store.begin() as connection:
            connection.execute(sa.text("INSERT INTO fleet (key, value) VALUES ('current', 'x')"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_way()
    with store.read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM fleet")).scalar() == 0


def test_a_second_writer_waits_for_the_first(store: Store) -> None:
    with store.begin() as connection:
        connection.execute(sa.text("INSERT INTO fleet (key, value) VALUES ('current', 'x')"))
        assert list(reports.recent_reports(store, 0)) == []  # a reader never waits
    assert reports.take(store, "lb", 1, 1, 1, b"")


INTO = "INSERT INTO reports (agent, epoch, sequence, received_ns, body) "
ARRAYS = "%b::text[], %b::bigint[], %b::bigint[], %b::bigint[], %b::bytea[]"
MANY = Many(5, f"{INTO} VALUES {{}}", f"{INTO} SELECT * FROM unnest({ARRAYS})")


def test_rows_are_put_all_or_none_and_a_clash_is_a_sentence(store: Store) -> None:
    rows = [("lb", 1, 1, 5, b"\x00\t\\N\n"), ("tab\tand \\N", 1, 1, 5, b"")]
    with store.begin() as connection:
        assert store.put(connection, MANY, rows) == 2
    with pytest.raises(StoreUnavailable, match=r"(?i)unique|duplicate"), store.begin() as connection:
        store.put(connection, MANY, [("vm", 1, 1, 5, b""), rows[0]])
    with store.read() as connection:
        assert [
            tuple(row) for row in connection.execute(sa.select(tables.reports).order_by(tables.reports.c.agent))
        ] == rows


def test_what_is_old_goes_a_part_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "FORGET", 10)
    reports.take_many(store, [("lb", epoch, 1, epoch, b"x") for epoch in range(1, 36)])
    table = tables.reports
    assert store.forget(table, table.c.received_ns <= 25) == 25
    assert store.forget(table, table.c.received_ns <= 25) == 0
    assert [row.epoch for row in reports.recent_reports(store, 0)] == list(range(26, 36))


def test_what_is_behind_a_gap_is_emptied_a_part_at_a_time(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "FORGET", 10)
    begun, begin = list[bool](), Store.begin
    reports.take_many(store, [("lb", 1, sequence, sequence, b"x") for sequence in range(2, 37)])
    monkeypatch.setattr(Store, "begin", lambda one: begun.append(True) or begin(one))  # type: ignore[func-returns-value]
    reports.prune(store, 26)
    assert [row.sequence for row in reports.recent_reports(store, 0) if row.body] == list(range(26, 37))
    assert len(begun) == 5, "the mark, nothing that goes, and three parts"


def test_writers_of_one_process_wait_for_each_other_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/prober.sqlite"
    schema.upgrade(url)
    opened, waited = open_store(url), list[float]()

    def write() -> None:
        began = time.monotonic()
        with opened.begin():
            waited.append(time.monotonic() - began)

    with opened.begin():
        other = threading.Thread(target=write)
        other.start()
        time.sleep(0.15)  # by now SQLite's own wait would sleep for 25 ms and more between two looks
        assert waited == []
    other.join()
    assert 0.1 < waited[0] < 1.0
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.01)
    with opened.begin(), pytest.raises(StoreUnavailable, match="another write takes longer than 0.01 s; try again"):
        opened.fenced(1).begin().__enter__()
    opened.close()


def test_a_value_that_fits_no_column_is_not_the_stores_fault(postgresql_url: str) -> None:
    schema.upgrade(postgresql_url)
    store = connect(postgresql_url)
    for row in (("lb", 2**63, 1, 1, b""), ("l\0b", 1, 1, 1, b"")):
        with pytest.raises(Unstorable), store.begin() as connection:
            connection.execute(sa.insert(tables.reports), dict(zip(tables.reports.c.keys(), row, strict=True)))
        with pytest.raises(Unstorable), store.begin() as connection:
            store.put(connection, MANY, [row])
    store.close()
