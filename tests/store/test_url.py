"""The URL of a database: what may stand there, and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from prober.errors import ConfigInvalid
from prober.store.engine import open_store
from prober.store.url import is_absent, parse_url, shown


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "--database is no database URL; write sqlite:///PATH or postgresql://USER@HOST/NAME"),
        ("prober.sqlite", "--database is no database URL; write sqlite:///PATH or postgresql://USER@HOST/NAME"),
        (
            "mysql://localhost/prober",
            "--database names 'mysql', which prober does not speak; write sqlite:///PATH or postgresql://USER@HOST/NAME",
        ),
        ("sqlite://", "--database is an SQLite database in memory, which forgets; write sqlite:///PATH"),
        ("sqlite:///:memory:", "--database is an SQLite database in memory, which forgets; write sqlite:///PATH"),
    ],
)
def test_a_bad_url_says_what_would_be_right(url: str, said: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        open_store(url)
    assert str(refused.value) == said


def test_every_way_to_write_postgresql_means_psycopg() -> None:
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        assert parse_url(f"{scheme}://u@h/n").drivername == "postgresql+psycopg"


def test_a_url_is_shown_without_its_password() -> None:
    assert shown("postgresql://me:secret@db/prober") == "postgresql://me:***@db/prober"


def test_an_sqlite_file_that_is_not_there_yet_is_absent_and_a_server_never_is(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'prober.sqlite'}"
    assert is_absent(url) and not is_absent("postgresql://me@db/prober")
    (tmp_path / "prober.sqlite").touch()
    assert not is_absent(url)
