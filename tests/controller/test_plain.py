"""Answers told briefly count as those that are judged one by one, and nothing else of a report is taken for one."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from prober import plan
from prober.columns import Columns
from prober.controller.desk import Desk
from prober.handshake import REFUSED_ONCE, State
from prober.ondisk import read_targets
from prober.probe import Kind
from prober.report import Report
from prober.segment import IN
from prober.verdict import Label
from tests.controller.centres import TARGETS
from tests.controller.reports import MS, Reporter

PAIR = ("firewall", "ingress")
NAMES = ["ingress", "pod2", "node1"]


@pytest.fixture
def declared():
    return read_targets(TARGETS)


@pytest.fixture
def small(declared) -> Desk:
    return Desk(declared)


@pytest.fixture
def large(declared, small, monkeypatch) -> Desk:
    """A desk that takes the demo for a fleet in which one of a million handshakes is told whole."""
    monkeypatch.setattr(plan, "EACH_UP_TO", 0.0)
    monkeypatch.setattr(plan, "WHOLE_A_SECOND", 1e-5)
    desk = Desk(declared)
    assert isinstance(desk.matrix, Columns) and desk.plain.whole > 1_000_000
    return desk


def test_a_cell_whose_target_has_no_address_yet_says_so_in_a_large_fleet_too(declared, large):
    targets = [replace(one, address=None, hostname="ingress.example.org") for one in declared.targets]
    large.adopt(replace(declared, targets=tuple(targets)))
    waiting = large.matrix.cells[PAIR].verdict(5.0)
    assert waiting.missing == ("the host name of ingress has not been resolved",)
    large.adopt(declared)
    assert large.matrix.hold(PAIR).verdict(5.0).missing != waiting.missing


def told(reporter: Reporter, names: list[str], states: list[State], ago_ms: int = 200, **given) -> Report:
    """Outcomes alone, one a name."""
    rows = [
        reporter.probes(name, time.time_ns() - ago_ms * MS, state) for name, state in zip(names, states, strict=True)
    ]
    return reporter.report(names, rows, **given)


def turn(desk: Desk, now: float, wall: float, seconds: float = 3.0) -> list[Label]:
    return [
        one.verdict.label
        for step in range(int(seconds * 10))
        for one in desk.judge(now + step / 10, wall + step / 10).judged
    ]


def test_they_count_as_if_each_had_been_judged(small, large):
    reporter, wall = Reporter("firewall"), time.time()
    report = told(reporter, NAMES, [State.ANSWERED] * 3)
    for desk in (small, large):
        assert desk.take(report, 100.0, time.time_ns()) is None
    assert turn(large, 100.0, wall) == [] and turn(small, 100.0, wall) == [Label.HEALTHY] * 3
    assert large.tally.labels == small.tally.labels == {"healthy": 3}
    assert large.tally.ledger.rows() == small.tally.ledger.rows() and large.tally.ledger.rows()[0][2:] == (1, 1)
    settled = [desk.tally.counts.settle(time.time_ns(), 2**62) for desk in (small, large)]
    assert settled[0] == settled[1] == large.tally.ledger.rows()
    for name in NAMES:
        mine, theirs = (desk.matrix.cells["firewall", name] for desk in (large, small))
        assert (
            (mine.sent, mine.answered, mine.rtt_ms()) == (theirs.sent, theirs.answered, theirs.rtt_ms()) == (1, 1, 1.0)
        )
        assert mine.age(101.0) == pytest.approx(theirs.age(101.0), abs=1e-6)
    assert large.matrix.held == {}


def test_what_the_store_counts_already_is_not_counted_again(large):
    large.tally.counts.until_ns = 2_000
    large.take(told(Reporter("firewall"), ["ingress"], [State.ANSWERED]), 100.0, 2_000)
    assert large.tally.ledger.rows() == [] and large.matrix.cells[PAIR].sent == 1


def test_latency_is_part_of_the_promise(large, declared):
    [promise] = [one for one in declared.objectives if one.name == "firewall-to-ingress"]
    assert promise.latency_ms is not None
    reporter = Reporter("firewall")
    for rtt_ms in (promise.latency_ms, promise.latency_ms + 1, 0):
        row = reporter.probes("ingress", time.time_ns() - 3_000 * MS, rtt_ns=int(rtt_ms * MS))
        large.take(reporter.report(["ingress"], [row]), 100.0, time.time_ns())
    assert [row[2:] for row in large.tally.ledger.rows() if row[0] == promise.name] == [(1, 3)]


def test_what_failed_is_judged_one_by_one_and_its_cell_holds_all_that_comes(large):
    reporter, wall = Reporter("firewall"), time.time()
    large.take(told(reporter, NAMES, [State.TIMED_OUT, State.ANSWERED, State.ANSWERED], 2_000), 100.0, time.time_ns())
    assert [label for label in turn(large, 100.0, wall) if label.passes] == []
    assert list(large.matrix.held) == [PAIR] and large.matrix.cells[PAIR].sent == 1
    large.take(told(reporter, ["ingress"], [State.ANSWERED]), 104.0, time.time_ns())
    assert Label.HEALTHY in turn(large, 104.0, wall + 4.0)
    assert large.matrix.held[PAIR].sent == 2 and large.tally.labels["healthy"] == 3


def test_of_a_probe_that_somebody_saw_more_is_said(large):
    reporter, wall = Reporter("firewall"), time.time()
    row = reporter.probes("ingress", time.time_ns() - 200 * MS)
    node = Reporter("node1")
    large.take(node.report([], [], [node.sees(row, Kind.SYN, IN)]), 99.9, time.time_ns())
    large.take(reporter.report(["ingress"], [row]), 100.0, time.time_ns())
    assert turn(large, 100.0, wall) == [Label.HEALTHY]
    assert list(large.matrix.held) == [PAIR]


CHOSEN = pow(0x9E3779B1, -1, 1 << 32)
"""A probe that is told whole however few are (`probe.is_whole`)."""


@pytest.mark.parametrize("case", ["run", "whole", "unknown target", "not its own pair", "refused first"])
def test_nothing_else_is_plain(large, case):
    reporter = Reporter("firewall")
    names = {"unknown target": ["nobody"], "not its own pair": ["ingress-via-lb"]}.get(case, ["ingress"])
    report = told(reporter, names, [State.ANSWERED], **({"runs": ["", "r1"]} if case == "run" else {}))
    rows = report.outcome_rows().copy()
    if case == "run":
        rows["run"] = 1
    if case == "whole":
        rows["probe"] = CHOSEN
    if case == "refused first":
        rows["error"] = REFUSED_ONCE
    report.outcomes = rows.tobytes()
    assert not large.plain.among(report, ()).any()


def test_a_report_of_the_past_is_counted_and_says_nothing_of_now(large):
    report = told(Reporter("firewall"), NAMES, [State.ANSWERED] * 3, 90_000, live=False)
    large.take(report, 500.0, time.time_ns())
    assert turn(large, 500.0, time.time(), 1.0) == []
    assert large.matrix.cells[PAIR].sent == 0 and large.tally.labels == {"healthy": 3}
    [row] = large.tally.ledger.rows()
    assert row[1] == pytest.approx(time.time() - 90, abs=61) and row[2:] == (1, 1)


def test_those_who_are_answered_are_peers_of_those_who_are_not(large):
    for name, ago_ms in (("lb", 3_000), ("lb", 500)):
        large.take(told(Reporter(name, epoch=ago_ms), ["ingress"], [State.ANSWERED], ago_ms), 100.0, time.time_ns())
    large.take(told(Reporter("firewall"), ["ingress"], [State.TIMED_OUT], 2_000), 100.0, time.time_ns())
    turn(large, 100.0, time.time())
    assert large.evidence[PAIR].observation.answering == ("lb",)


def test_a_fleet_of_a_million_pairs_is_numbers(large):
    assert large.matrix.newest.dtype == np.float64 and large.matrix.rtts.dtype == np.float32
    each = sum(side.itemsize for side in (large.matrix.newest, large.matrix.sent, large.matrix.answered))
    assert each + large.matrix.rtts.itemsize * large.matrix.rtts.shape[-1] <= 48, "bytes a cell"
