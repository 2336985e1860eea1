"""What agents are to do goes out once, with the answer to one report, whoever gives it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from prober.store import errands, tables
from prober.store.engine import Store
from prober.store.errands import Errand


def test_an_errand_goes_out_with_one_report_and_again_with_that_one_alone(store: Store) -> None:
    errands.add(store, [Errand("lb", "r1", b"one"), Errand("lb", "r2", b"two"), Errand("vm", "r1", b"three")])
    assert errands.waiting(store) == {"lb", "vm"}
    assert errands.fetch(store, "lb", 7, 1) == ([b"one", b"two"], False)
    assert errands.fetch(store, "lb", 7, 1) == ([b"one", b"two"], False), "its answer was lost"
    assert errands.fetch(store, "lb", 7, 2) == ([], False)
    assert (errands.waiting(store), errands.fetched(store, "r1")) == ({"vm"}, {"lb"})


def test_of_two_reports_at_once_one_gets_it(store: Store) -> None:
    errands.add(store, [Errand("lb", "r1", b"one")])
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda sequence: errands.fetch(store, "lb", 7, sequence)[0], range(1, 9)))
    assert sorted(told) == [[]] * 7 + [[b"one"]]


def test_what_nobody_fetched_in_time_is_not_handed_out(store: Store) -> None:
    errands.add(store, [Errand("lb", "r1", b"one")])
    with store.begin() as connection:
        connection.execute(sa.update(tables.errands).values(made_ns=1))
    assert (errands.waiting(store), errands.fetch(store, "lb", 7, 1)[0]) == (set(), [])
    assert errands.prune(store, 2) == 1


def test_what_has_no_room_waits_for_the_next_report(store: Store) -> None:
    errands.add(store, [Errand("lb", "", name) for name in (b"one", b"two", b"three")])
    assert errands.fetch(store, "lb", 7, 1, lambda _: 2) == ([b"one", b"two"], True)
    assert errands.fetch(store, "lb", 7, 2, lambda _: 2) == ([b"three"], False)
