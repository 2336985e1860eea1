"""A complete handshake is left out only where the packets prove that it is, and nothing unsaid reads as not seen."""

from __future__ import annotations

import numpy as np
import pytest

from prober import probe
from prober.agent.brief import HELD_NS, PRESSED, Brief
from prober.handshake import State
from prober.probe import Kind
from prober.report import OFTEN, OUTCOME
from prober.segment import IN, OUT, Batch
from prober.sighting import SIGHTING

BRIEFLY = next(one for one in range(5, 99) if not probe.is_whole(np.array([one]), 50)[0])
ENTIRELY = next(one for one in range(5, 9999) if probe.is_whole(np.array([one]), 50)[0])
ANSWER = 7_000


def row(kind: Kind, way: int, at_ns: int, **columns: int) -> Batch:
    seen = np.zeros(1, SIGHTING)
    seen["probe"], seen["kind"], seen["way"], seen["time_ns"], seen["sealed"] = BRIEFLY, kind, way, at_ns, True
    for name, value in columns.items():
        seen[name] = value
    return seen


def handshake(ack: int = ANSWER + 1, **columns: int) -> Batch:
    """As the responder sees it."""
    return np.concatenate([
        row(Kind.SYN, IN, 10, **columns), row(Kind.SYN_ACK, OUT, 20, seq=ANSWER, **columns),
        row(Kind.RST, IN, 30, ack=ack, **columns),
    ])  # fmt: skip


def brief(whole: int = 50) -> Brief:
    made = Brief()
    made.whole, made.every = whole, 5.0
    return made


def told(by: Brief, seen: Batch, at_ns: int = 30 + HELD_NS) -> list[int]:
    """The kinds told: at once, and when they have been held."""
    at_once, frames = by.take(seen, [b"%d" % kind for kind in seen["kind"]])
    later, more = by.settle(at_ns)
    rows = np.concatenate([at_once, later])
    assert [*frames, *more] == [b"%d" % kind for kind in rows["kind"]]
    return rows["kind"].tolist()


def test_a_small_fleet_is_told_everything_at_once() -> None:
    seen, frames = Brief().take(handshake(), [b""] * 3)
    assert len(seen) == len(frames) == 3


def test_a_handshake_proven_complete_is_left_out_and_one_of_so_many_is_told() -> None:
    assert told(brief(), handshake()) == []
    assert told(brief(), handshake(probe=ENTIRELY)) == [Kind.SYN, Kind.SYN_ACK, Kind.RST]
    assert told(brief(1), handshake()) == [Kind.SYN, Kind.SYN_ACK, Kind.RST]


@pytest.mark.parametrize("ack", [0, ANSWER, ANSWER + 2])
def test_an_rst_that_does_not_show_the_answers_number_proves_nothing(ack: int) -> None:
    assert len(told(brief(), handshake(ack))) == 3


def test_what_is_incomplete_is_told_and_pressing() -> None:
    whole = handshake()
    for kept in ([0], [0, 1], [1], [0, 2], [1, 2]):
        by = brief()
        assert len(told(by, whole[kept])) == len(kept)
        assert (by.wait(1.0) == OFTEN) == (kept in ([0], [0, 1])), kept
    unsealed = handshake()
    unsealed["sealed"] = False
    assert len(told(brief(), unsealed)) == 3


def test_whatever_else_was_seen_is_told_at_once_and_pressing() -> None:
    by = brief()
    seen, frames = by.take(np.concatenate([handshake(), row(Kind.ICMP_SYN, IN, 40)]), [b"", b"", b"", b"error"])
    assert (seen["kind"].tolist(), frames) == ([Kind.ICMP_SYN], [b"error"])
    assert by.wait(1.0) == OFTEN


def test_the_coverage_statement_goes_no_further_than_what_is_held() -> None:
    by = brief()
    assert by.until(900) == 900
    by.take(handshake(), [b""] * 3)
    assert by.until(900) == 9
    assert told(by, handshake()[:0], 9 + HELD_NS) == []
    assert by.until(900) == 9, "not long enough"
    by.settle(10 + HELD_NS)
    assert by.until(900) == 900
    by.take(handshake()[:2], [b"", b""])
    rows, frames = by.all()
    assert (len(rows), len(frames), by.until(900)) == (2, 2, 900)


def test_failures_and_what_was_asked_for_are_told_soon_and_for_a_while() -> None:
    by, outcome = brief(), np.zeros(1, OUTCOME)
    outcome["state"] = State.ANSWERED
    assert (len(by.ended(outcome)), by.wait(0.0)) == (1, 5.0)
    for name, value in (("state", State.TIMED_OUT), ("run", 1)):
        failed = outcome.copy()
        failed[name] = value
        by.ended(failed)
        assert (by.wait(10.0), by.wait(10.0 + PRESSED), by.wait(10.1 + PRESSED)) == (OFTEN, OFTEN, 5.0)
    by.press()
    assert by.wait(20.0) == OFTEN
