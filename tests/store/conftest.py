"""A store of each kind, made by the migrations: SQLite in a file, and PostgreSQL in a throw-away cluster."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.fleet import postgres
from prober.store import schema
from prober.store.engine import Store, open_store


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """An SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path}/prober.sqlite"


@pytest.fixture
def postgresql_url(cluster: str) -> str:
    """An empty PostgreSQL database."""
    return postgres.database(cluster)


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
