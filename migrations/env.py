"""What Alembic runs: over the connection prober hands in, or, for development, ``alembic -x url=sqlite:///PATH …``."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context

from prober.errors import ConfigInvalid
from prober.store import engine, tables


def migrate(connection: sa.Connection) -> None:
    """``render_as_batch``: SQLite can't alter a column, so a table is copied."""
    context.configure(connection=connection, target_metadata=tables.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


def main() -> None:
    """Alembic imports this file to run it."""
    given = context.config.attributes.get("connection")
    if given is not None:
        migrate(given)
        return
    url = context.get_x_argument(as_dictionary=True).get("url")
    if not isinstance(url, str):
        raise ConfigInvalid("name the database: alembic -x url=sqlite:///PATH …")
    with engine.connect(url).begin() as connection:
        migrate(connection)


main()
