"""So many packets a second, and no more at once than the bucket holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from prober.wire.pace import Pace


def test_a_full_bucket_leaves_at_once_and_the_rest_at_the_rate():
    pace = Pace(100.0, burst=10)
    assert pace.take(25, 5.0) == 10
    assert pace.take(15, 5.0) == 0
    assert pace.wait(1) == 0.01
    assert pace.take(15, 5.05) == 5
    assert round(pace.wait(10), 6) == 0.1
    assert pace.take(15, 9.0) == 10


def test_no_rate_is_no_limit():
    pace = Pace(0.0)
    assert (pace.take(100_000, 1.0), pace.wait(100_000)) == (100_000, 0.0)


def test_a_clock_set_back_gives_nothing_away():
    pace = Pace(10.0, burst=1)
    assert [pace.take(1, at) for at in (5.0, 4.0, 4.05, 4.2)] == [1, 0, 0, 1]


@given(
    st.integers(1, 2000), st.integers(1, 64), st.lists(st.tuples(st.floats(0, 0.5), st.integers(0, 200)), max_size=60)
)
def test_never_more_than_the_rate_and_one_bucket(rate, burst, steps):
    pace, now, gone = Pace(float(rate), burst), 1.0, 0
    for pause, wanted in steps:
        now += pause
        gone += pace.take(wanted, now)
        assert gone <= burst + (now - 1.0) * rate + 1e-6
