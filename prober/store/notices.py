"""What controllers on one PostgreSQL tell each other: a word that there is something new, never what (NOTIFY).

A word that was missed is no loss: whoever listens looks again now and then anyhow.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import Any

from prober.errors import StoreUnavailable
from prober.store.engine import CHANNEL, Store
from prober.store.refusals import translated

LOOK = 0.5
"""Seconds after which a listener looks whether it is to stop."""
AGAIN_AFTER = 1.0
"""Seconds before a connection that broke is made again."""
ALL = "all"
"""The word for a connection that is new: anything may have been missed."""


def listen(store: Store, heard: Callable[[str], None], stop: Event) -> None:
    """Calls `heard` with each word until `stop`; for a thread of its own. SQLite is one controller's: nobody speaks."""
    while not store.on_sqlite and not stop.is_set():
        try:
            _listen(store, heard, stop)
        except StoreUnavailable:  # whoever writes says so
            stop.wait(AGAIN_AFTER)


def _listen(store: Store, heard: Callable[[str], None], stop: Event) -> None:
    with translated(store.name), store.engine.connect() as connection:
        quick = connection.execution_options(isolation_level="AUTOCOMMIT")
        quick.exec_driver_sql(f"LISTEN {CHANNEL}")
        raw: Any = quick.connection.driver_connection
        driver: Any = quick.dialect.dbapi
        try:
            heard(ALL)
            while not stop.is_set():
                for notice in raw.notifies(timeout=LOOK):
                    word, _, origin = notice.payload.partition("#")
                    if origin != store.origin:
                        heard(word)
        except driver.Error as error:  # it goes past SQLAlchemy, so it is not wrapped yet
            raise StoreUnavailable(f"{store.name}: {error}") from error
        finally:
            connection.invalidate()  # it still listens: no one else gets it
