"""The matrix as it was at a moment: the last one kept at or before it."""

from __future__ import annotations

import pytest

from prober.store.engine import Store
from prober.store.snapshots import keep_snapshot, prune_snapshots, snapshot_at


@pytest.mark.parametrize(
    ("asked", "found"),
    [(99, None), (100, (100, b"first")), (150, (100, b"first")), (200, (200, b"second")), (10**18, (200, b"second"))],
)
def test_the_last_one_at_or_before_is_found(store: Store, asked: int, found: tuple[int, bytes] | None) -> None:
    keep_snapshot(store, 200, b"second")
    keep_snapshot(store, 100, b"first")
    assert snapshot_at(store, asked) == found


def test_the_first_of_a_moment_stays(store: Store) -> None:
    keep_snapshot(store, 100, b"first")
    keep_snapshot(store, 100, b"another controller's")
    assert snapshot_at(store, 100) == (100, b"first")


def test_what_is_old_goes(store: Store) -> None:
    for at in (100, 200, 300):
        keep_snapshot(store, at, b"x")
    assert prune_snapshots(store, 200) == 1
    assert snapshot_at(store, 150) is None
