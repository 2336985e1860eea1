"""A report is its agent's own, among many as alone."""

from __future__ import annotations

import tracemalloc

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from prober.controller.intake import LIMIT
from prober.controller.stranger import NoReport, decoded, strange
from prober.report import Report, encode
from tests.controller.reports import Reporter
from tests.controller.spoilt import SPOILT


def good(name: str = "firewall", number: int = 0) -> Report:
    return Reporter(name, number).answered()


def test_good_ones_pass_together_with_those_that_tell_nothing() -> None:
    by = Reporter("lb", 4)
    assert strange([(good(), 0), (by.report([], []), 4), (by.answered(), 4), (good(), 0)]) == {}
    assert strange([]) == {}


@pytest.mark.parametrize("kind", [name for name in SPOILT if name not in ("another's name", "nothing", "another type")])
def test_the_one_that_is_wrong_is_found_among_good_ones(kind: str) -> None:
    spoilt = SPOILT[kind](good())
    if isinstance(spoilt, bytes):
        with pytest.raises(NoReport, match="this is no report"):
            decoded(spoilt, "firewall")
        return
    found = strange([(good("lb", 4), 4), (spoilt, 0), (good(), 0)])
    assert list(found) == [1]
    assert str(found[1]).startswith("this report of firewall lacks ")


def test_halves_of_rows_do_not_make_a_row_together() -> None:
    one, other = good(), good()
    cut = len(one.outcomes) // 2
    halves = [msgspec.structs.replace(one, outcomes=part) for part in (one.outcomes[:cut], other.outcomes[cut:])]
    assert list(strange([(half, 0) for half in halves])) == [0, 1]


def test_another_agents_report_is_told_to_be_that() -> None:
    with pytest.raises(NoReport, match="the key is lb's and the report says 'firewall'"):
        decoded(encode(good()), "lb")


@settings(max_examples=300, deadline=None)
@given(body=some.binary(max_size=400), at=some.integers(0, 2000), flip=some.integers(1, 255))
def test_any_bytes_are_a_report_or_refused(body: bytes, at: int, flip: int) -> None:
    good = bytearray(encode(Reporter("firewall").answered()))
    good[at % len(good)] ^= flip
    for one in (body, bytes(good)):
        try:
            report = decoded(one, "firewall")
            assert all(isinstance(why, NoReport) for why in strange([(report, 0)]).values())
        except NoReport:
            continue


def bomb(field: str, one: bytes) -> bytes:
    """A report of which one field is a list of as many of these as the body may hold."""
    good = msgspec.msgpack.encode({"agent": "firewall", "epoch": 1, "sequence": 1, "clock_ns": 1, "since_ns": 1})
    count = (LIMIT - 200) // len(one)
    rest = msgspec.msgpack.encode("until_ns") + b"\x01" + msgspec.msgpack.encode(field)
    return bytes([good[0] + 2]) + good[1:] + rest + b"\xdd" + count.to_bytes(4, "big") + one * count


@pytest.mark.parametrize(
    ("field", "one"),
    [("answers", b"\x80"), ("frames", b"\xc4\x00"), ("notes", b"\xa0"), ("gaps", b"\x80"), ("targets", b"\xa0")],
)
def test_a_body_that_would_unfold_into_millions_is_refused_before_it_does(field: str, one: bytes) -> None:
    body = bomb(field, one)
    tracemalloc.start()
    with pytest.raises(NoReport, match="of length <="):
        decoded(body, "firewall")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000
