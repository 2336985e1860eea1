"""SQLite and PostgreSQL: how each is opened, and what each new connection is told.

SQLite is written by one transaction at a time (``BEGIN IMMEDIATE``), in WAL mode so that readers never wait, with
``synchronous=FULL``: what a commit acknowledged survives a power cut (https://sqlite.org/wal.html, section 3.4;
https://sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from prober.errors import ConfigInvalid, StoreUnavailable

BUSY_SECONDS = 10
"""How long a SQLite writer waits for the one before it."""
PRAGMAS = (f"busy_timeout={BUSY_SECONDS * 1000}", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
"""In this order: the second may have to wait for another process already."""

IDLE = "SET idle_in_transaction_session_timeout = '10s'"
"""A process that was stopped in the middle of a transaction must not keep the others from the lease."""


def engine_for(url: sa.URL, name: str) -> sa.Engine:
    """An engine for a URL of `parse_url`; an SQLite file is made, with the folders above it, where it is not there yet.

    `name` is what messages call the database. Raises StoreUnavailable for a file that can't be made, ConfigInvalid
    where PostgreSQL's driver is not installed.
    """
    if url.get_backend_name() != "sqlite":
        return _postgresql(url)
    _make(Path(url.database or "").absolute(), name)
    return _sqlite(url)


def _make(file: Path, name: str) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.touch(mode=0o600)  # the fleet's keys are in it
    except OSError as error:
        raise StoreUnavailable(f"{name}: {error.filename}: {error.strerror}; name a file that can be made") from error


def _postgresql(url: sa.URL) -> sa.Engine:
    try:
        from prober.store.bounded import READS, WRITES, Bounded  # psycopg is an extra
    except ModuleNotFoundError as error:
        raise ConfigInvalid("PostgreSQL needs psycopg: install it with pip install 'prober[postgres]'") from error

    def begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        raw_of(connection).patience = WRITES if writes else READS

    told = {"connect_timeout": 5}
    engine = sa.create_engine(url, pool_pre_ping=True, pool_timeout=BUSY_SECONDS, connect_args=told)
    sa.event.listen(engine, "do_connect", lambda _dialect, _record, given, named: Bounded.connect(*given, **named))
    sa.event.listen(engine, "connect", _bound)
    sa.event.listen(engine, "begin", begin)
    return engine


def raw_of(connection: sa.Connection) -> Any:
    """The driver's own connection."""
    return connection.connection.driver_connection


def _bound(raw: Any, _record: object) -> None:
    raw.execute(IDLE)
    raw.commit()


def _sqlite(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(url, pool_timeout=BUSY_SECONDS)
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _prepare(raw: Any, _record: object) -> None:
    raw.isolation_level = None  # the driver's own BEGIN is deferred and too late: `_begin` says it
    for pragma in PRAGMAS:
        _set(raw, pragma)


def _set(raw: Any, pragma: str) -> None:
    """SQLite says at once that it is busy where two make a new file a WAL one: it waits for no lock it would have to
    raise (sqlite3_busy_handler)."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            raw.execute(f"PRAGMA {pragma}").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(0.01)
        else:
            return


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
