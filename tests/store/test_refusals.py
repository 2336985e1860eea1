"""What the database says no with, and the sentence each refusal reads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from prober.errors import StoreFull, StoreUnavailable
from prober.store import reports, schema
from prober.store.engine import connect, open_store


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    file = tmp_path / "prober.sqlite"
    file.write_bytes(b"not a database at all, only text" * 100)
    with pytest.raises(StoreUnavailable, match="file is not a database"):
        open_store(f"sqlite:///{file}")


def test_a_file_that_this_user_may_not_open_says_what_would_be_right(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreUnavailable, match="unable to open .* must be able to write to that file and its folder"):
        schema.upgrade(f"sqlite:///{tmp_path / 'folder'}")


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
