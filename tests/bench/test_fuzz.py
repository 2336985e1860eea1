"""The fuzzers find what falls over, and here nothing does."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

from bench import fuzz
from prober.errors import Refused
from prober.segment import Batch
from prober.wire import codec


def given(executions: int) -> argparse.Namespace:
    return argparse.Namespace(executions=executions, seconds=60.0, seed=1)


@pytest.mark.parametrize(
    ("name", "executions"), [("packets", 40_000), ("reports", 1_000), ("chat", 5_000), ("targets", 300)]
)
def test_nothing_falls_over(name: str, executions: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz.tried(name, given(executions)) == 0
    assert f"fuzz: {name}: {executions:,} executions in" in capsys.readouterr().out


def test_a_parser_that_raises_anything_but_a_refusal_has_crashed() -> None:
    fuzz.refusing(lambda _: raising(Refused("no such name")), "x")
    with pytest.raises(fuzz.Crash, match="what it was given"):
        fuzz.refusing(lambda _: raising(IndexError("out of range")), "what it was given")


def test_a_packet_that_is_read_two_ways_is_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    parse = codec.parse

    def wrong(data: Batch, lengths: Batch) -> tuple[Batch, Batch]:
        read, rows = parse(data, lengths)
        read["seq"][:1] += 1
        return read, rows

    monkeypatch.setattr(codec, "parse", wrong)
    assert fuzz.tried("packets", given(20_000)) == 1


def test_a_report_whose_judging_fails_is_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.controller.desk.classify", lambda _: raising(KeyError("no such place")))
    assert fuzz.tried("reports", given(5_000)) == 1


def test_what_is_spoilt_is_near_what_it_was() -> None:
    chance, raw = np.random.default_rng(1), b"0123456789" * 20
    others = {fuzz.spoilt(raw, chance) for _ in range(100)}
    assert len(others) > 80
    assert all(abs(len(one) - len(raw)) <= 4 * 64 for one in others)


def raising(error: Exception) -> None:
    raise error
