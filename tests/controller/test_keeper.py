"""What outlives the process: a turn, a run, as the store keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from prober.controller import keeper
from prober.store import runs
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
    assert keeper.stored_run(store, "r1")["state"] == "cancelled"
    with pytest.raises(KeyError):
        keeper.stored_run(store, "r2")
