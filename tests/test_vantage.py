"""What an agent may be believed to have watched."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.report import Report
from prober.vantage import Vantage

OWN = 1_700_000_000.0


def told(at: float, since: float | None = None, *, shift=0.0, epoch=1, dropped=0, tap=True, counters=None) -> Report:
    """A report written at second `at`; it covers a quarter of a second."""
    clock = int((OWN + at + shift) * 1e9)
    begun = int((OWN + (at - 0.25 if since is None else since) + shift) * 1e9)
    return Report("a", epoch, 1, clock, begun, clock, dropped, tap, counters=counters or {})


def heard(*reports: Report, late: float = 0.002) -> Vantage:
    vantage = Vantage()
    for report in reports:
        clock = report.clock_ns / 1e9 - OWN
        vantage.hear(report, clock % 3600 + late)
    return vantage


FOUR = [told(1.0), told(1.25), told(1.5), told(1.75)]


@pytest.mark.parametrize(("start", "end", "watched"), [(0.9, 1.7, True), (0.7, 1.0, False), (1.5, 1.9, False)])
def test_it_watched_what_it_said_from_before_to_after(start, end, watched):
    assert heard(*FOUR).watched(start, end) is watched


@given(st.permutations(FOUR + FOUR))
def test_statements_join_in_any_order_and_twice(reports):
    vantage = Vantage()
    for report in reports:
        vantage.hear(report, 5.0)
    assert len(vantage.covered) == 1


def test_a_gap_stays_a_gap():
    assert not heard(FOUR[0], FOUR[3]).watched(0.9, 1.7)


@pytest.mark.parametrize("broken", [{"dropped": 3}, {"tap": False}])
def test_a_report_that_lost_frames_or_has_no_tap_covers_nothing(broken):
    assert not heard(FOUR[0], told(1.25, **broken), FOUR[2], FOUR[3]).watched(1.1, 1.3)


def test_an_agent_that_was_never_heard_watched_nothing():
    assert not Vantage().watched(1.0, 1.1) and not Vantage().reaches(0.0)


def test_a_new_process_vouches_for_nothing_before_it():
    vantage = heard(*FOUR, told(2.0, epoch=2))
    assert not vantage.watched(1.1, 1.3) and vantage.watched(1.8, 1.9)


def test_a_clock_set_back_or_forth_starts_anew():
    for report in (told(2.0, 3602.0, shift=-3600.0), told(2.0, shift=3600.0)):
        vantage = heard(*FOUR)
        vantage.hear(report, 2.002)
        assert not vantage.watched(1.1, 1.3)


def test_a_late_report_moves_no_clock():
    vantage = heard(*FOUR)
    before = vantage.offset_ns
    vantage.hear(told(2.0), 32.0)
    assert abs(vantage.offset_ns - before) < 10_000_000 and vantage.watched(0.9, 1.9)


def test_a_report_that_waited_and_says_how_long_is_dated_by_it():
    vantage = heard(*FOUR[:2])
    before = vantage.offset_ns
    for report in FOUR[2:]:
        waited = msgspec.structs.replace(report, age_ns=30_000_000_000)
        vantage.hear(waited, report.clock_ns / 1e9 - OWN + 30.002)
    assert abs(vantage.offset_ns - before) < 10_000_000 and vantage.watched(0.9, 1.7)


def test_a_clock_that_stays_behind_is_believed_in_the_end():
    vantage = heard(*FOUR)
    for turn in range(40):
        vantage.hear(told(10.0 + turn / 4, shift=-100.0), 10.002 + turn / 4)
    assert vantage.watched(18.0, 19.0)


def test_a_slow_clock_is_followed():
    vantage = Vantage()
    for second in range(0, 36_000, 10):
        vantage.hear(told(second * (1 - 1e-4)), second + 0.002)
    true = int(35_990.0 * 1e9) - int((OWN + 35_990.0 * (1 - 1e-4)) * 1e9)
    assert abs(vantage.offset_ns - true) < 20_000_000, "3.6 s behind by now, and known to 20 ms"


def test_readings_of_counters_are_kept_for_as_long_as_a_probe_can_be_told_of():
    rare = heard(*(told(float(at), counters={"n": at}) for at in range(0, 200, 5)))
    assert len(rare.counters) == 16
    assert rare.moved(122.0, 123.0) == {"n": 5}


def test_counters_moved_between_the_readings_around_a_probe():
    readings = [
        told(at, counters={"ListenOverflows": n, "other": 7}) for at, n in ((1.0, 5), (1.25, 5), (1.5, 8), (1.75, 9))
    ]
    assert heard(*readings).moved(1.3, 1.4) == {"ListenOverflows": 3}
    assert heard(*reversed(readings)).moved(0.1, 1.4) == {}, "no reading before it"


def test_without_a_tap_only_the_half_open_sockets_were_watched():
    mute = heard(*(told(at, tap=False) for at in (1.0, 1.25, 1.5, 1.75)))
    assert not mute.watched(0.9, 1.7)
    assert mute.read_table(0.9, 1.7) and mute.reaches(1.7)
    assert not mute.read_table(0.9, 1.9)
    assert not heard(*FOUR).read_table(0.9, 1.7), "a tap says more than that"
