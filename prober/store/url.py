"""The URL of a database as operators write it: what may stand there, and how people may read it again."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc

from prober.errors import ConfigInvalid

DRIVERS = {
    "sqlite": "sqlite+pysqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


def parse_url(url: str) -> sa.URL:
    """`url` with the driver prober uses. Raises ConfigInvalid with what would be right."""
    right = "write sqlite:///PATH or postgresql://USER@HOST/NAME"
    try:
        parsed = sa.make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        raise ConfigInvalid(f"--database is no database URL; {right}") from error
    if parsed.drivername not in DRIVERS:
        raise ConfigInvalid(f"--database names {parsed.drivername!r}, which prober does not speak; {right}")
    if parsed.drivername == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise ConfigInvalid("--database is an SQLite database in memory, which forgets; write sqlite:///PATH")
    return parsed.set(drivername=DRIVERS[parsed.drivername])


def shown(url: str) -> str:
    """A good `url` as people may read it: the password masked."""
    return sa.make_url(url).render_as_string(hide_password=True)


def is_absent(url: str) -> bool:
    """Whether `url` names an SQLite file that is not there yet. Raises ConfigInvalid for a URL that is none."""
    parsed = parse_url(url)
    return parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists()
