"""The door: `open_store` checks the schema, `Store` opens transactions and says what both databases say alike."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import postgresql, sqlite

from prober.errors import Deposed, StoreUnavailable
from prober.store.dialects import BUSY_SECONDS, engine_for, raw_of
from prober.store.refusals import translated
from prober.store.tables import lease
from prober.store.url import parse_url, shown

TOGETHER = 128
"""Rows in one of SQLite's statements: for as long as it runs this process' other threads go on (sqlite3 lets go of the
interpreter for each step), and taking it back for every row is to wait for them every time."""
FORGET = 2000
"""Rows that one transaction of `Store.in_parts` changes at most."""

CHANNEL = "prober"
"""Where controllers on one PostgreSQL tell each other that there is something new."""


class Many(NamedTuple):
    """An INSERT of many rows. SQLite's has ``{}`` in the place of rows of values, of so many ``columns``; PostgreSQL's
    has a list for each column."""

    columns: int
    sqlite: str
    postgresql: str

    def of(self, rows: int) -> str:
        """SQLite's, of so many rows."""
        return self.sqlite.format(", ".join(["(" + ", ".join("?" * self.columns) + ")"] * rows))


class Store:
    """One database. `begin` is the only way to write, `read` the only way to read.

    With a ``fence`` (a lease's token) nothing is written once another holder has the lease: see `fenced`.
    """

    def __init__(self, engine: sa.Engine, name: str, fence: int | None = None, of: Store | None = None) -> None:
        self.engine, self.name, self.fence = engine, name, fence
        self.origin: str = of.origin if of else secrets.token_hex(4)
        self._turn: threading.Lock = of._turn if of else threading.Lock()

    def fenced(self, token: int) -> Store:
        """The same database for the holder of a lease: each transaction that writes looks whether it still is."""
        return Store(self.engine, self.name, token, self)

    @property
    def on_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction that writes: committed when the block ends, rolled back when it raises.

        Raises StoreUnavailable, StoreFull or Unstorable for everything the database says no to; Deposed behind a
        fence that has fallen.
        """
        with self._in_turn(), self._connected(writes=True) as connection, connection.begin():
            if self.fence is not None:
                self._check(connection, self.fence)
            yield connection

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """SQLite has one writer, and who finds it taken sleeps up to a tenth of a second before it looks again: this
        process' own writers wait for each other instead, and none longer than it must."""
        if not self.on_sqlite:
            yield
            return
        if not self._turn.acquire(timeout=BUSY_SECONDS):
            raise StoreUnavailable(f"{self.name}: another write takes longer than {BUSY_SECONDS} s; try again")
        try:
            yield
        finally:
            self._turn.release()

    def _check(self, connection: sa.Connection, fence: int) -> None:
        """Nobody takes the lease between this and the commit: whoever would waits for the row."""
        mine = sa.select(lease.c.token).where(lease.c.token == fence).with_for_update(read=True)
        if connection.execute(mine).one_or_none() is None:
            raise Deposed("another controller keeps what follows from the reports now")

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A transaction that reads. Raises StoreUnavailable."""
        with self._connected(writes=False) as connection, connection.begin():
            yield connection

    @contextmanager
    def _connected(self, *, writes: bool) -> Iterator[sa.Connection]:
        with translated(self.name), self.engine.connect() as connection:
            yield connection.execution_options(writes=writes)

    def insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that knows ``ON CONFLICT``, which both databases speak alike."""
        return sqlite.insert(table) if self.on_sqlite else postgresql.insert(table)

    def put(self, connection: sa.Connection, many: Many, rows: Sequence[Sequence[Any]]) -> int:
        """These rows, straight through the driver. How many of them the statement took."""
        raw = raw_of(connection)
        driver: Any = connection.dialect.dbapi
        try:
            if self.on_sqlite:
                parts = (rows[at : at + TOGETHER] for at in range(0, len(rows), TOGETHER))
                return sum(raw.execute(many.of(len(one)), list(chain.from_iterable(one))).rowcount for one in parts)
            return int(raw.execute(many.postgresql, [list(column) for column in zip(*rows, strict=True)]).rowcount)
        except driver.Error as error:  # it goes past SQLAlchemy, so it is not wrapped yet
            raise exc.DBAPIError("INSERT", None, error) from error

    def alone(self, connection: sa.Connection, what: sa.Table) -> None:
        """From here to the commit no other transaction is `alone` with the same table.

        SQLite has one writer anyhow; PostgreSQL gets an advisory lock (manual, 13.3.5).
        """
        if not self.on_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"prober.{what.name}"))))

    def patient(self, connection: sa.Connection) -> None:
        """From here to the commit the server may take as long as it likes; see `prober.store.bounded`."""
        if not self.on_sqlite:
            raw_of(connection).patience = float("inf")

    def forget(self, table: sa.Table, old: sa.ColumnElement[bool]) -> int:
        """Deletes the rows that are `old`. How many went."""
        return self.in_parts(table, old, sa.delete(table))

    def in_parts(self, table: sa.Table, old: sa.ColumnElement[bool], change: sa.Delete | sa.Update) -> int:
        """Does this to the rows that are `old`, and are not any more then. How many they were.

        A part in a transaction, so that nobody waits for many.
        """
        keys, done = list(table.primary_key.columns), 0
        some = change.where(sa.tuple_(*keys).in_(sa.select(*keys).where(old).limit(FORGET)))
        while True:
            with self.begin() as connection:
                self.alone(connection, table)
                went = connection.execute(some).rowcount
            done += went
            if went < FORGET:
                return done

    def now_ns(self, connection: sa.Connection) -> int:
        """The database's clock, in Unix nanoseconds: one for all controllers. SQLite has this machine's."""
        if self.on_sqlite:
            return time.time_ns()
        asked = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000000)::bigint"
        return int(connection.exec_driver_sql(asked).scalar_one())

    def tell(self, connection: sa.Connection, what: str) -> None:
        """With the commit every controller that listens hears this word; see `prober.store.notices`. Behind a ``#``
        may stand the ``origin`` of the store that needs not hear it."""
        if not self.on_sqlite:
            connection.execute(sa.select(sa.func.pg_notify(CHANNEL, what)))

    def close(self) -> None:
        self.engine.dispose()


def open_store(url: str) -> Store:
    """The store at `url` (``sqlite:///PATH`` or ``postgresql://…``), its schema at head.

    Raises ConfigInvalid for a URL that is none, StoreUnavailable where nothing answers, and CannotMeasure with the
    cure where the schema is not this version's.
    """
    from prober.store.schema import require_head  # alembic: only this call and `upgrade` pay for its import

    store = connect(url)
    try:
        require_head(store, url)
    except BaseException:
        store.close()
        raise
    return store


def connect(url: str) -> Store:
    """The store at `url`, whatever its schema; folders above an SQLite file are made. Raises as `open_store`."""
    parsed, name = parse_url(url), shown(url)
    return Store(engine_for(parsed, name), name)
