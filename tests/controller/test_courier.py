"""A courier and its receiver, round by round, on a made-up clock and a real store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import structlog.testing

from prober.alert import Alert
from prober.controller import courier
from prober.controller.courier import Courier, encoded
from prober.controller.receivers import Receiver
from prober.store.alerts import keep
from prober.store.engine import Store, open_store
from prober.store.schema import upgrade
from tests.alarms import incident, resolved
from tests.receiving import Server, server

DAY = 86_400.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'prober.sqlite'}"
    upgrade(url)
    one = open_store(url)
    yield one
    one.close()


class Rounds:
    """What one courier does, a round at a time."""

    def __init__(self, store: Store, away: Server, repeats: float = 0.0) -> None:
        self.store, self.away, self.wall = store, away, incident().opened + 1
        self.receiver = Receiver("webhook", "webhook there", "--webhook", f"{away.url}/hush", b"hush", repeats)
        self.courier = Courier(self.receiver, httpx.AsyncClient(), lambda: self.wall)

    def go(self, *alerts: Alert, later: float = 0.0) -> int:
        """A round after these were kept; how many posts came of it."""
        self.wall += later
        keep(self.store, [encoded(one) for one in alerts])
        before = len(self.away.taken)

        async def once() -> None:
            async with httpx.AsyncClient(trust_env=False) as self.courier.client:
                await self.courier.round(self.store)

        asyncio.run(once())
        return len(self.away.taken) - before


def test_each_revision_is_told_once(store: Store) -> None:
    with server() as away:
        one = Rounds(store, away)
        assert [one.go(incident()), one.go(), one.go(incident(revision=2)), one.go(resolved(revision=3)), one.go()] == [
            1, 0, 1, 1, 0,
        ]  # fmt: skip


def test_one_that_repeats_hears_what_is_open_and_what_was_over_of_late(store: Store) -> None:
    with server() as away:
        one = Rounds(store, away, repeats=60.0)
        assert [one.go(incident()), one.go(later=30), one.go(later=30)] == [1, 0, 1]
        assert one.go(resolved(), later=600) == 1
        assert one.go(later=60) == 1
        assert one.go(later=3600) == 0


def test_a_clock_that_was_set_back_keeps_nobody_waiting(store: Store) -> None:
    """Alertmanager takes what is not said again for over, and a pause would last as long as the clock was ahead."""
    with server() as away:
        one = Rounds(store, away, repeats=60.0)
        assert one.go(incident()) == 1
        assert one.go(later=-3600) == 1
        away.rule = lambda _: (503, {}, b"")
        one.go(incident(revision=2))
        assert not one.courier.may_try(one.wall)
        assert one.courier.may_try(one.wall + 1) and one.courier.may_try(one.wall - 3600)


def test_what_waits_is_counted_told_of_once_and_without_secrets(store: Store) -> None:
    with server(lambda _: (503, {}, b"")) as away, structlog.testing.capture_logs() as logged:
        one = Rounds(store, away)
        assert one.go(incident(), incident(id="other")) == 1, "the second would meet the same"
        one.go()
        assert (one.courier.counts.failed, one.courier.counts.waiting) == (2, 2)
        assert one.courier.trouble == "webhook there answers 503"
        away.rule = lambda _: (200, {}, b"")
        one.go()
    assert (one.courier.counts.delivered, one.courier.counts.waiting, one.courier.trouble) == (2, 0, None)
    assert [line["event"] for line in logged] == ["alerts wait for a receiver", "a receiver takes alerts again"]
    assert "hush" not in str(logged)


def test_pauses_double_differ_and_end_at_the_longest(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier.random, "uniform", lambda low, high: high)
    with server(lambda _: (503, {}, b"")) as away:
        one, pauses = Rounds(store, away), []
        for _ in range(11):
            one.go(incident())
            pauses.append(one.courier._not_before - one.wall)
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert pauses[-1] == courier.LONGEST


def test_what_is_over_since_a_day_is_given_up_and_that_is_said(store: Store) -> None:
    with server(lambda _: (503, {}, b"")) as away, structlog.testing.capture_logs() as logged:
        one = Rounds(store, away)
        one.go(incident())
        away.rule = lambda _: (200, {}, b"")
        one.courier._not_before = 0
        assert one.go(incident(), later=2 * DAY) == 1, "an alert that is open is news however old"
        one.go(resolved(closed=one.wall))
        away.rule = lambda _: (503, {}, b"")
        one.go(incident(id="b", opened=one.wall))
        one.go(resolved(id="c", opened=one.wall - 60, closed=one.wall, revision=1))
        assert one.go(later=2 * DAY) == 1, "only b is still worth a try"
    assert one.courier.counts.dropped == 0 and one.courier.counts.waiting == 1, "c was never told: it is no news now"
    assert "over since a day" not in str(logged)


def test_an_end_that_could_not_be_told_for_a_day_is_dropped_and_that_is_said(store: Store) -> None:
    with server() as away, structlog.testing.capture_logs() as logged:
        one = Rounds(store, away)
        one.go(incident())
        assert one.go(resolved(closed=one.wall + 1), later=2 * DAY) == 0
    assert one.courier.counts.dropped == 1
    assert [line["why"] for line in logged] == ["it is over since a day"]


def test_what_is_not_for_this_receiver_is_settled_in_silence(store: Store) -> None:
    with server() as away:
        one = Rounds(store, away)
        assert one.go(incident(to=("slack",))) == 0
        assert (one.courier.counts.waiting, one.courier.counts.dropped) == (0, 0)


def test_a_receiver_that_asks_for_patience_gets_as_much_as_is_good_for_those_who_wait(store: Store) -> None:
    with server(lambda _: (429, {"retry-after": "999999"}, b"")) as away:
        one = Rounds(store, away)
        one.go(incident())
        assert one.courier._not_before - one.wall == courier.LONGEST
