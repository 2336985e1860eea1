"""Attainment, error budget and burn rates, counted by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.slo import Goals, Ledger, alerts, is_good, percent
from prober.targets import Objective

NOW = 1_800_000_000.0
DAY = 86400


def promise(availability: float = 0.999, window: float = 30 * DAY) -> Objective:
    return Objective("o", ("a",), ("b",), availability, 50.0, window)


def ledger(availability: float = 0.999, window: float = 30 * DAY) -> Ledger:
    return Ledger([promise(availability, window)])


def test_nothing_counted_is_no_attainment_and_no_alert() -> None:
    standing = ledger().attainment("o", NOW)
    assert (standing.attainment, standing.budget_left, standing.total, standing.burn) == (None, None, 0, {})
    assert alerts(standing) == ()
    assert percent(standing.attainment) == "no data"


def test_attainment_is_good_over_total_and_the_budget_shrinks_with_it() -> None:
    book = ledger()
    book.count("o", NOW - DAY, 9995, 10_000)
    standing = book.attainment("o", NOW)
    assert standing.attainment == pytest.approx(0.9995)
    assert standing.budget_left == pytest.approx(0.5)
    assert (standing.good, standing.total, standing.window_seconds) == (9995, 10_000, 30 * DAY)


def test_a_failure_weighs_by_its_probes_and_not_by_its_minute() -> None:
    book = ledger(0.9)
    book.count("o", NOW - 120, 1000, 1000)
    book.count("o", NOW, 0, 1)
    assert book.attainment("o", NOW).attainment == 1000 / 1001


def test_an_overspent_budget_is_negative() -> None:
    book = ledger(0.9)
    book.count("o", NOW, 0, 10)
    assert book.attainment("o", NOW).budget_left == pytest.approx(-9)


def test_counts_leave_the_window_by_the_minute() -> None:
    book = ledger(window=3600)
    book.count("o", NOW, 0, 1)
    assert book.attainment("o", NOW + 59 * 60).total == 1
    assert book.attainment("o", NOW + 60 * 60).total == 0


def test_counts_of_the_future_do_not_count_yet() -> None:
    book = ledger()
    book.count("o", NOW + 120, 0, 1)
    assert book.attainment("o", NOW).total == 0
    assert book.attainment("o", NOW + 120).total == 1


def test_late_counts_fall_into_their_own_minute() -> None:
    book = ledger(window=3600)
    for at in (NOW, NOW - 1800, NOW - 7200, NOW - 1800):
        book.count("o", at, 1, 1)
    assert book.attainment("o", NOW).total == 3
    assert [row[1] for row in book.rows()] == sorted(row[1] for row in book.rows())


@pytest.mark.parametrize(
    ("minutes", "bad_in_1000", "expected"),
    [
        (60, 15, {14.4, 6.0, 1.0}),  # one hour at 15 x, nothing before: every long window holds that hour alone
        (60, 14, {6.0, 1.0}),
        (60, 1, {1.0}),
        (60, 0, set()),
    ],
)
def test_an_alert_needs_its_long_and_its_short_window(minutes: int, bad_in_1000: int, expected: set[float]) -> None:
    book = ledger()
    for minute in range(minutes):
        book.count("o", NOW - 60 * minute, 1000 - bad_in_1000, 1000)
    assert {alert.factor for alert in alerts(book.attainment("o", NOW))} == expected


def test_an_alert_ends_when_the_short_window_has_healed() -> None:
    book = ledger()
    for minute in range(60):
        book.count("o", NOW - 60 * minute, 0 if minute >= 5 else 10, 10)
    standing = book.attainment("o", NOW)
    assert standing.burn["5m"] == 0
    assert standing.burn["1h"] > 14.4
    assert 14.4 not in {alert.factor for alert in alerts(standing)}


def test_an_outage_fires_the_fastest_alert_first_and_says_how_fast() -> None:
    book = ledger()
    book.count("o", NOW - 1800, 900, 1000)
    book.count("o", NOW, 0, 100)
    first = alerts(book.attainment("o", NOW))[0]
    assert (first.factor, first.long, first.short) == (14.4, "1h", "5m")
    assert first.sentence == (
        "o burns its error budget 181.8 times too fast over 1h and 1000.0 times over 5m; 81.818 % attained"
    )


@pytest.mark.parametrize(
    ("label", "rtt", "latency", "good"),
    [
        ("healthy", 1.0, 50.0, True), ("detour", 1.0, 50.0, True), ("healthy", 50.1, 50.0, False),
        ("healthy", None, None, True), ("healthy", None, 50.0, False), ("unknown", 1.0, None, False),
        ("return-path-misroute", 1.0, 50.0, False), ("intermittent", 1.0, None, False),
    ],
)  # fmt: skip
def test_good_is_answered_and_in_time(label: str, rtt: float | None, latency: float | None, good: bool) -> None:
    assert is_good(label, rtt, latency) is good


def test_a_hundred_percent_stands_only_where_nothing_failed() -> None:
    assert percent(1.0) == "100 %"
    assert percent(1 - 1e-9) == "99.999 %"
    assert percent(0.29) == "29 %"
    assert percent(0.999) == "99.9 %"


@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 5), st.integers(0, 5)), max_size=40))
def test_persisted_minutes_load_into_the_same_ledger(counts: list[tuple[int, int, int]]) -> None:
    book, again = ledger(window=3600), ledger(window=3600)
    for minute, good, bad in counts:
        book.count("o", NOW - 60 * minute, good, good + bad)
    again.load(book.rows())
    assert again.attainment("o", NOW) == book.attainment("o", NOW)
    recent = [(good, good + bad) for minute, good, bad in counts if minute < 60]
    standing = book.attainment("o", NOW)
    assert (standing.good, standing.total) == (sum(one[0] for one in recent), sum(one[1] for one in recent))


def test_forgetting_keeps_what_a_window_can_still_reach() -> None:
    book = ledger(window=3600)
    for days in (0, 2, 4):
        book.count("o", NOW - days * DAY, 1, 2)
    before = book.attainment("o", NOW)
    book.forget(NOW)
    assert book.attainment("o", NOW) == before
    assert len(book.rows()) == 2


def test_more_good_than_total_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="2 good of 1"):
        ledger().count("o", NOW, 2, 1)
    with pytest.raises(KeyError):
        ledger().attainment("nobody", NOW)


def test_old_minutes_become_hours_and_what_comes_late_counts_in_its_hour() -> None:
    book, hour = ledger(), NOW - NOW % 3600 - 5 * DAY
    for minute in (0, 1, 59, 60, 61):
        book.count("o", hour + minute * 60, 1, 2)
    book.count("o", NOW, 3, 4)
    before = book.attainment("o", NOW)
    book.roll(hour + 3600 + 30)
    assert book.rows() == [
        ("o", int(hour), 3, 6), ("o", int(hour) + 3600, 1, 2), ("o", int(hour) + 3660, 1, 2), ("o", int(NOW), 3, 4),
    ]  # fmt: skip
    assert book.attainment("o", NOW) == before
    book.count("o", hour + 90, 1, 1)
    assert book.minute(hour + 90) == int(hour)
    assert book.rows()[0] == ("o", int(hour), 4, 7)
    book.roll(0.0)
    assert book.minute(hour + 90) == int(hour), "an hour stays one"


def test_a_pair_counts_for_the_objectives_that_name_both_its_sides() -> None:
    one = Objective("o", ("a",), ("x", "y"), 0.999, 30.0, 3600.0)
    other = Objective("p", ("a", "b"), ("y",), 0.99, None, 3600.0)
    goals = Goals([one, other])
    assert goals.of("a", "y") == [("o", 30.0), ("p", None)] and goals.of("b", "x") == [] and goals.of("c", "y") == []
    assert goals.of_source("b") == [("p", frozenset({"y"}), None)]
