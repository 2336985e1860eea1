"""Orders come to the loop in their order, and wake it where they can't wait."""

from __future__ import annotations

import select

from prober.agent.inbox import Inbox
from prober.report import Orders


def awake(inbox: Inbox) -> bool:
    return bool(select.select([inbox], [], [], 0)[0])


def test_what_can_wait_wakes_nobody_and_is_there_all_the_same() -> None:
    inbox = Inbox()
    inbox.put(Orders(1, 1.0), wake=False)
    assert not awake(inbox)
    assert [one.acknowledged for one in inbox.take()] == [1]


def test_once_taken_it_is_quiet_again() -> None:
    inbox = Inbox()
    for number in (1, 2):
        inbox.put(Orders(number, 1.0), wake=True)
    assert awake(inbox)
    assert [one.acknowledged for one in inbox.take()] == [1, 2]
    assert not awake(inbox) and list(inbox.take()) == []


def test_what_comes_while_another_is_obeyed_is_taken_too() -> None:
    inbox = Inbox()
    inbox.put(Orders(1, 1.0), wake=True)
    taken = []
    for one in inbox.take():
        taken.append(one.acknowledged)
        if one.acknowledged == 1:
            inbox.put(Orders(2, 1.0), wake=False)
    assert taken == [1, 2]


def test_a_loop_that_sleeps_through_many_is_woken_still_and_nobody_waits_for_it() -> None:
    inbox = Inbox()
    for number in range(5000):  # more than a socket's buffer takes
        inbox.put(Orders(number, 1.0), wake=True)
    assert awake(inbox) and len(list(inbox.take())) == 5000
    assert not awake(inbox)
