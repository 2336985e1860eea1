"""One cause is one incident: it opens with the first flip, keeps its id, and closes when all its cells pass again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.flip import Flip
from prober.incident import HEALED, MERGED, SETTLE, UNDECLARED, Book, Incident, Member
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

MISROUTE = "return-path-misroute"


def flip(at: float, source: str, target: str, after: str = MISROUTE) -> Flip:
    return Flip(at, source, target, "healthy", after, f"{source} → {target} is {after}.")


def said(culprit: str | None = None, label: str = MISROUTE, cause: Cause | None = None) -> Verdict:
    node, _, what = (culprit or "").partition(": ")
    named = Culprit("route", node, what) if culprit else None
    return Verdict(Label(label), Confidence.PROVEN if culprit else Confidence.LIKELY, f"{label}.", cause, named)


def via(node: str, by: str = "node1") -> Verdict:
    number = node.removeprefix("node")
    return said(f"{node}: {by} routes 10.{number}.0.0/16 via 10.224.0.{number} ({node})", cause=Cause.R1B)


def told(book: Book, at: float, *cells: tuple[str, str], as_: Verdict | None = None) -> None:
    """These cells flip, and name a culprit if a verdict is given."""
    for cell in cells:
        book.take(flip(at, *cell))
        if as_ is not None:
            book.hear(cell, as_, at)


def cells(one: Incident) -> set[tuple[str, str]]:
    return {member.cell for member in one.failing()}


def only(book: Book) -> Incident:
    (one,) = book.open.values()
    return one


def test_it_opens_with_its_first_flip_and_closes_with_the_last_of_its_cells() -> None:
    book = Book()
    told(book, 100.0, ("firewall", "ingress"), as_=via("node19"))
    (one,) = book.settle(100.1)
    told(book, 101.0, ("firewall", "pod2"), as_=via("node19", "node2"))
    assert [other.id for other in book.settle(101.1)] == [one.id]
    assert cells(one) == {("firewall", "ingress"), ("firewall", "pod2")}
    book.take(flip(160.0, "firewall", "ingress", "healthy"))
    assert book.settle(160.1) == [one]
    assert len(book.open) == 1
    book.take(flip(170.0, "firewall", "pod2", "detour"))
    assert book.settle(170.1) == [one]
    assert (one.opened, one.closed, one.because, len(one.members)) == (100.0, 170.0, HEALED, 2)
    assert book.open == {}
    assert book.settle(171.0) == []


def test_nothing_known_is_not_healthy() -> None:
    book = Book()
    told(book, 1.0, ("a", "x"))
    book.settle(1.0)
    book.take(flip(2.0, "a", "x", "unknown"))
    book.hear(("a", "x"), said(label="unknown"), 2.0)
    assert book.settle(3.0) == []
    assert cells(only(book)) == {("a", "x")}
    assert only(book).members["a", "x"].label == MISROUTE


def test_a_cell_that_cannot_be_judged_any_more_begins_no_incident() -> None:
    book = Book()
    book.take(flip(1.0, "a", "x", "unknown"))
    book.take(flip(1.0, "a", "y", "detour"))
    assert book.settle(100.0) == []


def test_the_first_is_told_at_once_and_a_cell_beside_it_waits_until_experiments_are_over() -> None:
    book = Book()
    told(book, 0.0, ("a", "x"), as_=via("node19"))
    book.settle(0.0)
    told(book, 1.0, ("b", "y"))
    assert book.settle(1.0) == []
    assert book.due()
    assert book.settle(SETTLE + 0.9) == []
    (other,) = book.settle(SETTLE + 1.0)
    assert (other.opened, cells(other), len(book.open)) == (1.0, {("b", "y")}, 2)


def test_a_cell_that_names_the_culprit_in_time_is_a_part_of_its_incident() -> None:
    book = Book()
    told(book, 0.0, ("a", "x"), as_=via("node19"))
    book.settle(0.0)
    told(book, 1.0, ("node1", "firewall"))
    book.settle(1.0)
    book.hear(("node1", "firewall"), via("node19"), 5.0)
    book.settle(5.0)
    assert cells(only(book)) == {("a", "x"), ("node1", "firewall")}


def test_another_culprit_is_another_incident_at_once() -> None:
    book = Book()
    told(book, 0.0, ("a", "x"), ("a", "y"), as_=via("node19"))
    book.settle(0.0)
    told(book, 1.0, ("b", "z"), as_=via("node7"))
    book.settle(1.0)
    assert sorted(map(len, map(cells, book.open.values()))) == [1, 2]


def test_who_only_saw_a_packet_last_is_no_reason_for_another_incident_yet() -> None:
    book = Book()
    told(book, 0.0, ("a", "x"), as_=via("node19"))
    book.settle(0.0)
    told(book, 1.0, ("b", "z"), as_=said("vpc: saw the SYN-ACK last"))
    assert book.settle(1.0) == []
    book.hear(("b", "z"), via("node19"), 3.0)
    book.settle(3.0)
    assert len(only(book).members) == 2


def test_two_that_turn_out_to_be_one_are_the_older_one() -> None:
    book = Book()
    told(book, 0.0, ("a", "x"))
    book.settle(0.0)
    told(book, 1.0, ("b", "y"))
    book.settle(1.0 + SETTLE)
    first, second = book.open.values()
    for cell in (("a", "x"), ("b", "y")):
        book.hear(cell, via("node19"), 20.0)
    assert {one.id for one in book.settle(20.0)} == {first.id, second.id}
    assert (second.closed, second.because, second.into) == (20.0, MERGED, first.id)
    assert (only(book), len(first.members)) == (first, 2)


def test_one_that_turns_out_to_be_two_is_parted_once_that_has_settled() -> None:
    book = Book()
    told(book, 0.0, ("a", "x"), ("a", "y"), ("a", "z"))
    book.settle(0.0)
    first = only(book)
    for target, node in (("x", "node7"), ("y", "node19"), ("z", "node19")):
        book.hear(("a", target), via(node), 2.0)
    book.settle(2.0)
    assert len(book.open) == 1, "a verdict may yet be revised"
    book.hear(("a", "x"), via("node8"), 3.0)
    book.settle(3.0 + SETTLE)
    other = next(one for one in book.open.values() if one is not first)
    assert (cells(first), cells(other)) == ({("a", "y"), ("a", "z")}, {("a", "x")})
    assert other.id != first.id


def test_a_probe_of_which_less_is_known_takes_nothing_back() -> None:
    book = Book()
    told(book, 0.0, ("a", "x"), as_=via("node19"))
    book.hear(("a", "x"), said(), 1.0)
    book.hear(
        ("a", "x"), Verdict(Label.RETURN_PATH_LOSS, Confidence.LIKELY, "lost.", culprit=via("node7").culprit), 2.0
    )
    assert (book.cells["a", "x"].label, str(book.cells["a", "x"].culprit)[:7]) == (MISROUTE, "node19:")
    book.hear(("a", "x"), via("node7"), 3.0)
    assert str(book.cells["a", "x"].culprit).startswith("node7: "), "of which as much is known"


def test_a_cell_that_was_told_to_fail_otherwise_names_no_culprit_until_it_does() -> None:
    book = Book()
    told(book, 0.0, ("a", "x"), as_=via("node19"))
    book.settle(0.0)
    book.take(flip(5.0, "a", "x", "ingress-drop"))
    assert (only(book).members["a", "x"].label, only(book).members["a", "x"].culprit) == ("ingress-drop", None)
    assert [one.id for one in book.settle(5.0)] == list(book.open), "and stays where it is"


def test_what_was_told_and_over_within_moments_was_an_incident_too() -> None:
    book = Book()
    told(book, 0.0, ("a", "x"), as_=via("node19"))
    book.settle(0.0)
    told(book, 1.0, ("b", "y"))
    book.take(flip(4.0, "b", "y", "healthy"))
    (one,) = book.settle(4.0)
    assert (one.opened, one.closed, list(one.members)) == (1.0, 4.0, [("b", "y")])


def test_a_cell_that_nobody_asks_any_more_did_not_heal() -> None:
    book = Book()
    told(book, 0.0, ("a", "x"))
    book.settle(0.0)
    book.end(("a", "x"), 9.0, UNDECLARED)
    (one,) = book.settle(9.0)
    assert (one.closed, one.because) == (9.0, UNDECLARED)


def test_a_cell_that_fails_again_is_a_part_of_what_is_still_open() -> None:
    book = Book()
    told(book, 0.0, ("a", "x"), ("a", "y"), as_=via("node19"))
    book.settle(0.0)
    book.take(flip(5.0, "a", "x", "healthy"))
    book.settle(5.0)
    told(book, 6.0, ("a", "x"), as_=via("node19"))
    book.settle(6.0)
    assert cells(only(book)) == {("a", "x"), ("a", "y")}


def test_a_hundred_cells_with_one_culprit_are_one_incident() -> None:
    book = Book()
    for number in range(100):
        told(book, number / 10, (f"s{number}", "x"), as_=via("node19", f"n{number}"))
        book.settle(number / 10)
    assert len(only(book).members) == 100


def revived(book: Book) -> Book:
    """What another controller makes of what was kept."""
    kept = [(one.id, one.opened, msgspec.msgpack.encode(list(one.members.values()))) for one in book.open.values()]
    read = [(name, opened, msgspec.msgpack.decode(body, type=list[Member])) for name, opened, body in kept]
    return Book(Incident(name, opened, {one.cell: one for one in members}) for name, opened, members in read)


def test_ids_outlive_the_controller() -> None:
    book = Book()
    told(book, 0.0, ("a", "x"), ("a", "y"), as_=via("node19"))
    book.settle(0.0)
    one = only(book)
    other = revived(book)
    told(other, 3.0, ("b", "z"), as_=via("node19"))
    other.settle(3.0)
    assert (only(other).id, only(other).opened, len(only(other).members)) == (one.id, one.opened, 3)


STEP = st.tuples(
    st.sampled_from("abc"), st.sampled_from("xyz"),
    st.sampled_from(["healthy", "unknown", "ingress-drop", MISROUTE]),
    st.sampled_from([None, via("node7"), via("node19"), said("vpc: saw the SYN last", "ingress-drop")]),
    st.floats(0.1, 15.0), st.booleans(),
)  # fmt: skip


@given(st.lists(STEP, max_size=40))
def test_whatever_happens_a_failing_cell_is_in_one_open_incident_and_no_id_comes_twice(steps: Any) -> None:
    book, now, failing, closed = Book(), 1000.0, set[tuple[str, str]](), dict[str, Incident]()
    for source, target, label, verdict, passed, restart in steps:
        now += passed
        book.take(flip(now, source, target, label))
        failing = failing - {(source, target)} if label == "healthy" else failing
        failing = failing if label in ("healthy", "unknown") else failing | {(source, target)}
        if verdict is not None:
            book.hear((source, target), verdict, now)
        for one in book.settle(now):
            assert one.id not in closed
            if one.closed is not None:
                closed[one.id] = one
                assert one.opened <= one.closed <= now
        homes = [cell for one in book.open.values() for cell in cells(one)]
        assert len(homes) == len(set(homes))
        assert set(homes) <= failing == set(book.cells)
        assert all(any(one.failing()) and one.closed is None for one in book.open.values())
        if restart and set(homes) == failing:
            book = revived(book)
    book.settle(now + SETTLE + 1.0)
    homes = [cell for one in book.open.values() for cell in cells(one)]
    assert (len(homes), set(homes)) == (len(failing), failing)
    assert all(one.into in book.open or one.into in closed for one in closed.values() if one.because == MERGED)
    culprits = [{m.culprit for m in one.failing() if m.culprit} for one in book.open.values()]
    assert sum(map(len, culprits)) == len(set().union(*culprits)), "one culprit, one incident"


@pytest.mark.parametrize("count", [2000])
def test_many_cells_are_looked_at_in_a_moment(count: int) -> None:
    book = Book()
    told(book, 0.0, *((f"s{n}", f"t{n % 50}") for n in range(count)), as_=via("node19"))
    assert len(book.settle(0.0)) == 1
