"""Who did what, and which signatures were used."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from prober.store.audit import REMEMBERED_NS, entries, note, seen_before
from prober.store.engine import Store

NOW = 1_700_000_000_000_000_000


def test_entries_come_newest_first_by_pages(store: Store) -> None:
    numbers = [note(store, NOW + i, f"token {i}", "run", "r → ingress") for i in range(3)]
    assert [tuple(row) for row in entries(store, 1)] == [(numbers[2], NOW + 2, "token 2", "run", "r → ingress")]
    assert [row.id for row in entries(store, before_id=numbers[2])] == [numbers[1], numbers[0]]


def test_a_signature_is_good_once(store: Store) -> None:
    assert not seen_before(store, "v0=abc", NOW)
    assert seen_before(store, "v0=abc", NOW + 1)
    assert not seen_before(store, "v0=def", NOW + 1)


def test_a_signature_is_forgotten_after_ten_minutes(store: Store) -> None:
    seen_before(store, "v0=abc", NOW)
    assert seen_before(store, "v0=abc", NOW + REMEMBERED_NS)
    assert not seen_before(store, "v0=abc", NOW + REMEMBERED_NS + 1)


def test_of_many_with_one_signature_at_once_one_is_first(store: Store) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: seen_before(store, "v0=abc", NOW), range(8)))
    assert answers.count(False) == 1
