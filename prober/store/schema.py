"""Revisions of the schema: which one a database is at, the way to head, and the refusal of anything else."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from prober.errors import CannotMeasure
from prober.store import engine, tables
from prober.store.engine import Store
from prober.store.url import shown


def scripts() -> Path:
    """The folder of the migrations: in the package where it was installed, beside it in a checkout."""
    packaged = Path(__file__).parent / "migrations"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "migrations"


def config() -> Config:
    """Alembic's configuration, without an ``alembic.ini``."""
    made = Config()
    made.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    return made


def head() -> str:
    """The revision this version of prober works with."""
    found = ScriptDirectory.from_config(config()).get_current_head()
    if found is None:
        raise CannotMeasure(f"{scripts()} holds no migrations; install prober again")
    return found


def current(url: str) -> str | None:
    """The revision the database at `url` is at; None for one that has no schema. Raises as `engine.open_store`."""
    store = engine.connect(url)
    try:
        return _current(store)
    finally:
        store.close()


def _current(store: Store) -> str | None:
    with store.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(url: str) -> str:
    """Brings the database at `url` to `head`, all of it or nothing, and returns the revision.

    Two at once are safe: the second waits and finds nothing to do. Raises as `engine.open_store`.
    """
    store = engine.connect(url)
    try:
        _refuse_unknown(store, _current(store))
        with store.begin() as connection:
            store.patient(connection)
            store.alone(connection, tables.fleet)
            made = config()
            made.attributes["connection"] = connection
            command.upgrade(made, "head")
    finally:
        store.close()
    return head()


def require_head(store: Store, url: str) -> None:
    """Raises CannotMeasure, with the cure, for a database whose schema is not this version's."""
    found = _current(store)
    _refuse_unknown(store, found)
    if found != head():
        state = "has no tables yet" if found is None else f"is at revision {found}, this prober needs {head()}"
        raise CannotMeasure(f"the database {state}; run: prober db upgrade --database '{shown(url)}'")


def _refuse_unknown(store: Store, revision: str | None) -> None:
    known = {one.revision for one in ScriptDirectory.from_config(config()).walk_revisions()}
    if revision is not None and revision not in known:
        raise CannotMeasure(
            f"{store.name} is at revision {revision}, unknown to this prober; use the newer one that upgraded it"
        )
