"""A start: it goes on from what was written, and judges again what was not judged to its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prober.controller import keeper, resume
from prober.controller.desk import Desk
from prober.flip import Flip
from prober.handshake import State
from prober.ondisk import read_targets
from prober.report import Report, encode
from prober.store import flips, minutes, reports, verdicts
from prober.store.engine import Store, open_store
from prober.store.schema import upgrade
from tests.controller.centres import TARGETS
from tests.controller.reports import MS, Reporter

PAIR = ("firewall", "ingress")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'prober.sqlite'}"
    upgrade(url)
    one = open_store(url)
    yield one
    one.close()


def taken(store: Store, report: Report, ago: float) -> None:
    """A report that came `ago` seconds ago, from an agent that wrote it then."""
    report.clock_ns = time.time_ns() - int(ago * 1e9)
    reports.append(store, [(report.agent, report.epoch, report.sequence, report.clock_ns, encode(report))])


def probed(by: Reporter, ago: float, state: State = State.ANSWERED) -> Report:
    row = by.probes(
        "ingress", time.time_ns() - int(ago * 1e9) - 100 * MS, state, error=101 if state == State.NOT_SENT else 0
    )
    return by.report(["ingress"], [row])


def started(store: Store) -> Desk:
    """The desk of a controller that starts now, after what was pending has been judged."""
    desk = Desk(read_targets(TARGETS))
    wall, now = time.time(), 10_000.0
    keeper.keep(store, resume.rejoin(store, desk, now)[0])
    for step in range(30):
        keeper.keep(store, desk.judge(now + step / 10, wall + step / 10))
    return desk


def counts(desk: Desk) -> tuple[int, int]:
    standing = desk.tally.ledger.attainment("firewall-to-ingress", time.time() + 5)
    return standing.good, standing.total


def test_a_start_after_a_kill_judges_what_was_acknowledged(store: Store) -> None:
    by = Reporter("firewall")
    for ago in (4.0, 3.0, 2.0, 1.0, 0.5):
        taken(store, probed(by, ago), ago)
    desk = started(store)
    assert desk.matrix.cells[PAIR].sent == 5
    assert counts(desk) == (5, 5)


@pytest.mark.parametrize("kept", range(7))
def test_no_probe_is_counted_twice_whenever_the_controller_ended(store: Store, kept: int) -> None:
    by, before = Reporter("firewall"), Desk(read_targets(TARGETS))
    now, wall = 5_000.0, time.time()
    told = [(probed(by, ago), ago) for ago in (70.0, 65.0, 20.0, 10.0, 5.0, 4.0)]
    for index, (report, ago) in enumerate(told):
        taken(store, report, ago)
        if index < kept:
            before.take(report, now - ago, report.clock_ns)
            for step in range(9):
                before.judge(now - ago + step / 10, wall - ago + step / 10)
            rows = before.tally.counts.settle(int((wall - ago + 0.9) * 1e9), 2**62)
            minutes.put_objective_minutes(store, rows, before.tally.counts.until_ns)
    assert counts(started(store)) == (6, 6)
    assert counts(started(store)) == (6, 6)


def test_controllers_that_die_before_they_write_any_count_lose_none(store: Store) -> None:
    """Each lives for a moment only, over several minutes."""
    by = Reporter("firewall")
    for ago in range(400, 0, -10):
        taken(store, probed(by, ago + 0.5), ago + 0.5)
    assert counts(started(store)) == (40, 40)


def test_a_report_that_comes_late_is_counted_once_though_its_minute_was_written(store: Store) -> None:
    by, before, wall = Reporter("firewall"), Desk(read_targets(TARGETS)), time.time()
    early, late = probed(by, 300.0), probed(by, 290.0)
    taken(store, early, 299.0)
    before.take(early, 5_000.0, early.clock_ns)
    for step in range(30):
        before.judge(5_000.0 + step / 10, wall - 299.0 + step / 10)
    minutes.put_objective_minutes(
        store, before.tally.counts.settle(int((wall - 200) * 1e9), 2**62), before.tally.counts.until_ns
    )
    late.clock_ns = time.time_ns() - 200_000_000_000
    received = time.time_ns() - 100_000_000_000
    reports.append(store, [("firewall", 1, late.sequence, received, encode(late))])
    assert counts(started(store)) == (2, 2)


def test_a_failure_is_kept_once_however_often_the_controller_starts(store: Store) -> None:
    by = Reporter("firewall")
    for ago in (3.0, 2.0):
        taken(store, probed(by, ago, State.NOT_SENT), ago)
    for _ in range(3):
        started(store)
    kept = verdicts.history(store, *PAIR, 50)
    assert len(kept) == len({one.probe for one in kept}) == 2


def test_flips_that_were_told_are_not_told_again_after_a_start(store: Store) -> None:
    flips.add_flips(store, [Flip(time.time() - 60, *PAIR, "healthy", "local", "…")])
    by = Reporter("firewall")
    for ago in (4.0, 3.0, 2.0, 1.0):
        taken(store, probed(by, ago, State.NOT_SENT), ago)
    desk = started(store)
    assert desk.debounce.told[PAIR] == "local"
    assert [flip.after for _, flip in flips.last_flips(store)] == ["local"]


def test_a_report_that_cannot_be_read_any_more_does_not_keep_the_controller_from_starting(store: Store) -> None:
    reports.append(store, [("firewall", 1, 1, time.time_ns(), b"\xc1 not msgpack")])
    taken(store, probed(Reporter("firewall", epoch=2), 1.0), 1.0)
    day, _, _ = resume.rejoin(store, desk := Desk(read_targets(TARGETS)), 100.0)
    assert len(day.faults) == 1
    assert "report 1/1 of firewall" in day.faults[0]
    assert desk.joiner.pending


def test_only_minutes_that_changed_are_written(store: Store) -> None:
    desk = Desk(read_targets(TARGETS))
    desk.tally.counts.settled.count("firewall-to-ingress", 600, 1, 1)
    desk.tally.counts.count(5, "firewall-to-ingress", 1200, 1)
    desk.tally.counts.count(9, "firewall-to-ingress", 1200, 0)
    minutes.put_objective_minutes(store, desk.tally.counts.settle(7, 2**62), desk.tally.counts.until_ns)
    assert [tuple(row) for row in minutes.objective_minutes(store)] == [("firewall-to-ingress", 1200, 1, 1)]
    assert minutes.counted_until(store) == 7
    assert desk.tally.counts.settle(8, 2**62) == []
    assert desk.tally.counts.settle(9, 2**62) == [("firewall-to-ingress", 1200, 1, 2)]


def test_an_empty_store_starts_with_nothing(store: Store) -> None:
    desk = started(store)
    assert counts(desk) == (0, 0)
    assert all(not cell.recent for cell in desk.matrix.cells.values())
