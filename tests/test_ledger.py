"""Rows of handshakes under way: found by id while they live, and no longer."""

from __future__ import annotations

import numpy as np
import pytest

from prober import ledger, segment
from prober.handshake import State
from prober.ledger import Ledger
from prober.segment import RST, SYN, Batch

LINGER_NS = 1000


def syns(*ids: int) -> Batch:
    rows = segment.empty(len(ids))
    rows["seq"], rows["tsval"] = ids, np.array(ids) + 100
    rows["src_lo"], rows["dst_lo"], rows["sport"], rows["dport"] = 1, 2, 61440, 80
    return rows


def ids(*numbers: int) -> Batch:
    return np.array(numbers, np.uint32)


def begun(*numbers: int, now_ns: int = 0) -> Ledger:
    book = Ledger(LINGER_NS)
    book.begin(syns(*numbers), now_ns)["state"] = State.SENT
    return book


def end(book: Ledger, number: int, now_ns: int) -> None:
    at, _ = book.find(ids(number), now_ns)
    book.rows["state"][at], book.rows["done_ns"][at] = State.ANSWERED, now_ns


def test_a_row_begins_with_what_its_syn_says_and_nothing_else() -> None:
    [row] = begun(7).held
    assert (row["probe"], row["tsval"], row["sport"], row["left_sport"], row["dport"]) == (7, 107, 61440, 61440, 80)
    assert (row["sent_ns"], row["error"], row["left_ns"], row["refused_ns"]) == (0, 0, 0, 0)


def test_which_ids_have_a_row_is_told_beside_the_rows() -> None:
    at, known = begun(5, 6, 7).find(ids(7, 9, 5), 0)
    assert (at.tolist(), known.tolist()) == ([2, 0], [0, 2])


def test_what_has_ended_is_found_until_it_has_lingered() -> None:
    book = begun(7)
    end(book, 7, 10)
    assert [len(book.find(ids(7), now)[0]) for now in (10, 9 + LINGER_NS, 10 + LINGER_NS)] == [1, 1, 0]


@pytest.mark.parametrize("asked", [(7,), (8, 7), (9, 9)])
def test_an_id_that_is_alive_or_asked_twice_is_refused_and_nothing_is_begun(asked: tuple[int, ...]) -> None:
    book = begun(7)
    with pytest.raises(ValueError, match=f"probe 0x0000000{asked[-1]} is still open"):
        book.begin(syns(*asked), 0)
    assert len(book.held) == 1


def test_a_dead_row_makes_room_for_the_same_id() -> None:
    book = begun(7, 8)
    end(book, 7, 0)
    book.begin(syns(7), 2 * LINGER_NS)["state"] = State.SENT
    assert sorted(book.held["probe"].tolist()) == [7, 8]


def test_the_dead_go_when_room_is_needed_and_the_living_keep_what_is_known_of_them() -> None:
    book = begun(7)
    book.rows["left_ns"][0] = 5
    for first in range(100, 20_100, 1000):
        fresh = book.begin(syns(*range(first, first + 1000)), first * LINGER_NS)
        fresh["state"], fresh["done_ns"] = State.TIMED_OUT, first * LINGER_NS
    assert len(book.rows) <= 4096
    at, _ = book.find(ids(7), 0)
    assert book.rows["left_ns"][at].tolist() == [5]


def test_a_row_is_closed_in_sequence_and_asked_again_as_it_was() -> None:
    [closed], [again] = ledger.closing(begun(7).held), ledger.asking(begun(7).held)
    assert (closed["flags"], closed["seq"], closed["ack"], closed["tsval"]) == (RST, 8, 0, 107)
    [first] = syns(7)
    assert [again[name] for name in ("seq", "tsval", "sport", "dport")] == [
        first[name] for name in ("seq", "tsval", "sport", "dport")
    ]
    assert again["flags"] == SYN
