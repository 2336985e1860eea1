"""A restart is no alarm; two processes that take turns are one."""

from __future__ import annotations

from prober.controller.epochs import LASTS, Epochs


def raised(*heard: int, every: float = 0.25) -> list[int]:
    """At which of these epochs' reports the alarm was raised."""
    epochs = Epochs()
    return [at for at, epoch in enumerate(heard) if epochs.hear("lb", epoch, at * every)]


def test_restarts_raise_nothing() -> None:
    assert raised(1, 1, 1, 2, 2, 3, 4, 4, 5) == []


def test_a_report_of_the_old_process_that_was_on_its_way_raises_nothing() -> None:
    assert raised(1, 1, 2, 1, 2, 2, 2) == []


def test_two_that_take_turns_raise_it_once() -> None:
    assert raised(1, 2, 1, 2, 1, 2, 1, 2) == [4]


def test_it_ends_when_one_of_them_ends() -> None:
    epochs = Epochs()
    for at, epoch in enumerate([1, 2] * 4):
        epochs.hear("lb", epoch, float(at))
    assert epochs.doubled("lb", 10.0) and not epochs.doubled("vm", 10.0)
    assert "two processes report as lb" in (epochs.sentence("lb", 10.0) or "")
    for at in range(10, 200):
        epochs.hear("lb", 2, float(at))
    assert not epochs.doubled("lb", 8.0 + LASTS)
    assert epochs.sentence("lb", 8.0 + LASTS) is None


def test_turns_that_are_far_between_are_restarts_of_a_restored_machine() -> None:
    assert raised(1, 2, 1, 2, 1, 2, every=LASTS) == []


def test_what_is_remembered_is_bounded() -> None:
    epochs = Epochs()
    for number in range(1000):
        epochs.hear("lb", number, number)
    assert len(epochs._seen["lb"].epochs) <= 16
