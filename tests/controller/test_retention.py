"""How long what is kept is kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from prober.controller import retention
from prober.controller.retention import Retention
from prober.ondisk import read_targets
from prober.report import encode
from prober.settings import load
from prober.store import errands, findings, minutes, reports
from prober.store.engine import Store, open_store
from prober.store.schema import upgrade
from tests.controller.centres import TARGETS
from tests.controller.reports import Reporter


def test_each_setting_keeps_what_it_names() -> None:
    names = ("reports", "passing", "failing", "matrix", "minutes", "incidents")
    spans = {name: days * 86_400.0 for days, name in enumerate(names, 4)}
    given = load(targets=TARGETS, **{f"keep_{name}": span for name, span in spans.items()})
    assert Retention.of(given)._asdict() == spans


def test_counts_are_kept_for_the_longest_window_and_never_less_than_the_burn_rates_need() -> None:
    declared = read_targets(TARGETS)
    (one, *_) = declared.objectives
    assert retention.longest(replace(declared, objectives=())) == retention.MINUTES_KEPT
    assert retention.longest(replace(declared, objectives=(replace(one, window=9e9),))) == 9e9


KEPT = Retention(*[900.0] * 6)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'prober.sqlite'}"
    upgrade(url)
    one = open_store(url)
    yield one
    one.close()


def taken(store: Store, by: Reporter, ago: float) -> None:
    """A report that came `ago` seconds ago."""
    one = by.answered()
    row = (one.agent, one.epoch, one.sequence, time.time_ns() - int(ago * 1e9), encode(one))
    reports.append(store, [row])


@pytest.mark.parametrize("ahead", [3600.0, -3600.0, 86_400.0 * 40])
def test_no_clock_of_a_controller_makes_a_report_old(store: Store, ahead: float) -> None:
    by, targets = Reporter("firewall"), read_targets(TARGETS)
    for ago in (1800.0, 5.0):
        taken(store, by, ago)
    errands.add(store, [errands.Errand("firewall", "r", b"work")])
    findings.keep(store, [(("firewall", "ingress"), b"found")])
    minutes.put_objective_minutes(store, [], time.time_ns())
    retention.prune(store, time.time() + ahead, targets, KEPT)
    assert [row.sequence for row in reports.recent_reports(store, 0)] == [2]
    assert (errands.waiting(store), len(findings.since(store, 0))) == ({"firewall"}, 1)


def test_a_report_that_is_not_counted_yet_is_never_old(store: Store) -> None:
    by, targets = Reporter("firewall"), read_targets(TARGETS)
    for ago in (7200.0, 3600.0):
        taken(store, by, ago)
    retention.prune(store, time.time(), targets, KEPT)
    assert [row.sequence for row in reports.recent_reports(store, 0)] == [1, 2]
    minutes.put_objective_minutes(store, [], time.time_ns() - 5_000_000_000_000)
    retention.prune(store, time.time(), targets, KEPT)
    assert [row.sequence for row in reports.recent_reports(store, 0)] == [2]
