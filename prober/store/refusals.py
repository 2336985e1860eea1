"""What the database says no with, as the sentence that the operator reads."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from sqlalchemy import exc

from prober.errors import StoreFull, StoreUnavailable, Unstorable
from prober.store.dialects import BUSY_SECONDS

FULL = ("53100", sqlite3.SQLITE_FULL, errno.ENOSPC)
"""PostgreSQL's ``disk_full`` (appendix A of its manual) and SQLite's ``SQLITE_FULL``."""
CLOSED = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM)
"""SQLite's primary codes (the low byte, rescode.html) of a file that this user can't open or can't write."""


@contextmanager
def translated(name: str) -> Iterator[None]:
    """What the database `name` says no with becomes StoreUnavailable, StoreFull or Unstorable."""
    try:
        yield
    except exc.DBAPIError as error:
        _refuse(name, error.orig or error)
    except exc.TimeoutError as error:
        raise StoreUnavailable(f"{name}: every connection is busy for {BUSY_SECONDS} s; try again") from error


def _refuse(name: str, error: BaseException) -> NoReturn:
    if isinstance(error, (TypeError, ValueError, OverflowError)):
        raise error
    code = getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorcode", None)
    said = " ".join(str(error).split()) or type(error).__name__
    if code in FULL:
        raise StoreFull(f"{name}: no room left to store anything ({said}); free some, nothing acknowledged is lost")
    if isinstance(code, int) and code & 0xFF in CLOSED:
        raise StoreUnavailable(
            f"{name}: {said}; this user must be able to write to that file and its folder"
        ) from error
    if any(kind.__name__ == "DataError" for kind in type(error).__mro__):  # PEP 249: the value's fault
        raise Unstorable(f"{name}: {said}") from error
    raise StoreUnavailable(f"{name}: {said}") from error
