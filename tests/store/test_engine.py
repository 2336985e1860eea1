"""The door: what it opens, what it refuses, and the sentence each refusal reads."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from prober.errors import CannotMeasure, ConfigInvalid, StoreFull, StoreUnavailable
from prober.store import engine, reports, schema, tables
from prober.store.engine import Many, Store, connect, open_store, parse_url


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "--database is no database URL; write sqlite:///PATH or postgresql://USER@HOST/NAME"),
        ("prober.sqlite", "--database is no database URL; write sqlite:///PATH or postgresql://USER@HOST/NAME"),
        (
            "mysql://localhost/prober",
            "--database names 'mysql', which prober does not speak; write sqlite:///PATH or postgresql://USER@HOST/NAME",
        ),
        ("sqlite://", "--database is an SQLite database in memory, which forgets; write sqlite:///PATH"),
        ("sqlite:///:memory:", "--database is an SQLite database in memory, which forgets; write sqlite:///PATH"),
    ],
)
def test_a_bad_url_says_what_would_be_right(url: str, said: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        open_store(url)
    assert str(refused.value) == said


def test_every_way_to_write_postgresql_means_psycopg() -> None:
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        assert parse_url(f"{scheme}://u@h/n").drivername == "postgresql+psycopg"


def test_a_database_without_tables_is_refused_with_the_cure(url: str) -> None:
    with pytest.raises(CannotMeasure, match=r"the database has no tables yet; run: prober db upgrade --database '"):
        open_store(url)


def test_folders_above_a_new_database_are_made_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "prober.sqlite"
    schema.upgrade(f"sqlite:///{file}")
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match=f"{tmp_path}/file: .*; name a file that can be made"):
        open_store(f"sqlite:///{tmp_path}/file/prober.sqlite")


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    file = tmp_path / "prober.sqlite"
    file.write_bytes(b"not a database at all, only text" * 100)
    with pytest.raises(StoreUnavailable, match="file is not a database"):
        open_store(f"sqlite:///{file}")


def test_what_a_commit_acknowledges_is_synced(sqlite_url: str) -> None:
    store = connect(sqlite_url)
    with store.read() as connection:
        asked = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in (
            "journal_mode", "synchronous", "foreign_keys", "busy_timeout",
        )}  # fmt: skip
    assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10000}


def test_a_transaction_that_raises_leaves_nothing(store: Store) -> None:
    def half_way() -> None:
        with store.begin() as connection:
            connection.execute(sa.text("INSERT INTO fleet (key, value) VALUES ('current', 'x')"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_way()
    with store.read() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM fleet")).scalar() == 0


def test_a_full_disk_says_so_and_reading_goes_on(sqlite_url: str) -> None:
    schema.upgrade(sqlite_url)
    store = open_store(sqlite_url)
    assert reports.take(store, "lb", 1, 1, 1, b"kept")
    with store.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")  # of this pooled connection: the disk's end
    with pytest.raises(StoreFull, match="no room left to store anything"):
        reports.take(store, "lb", 1, 2, 2, os.urandom(100_000))
    assert [row.body for row in reports.recent_reports(store, 0)] == [b"kept"]
    with store.read() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 100000")
    assert reports.take(store, "lb", 1, 2, 2, b"room again")


def test_postgresql_without_room_says_so(postgresql_url: str) -> None:
    store = connect(postgresql_url)
    with pytest.raises(StoreFull), store.begin() as connection:
        connection.execute(sa.text("DO $$ BEGIN RAISE EXCEPTION 'disk' USING ERRCODE = '53100'; END $$"))


def test_no_server_is_a_sentence_without_the_password(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable) as refused:
        open_store(f"postgresql://me:secret@/prober?host={tmp_path}")
    assert "secret" not in str(refused.value)
    assert "No such file" in str(refused.value)


def test_a_connection_that_the_server_cut_is_made_again(postgresql_url: str) -> None:
    schema.upgrade(postgresql_url)
    store, other = open_store(postgresql_url), connect(postgresql_url)
    with other.begin() as connection:
        connection.execute(
            sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        )
    assert reports.take(store, "lb", 1, 1, 1, b"after the cut")


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
