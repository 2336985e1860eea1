"""The schema is what the migrations build."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from alembic import command

from prober.errors import CannotMeasure
from prober.store import schema
from prober.store.engine import Store, connect, open_store


def test_upgrade_brings_an_empty_database_to_head_and_again_changes_nothing(url: str) -> None:
    assert schema.current(url) is None
    assert schema.upgrade(url) == schema.head()
    assert schema.current(url) == schema.head()
    assert schema.upgrade(url) == schema.head()


def test_alembic_finds_no_difference_between_the_tables_and_the_migrations(store: Store) -> None:
    made = schema.config()
    with store.begin() as connection:
        made.attributes["connection"] = connection
        command.check(made)


def test_the_way_down_leaves_no_table(url: str) -> None:
    schema.upgrade(url)
    store, made = connect(url), schema.config()
    with store.begin() as connection:
        made.attributes["connection"] = connection
        command.downgrade(made, "base")
        assert sa.inspect(connection).get_table_names() == ["alembic_version"]
    store.close()


def test_two_upgrades_at_once_both_succeed(url: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(schema.upgrade, [url, url])) == [schema.head()] * 2


@pytest.mark.parametrize("step", [open_store, schema.upgrade])
def test_a_revision_from_a_newer_prober_is_refused(url: str, step: object) -> None:
    schema.upgrade(url)
    store = connect(url)
    with store.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    store.close()
    assert callable(step)
    with pytest.raises(CannotMeasure, match="at revision 9999, unknown to this prober; use the newer one"):
        step(url)


def test_a_revision_behind_head_is_refused_with_the_cure(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    schema.upgrade(url)
    here = schema.head()
    monkeypatch.setattr(schema, "head", lambda: "0099")
    with pytest.raises(CannotMeasure, match=rf"is at revision {here}, this prober needs 0099; run: prober db upgrade"):
        open_store(url)
