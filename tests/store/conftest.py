"""A store of each kind, made by the migrations: SQLite in a file, and PostgreSQL in a throw-away cluster."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from prober.errors import StoreUnavailable
from prober.store import schema
from prober.store.engine import Store, connect, open_store

SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
_databases = count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The folder of a PostgreSQL server's Unix socket; it vanishes with the session. User postgres, no password."""
    if not SERVERS:
        pytest.skip("no PostgreSQL server: apt-get install postgresql-15")
    folder = tempfile.mkdtemp(prefix="prober-pg-")
    user = "postgres" if os.getuid() == 0 else None  # the server refuses to run as root
    if user:
        shutil.chown(folder, user)
    try:
        subprocess.run(
            [SERVERS[-1].with_name("initdb"), "-D", f"{folder}/data", "-A", "trust", "-U", "postgres", "--no-sync"],
            user=user, check=True, stdout=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip
        options = ["listen_addresses=", f"unix_socket_directories={folder}", "fsync=off", "max_connections=50"]
        server = subprocess.Popen(
            [SERVERS[-1], "-D", f"{folder}/data", *(word for option in options for word in ("-c", option))],
            user=user, stderr=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip
        try:
            _wait(f"postgresql://postgres@/postgres?host={folder}")
            yield folder
        finally:
            server.terminate()
            server.wait(20)
    finally:
        shutil.rmtree(folder)


def _wait(url: str) -> None:
    for _ in range(200):
        try:
            schema.current(url)
        except StoreUnavailable:
            time.sleep(0.05)
        else:
            return
    pytest.fail("the PostgreSQL server did not start within 10 s")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path}/prober.sqlite"


@pytest.fixture
def postgresql_url(cluster: str) -> str:
    """An empty PostgreSQL database."""
    name = f"prober_{next(_databases)}"
    server = connect(f"postgresql://postgres@/postgres?host={cluster}")
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    server.close()
    return f"postgresql://postgres@/{name}?host={cluster}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database of either kind."""
    chosen: str = request.getfixturevalue(f"{request.param}_url")
    return chosen


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """A store at head, of either kind."""
    schema.upgrade(url)
    opened = open_store(url)
    yield opened
    opened.close()
