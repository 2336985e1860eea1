"""A PostgreSQL server for one trial: a private folder, a Unix socket in it, nothing left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from prober.errors import StoreUnavailable
from prober.store import schema
from prober.store.engine import connect

SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
_databases = count(1)


@contextmanager
def cluster(*options: str) -> Iterator[str]:
    """The folder of a server's socket; user postgres, no password. `options` as in postgresql.conf."""
    folder = tempfile.mkdtemp(prefix="prober-pg-")
    user = "postgres" if os.getuid() == 0 else None  # the server refuses to run as root
    if user:
        shutil.chown(folder, user)
    try:
        subprocess.run(
            [SERVERS[-1].with_name("initdb"), "-D", f"{folder}/data", "-A", "trust", "-U", "postgres", "--no-sync"],
            user=user, check=True, stdout=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip
        told = ["listen_addresses=", f"unix_socket_directories={folder}", "max_connections=50", *options]
        server = subprocess.Popen(
            [SERVERS[-1], "-D", f"{folder}/data", *(word for option in told for word in ("-c", option))],
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
    raise StoreUnavailable("the PostgreSQL server did not start within 10 s")


def database(folder: str) -> str:
    """The URL of a new, empty database."""
    name = f"prober_{next(_databases)}"
    server = connect(f"postgresql://postgres@/postgres?host={folder}")
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    server.close()
    return f"postgresql://postgres@/{name}?host={folder}"


@contextmanager
def closed(url: str) -> Iterator[None]:
    """This database of a `cluster` takes no connection meanwhile, and those that there were have ended."""
    name, _, host = url.partition("@/")[2].partition("?host=")

    def told(*statements: str) -> None:
        server = connect(f"postgresql://postgres@/postgres?host={host}")
        with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        server.close()

    told(
        f"ALTER DATABASE {name} ALLOW_CONNECTIONS false",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",  # noqa: S608  # our own name
    )
    try:
        yield
    finally:
        told(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
