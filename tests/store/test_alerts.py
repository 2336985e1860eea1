"""Alerts, and who is still to be told of them."""

from __future__ import annotations

from prober.store.alerts import Row, keep, prune, since, told, waiting
from prober.store.engine import Store


def row(name: str, opened_ns: int, closed_ns: int | None = None, revision: int = 1) -> Row:
    return Row(name, opened_ns, closed_ns, revision, b"\x00\x01")


def ids(rows: list[Row]) -> list[str]:
    return [one.id for one in rows]


def test_what_nobody_was_told_waits_for_each_the_oldest_first(store: Store) -> None:
    keep(store, [row("b", 2), row("a", 1)])
    told(store, "hook", [("a", 1)])
    assert ids(waiting(store, "hook", 0, 10)) == ["b"]
    assert ids(waiting(store, "other", 0, 10)) == ["a", "b"]
    assert ids(waiting(store, "other", 0, 1)) == ["a"]


def test_news_of_what_was_told_waits_again_however_old(store: Store) -> None:
    keep(store, [row("a", 1)])
    told(store, "hook", [("a", 1)])
    keep(store, [row("a", 1, 5, revision=2)])
    assert waiting(store, "hook", 1000, 10) == [row("a", 1, 5, revision=2)]
    told(store, "hook", [("a", 2)])
    assert waiting(store, "hook", 1000, 10) == []


def test_what_was_over_long_before_a_receiver_is_no_news_to_it(store: Store) -> None:
    keep(store, [row("a", 1, 5), row("b", 1, 2000)])
    assert ids(waiting(store, "hook", 1000, 10)) == ["b"]


def test_those_that_were_open_of_late(store: Store) -> None:
    keep(store, [row("a", 1, 5), row("b", 2, 2000), row("c", 3)])
    assert ids(since(store, 1000)) == ["b", "c"]


def test_what_is_forgotten_takes_along_who_was_told(store: Store) -> None:
    keep(store, [row("a", 1, 5), row("b", 2)])
    told(store, "hook", [("a", 1), ("b", 1)])
    far = 2**62
    assert prune(store, far) == 1
    assert ids(since(store, 0)) == ["b"]
    assert waiting(store, "hook", 0, 10) == [], "that b was told is not forgotten, however long it lasts"
    keep(store, [row("a", 1)])
    assert ids(waiting(store, "hook", 0, 10)) == ["a"]
