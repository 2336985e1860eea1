"""Changes, numbered."""

from __future__ import annotations

from prober.flip import Flip
from prober.store.engine import Store
from prober.store.flips import add_flips, last_flips, list_flips, newest, told

BROKEN = Flip(1_700_000_000.25, "firewall", "ingress", "healthy", "return-path-misroute", "it broke")
HEALED = Flip(1_700_000_060.5, "firewall", "ingress", "return-path-misroute", "healthy", "it healed")
FIRST = Flip(1_700_000_000.75, "lb", "pod2", None, "target", "never judged before")


def test_flips_come_back_as_they_were_told(store: Store) -> None:
    numbers = add_flips(store, [BROKEN, FIRST, HEALED])
    assert numbers == sorted(numbers)
    assert list_flips(store) == list(zip(numbers, [BROKEN, FIRST, HEALED], strict=True))
    assert add_flips(store, []) == []


def test_flips_that_are_kept_again_because_nobody_heard_that_they_were_are_there_once(store: Store) -> None:
    add_flips(store, [FIRST])
    numbers = add_flips(store, [BROKEN, HEALED])
    assert add_flips(store, [BROKEN, HEALED]) == numbers
    assert [flip for _, flip in list_flips(store)] == [FIRST, BROKEN, HEALED]
    assert add_flips(store, [HEALED, FIRST])[0] > numbers[-1]


def test_a_reader_goes_on_after_the_last_number_it_saw(store: Store) -> None:
    first, second, third = add_flips(store, [BROKEN, FIRST, HEALED])
    assert [number for number, _ in list_flips(store, after=first, limit=1)] == [second]
    assert [number for number, _ in last_flips(store, limit=2)] == [third, second]
    assert [number for number, _ in last_flips(store, before=second)] == [first]


def test_what_was_told_last_of_each_cell(store: Store) -> None:
    assert told(store) == {}
    add_flips(store, [BROKEN, FIRST, HEALED])
    assert told(store) == {("firewall", "ingress"): "healthy", ("lb", "pod2"): "target"}


def test_the_newest_flip_of_each_cell(store: Store) -> None:
    add_flips(store, [BROKEN, FIRST, HEALED])
    assert newest(store) == {("firewall", "ingress"): HEALED, ("lb", "pod2"): FIRST}
