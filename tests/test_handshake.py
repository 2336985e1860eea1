"""The rules: what the table says of itself, and the picture that is drawn from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from prober import handshake
from prober.handshake import TABLE, Event, State


def test_the_picture_in_the_docs_is_the_tables_own():
    page = Path(__file__).parents[1] / "docs" / "handshake.md"
    assert handshake.picture() in page.read_text()


@pytest.mark.parametrize("event", Event)
def test_whatever_may_happen_means_something_to_a_handshake_that_waits(event: Event) -> None:
    assert (State.SENT, event) in TABLE


def test_what_has_ended_stays_ended_and_asks_for_nothing() -> None:
    ended = {pair: step for pair, step in TABLE.items() if pair[0] != State.SENT}
    assert all(step.state == state and not step.again for (state, _), step in ended.items())


def test_no_end_but_a_refusal_leaves_the_responders_socket_open() -> None:
    ends = {event for (state, event), step in TABLE.items() if state == State.SENT != step.state and not step.closes}
    assert ends == {Event.SECOND_REFUSAL, Event.SEND_FAILED}
