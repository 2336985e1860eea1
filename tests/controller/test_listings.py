"""What the store holds, newest first, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from prober.controller import listings
from prober.flip import Flip
from prober.store import audit, flips, runs
from prober.store.engine import Store, open_store
from prober.store.schema import upgrade


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'prober.sqlite'}"
    upgrade(url)
    one = open_store(url)
    yield one
    one.close()


def test_a_run_that_nobody_runs_any_more_reads_as_cancelled(store: Store) -> None:
    request = {"from": ["firewall"], "to": [], "flows": None}
    runs.create_run(store, runs.Run("r1", "running", "me", 5, request=request))
    assert listings.runs(store, None, 10, ())["runs"][0]["state"] == "cancelled"
    assert listings.runs(store, None, 10, ("r1",))["runs"][0]["state"] == "running"


def test_a_page_ends_where_the_next_begins_and_the_last_has_no_cursor(store: Store) -> None:
    for at in (10.0, 20.5, 30.0):
        flips.add_flips(store, [Flip(at, "lb", "vm", None, "local", "…")])
        audit.note(store, int(at * 1e9), "me", f"deed {at:g}")
    first = listings.flips(store, None, 2)
    assert [one["at"] for one in first["flips"]] == ["1970-01-01T00:00:30.000Z", "1970-01-01T00:00:20.500Z"]
    rest = listings.flips(store, first["cursor"], 2)
    assert ([one["at"] for one in rest["flips"]], rest["cursor"]) == (["1970-01-01T00:00:10.000Z"], None)
    deeds = listings.deeds(store, None, 1)
    assert deeds["audit"][0]["what"] == "deed 30"
    assert [one["what"] for one in listings.deeds(store, deeds["cursor"], 9)["audit"]] == ["deed 20.5", "deed 10"]
