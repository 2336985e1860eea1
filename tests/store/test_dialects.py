"""How each database is opened, and what its connections are told."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from prober.errors import StoreUnavailable
from prober.store import reports, schema
from prober.store.engine import connect, open_store


def test_folders_above_a_new_database_are_made_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "a" / "b" / "prober.sqlite"
    schema.upgrade(f"sqlite:///{file}")
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match=f"{tmp_path}/file: .*; name a file that can be made"):
        open_store(f"sqlite:///{tmp_path}/file/prober.sqlite")


def test_what_a_commit_acknowledges_is_synced(sqlite_url: str) -> None:
    store = connect(sqlite_url)
    with store.read() as connection:
        asked = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in (
            "journal_mode", "synchronous", "foreign_keys", "busy_timeout",
        )}  # fmt: skip
    assert asked == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10000}


def test_a_connection_that_the_server_cut_is_made_again(postgresql_url: str) -> None:
    schema.upgrade(postgresql_url)
    store, other = open_store(postgresql_url), connect(postgresql_url)
    with other.begin() as connection:
        connection.execute(
            sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        )
    assert reports.take(store, "lb", 1, 1, 1, b"after the cut")
