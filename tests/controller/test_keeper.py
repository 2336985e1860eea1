"""What outlives the process: a turn, a run, as the store keeps them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from bench.fleet import postgres
from prober.controller import keeper
from prober.controller.desk import Desk
from prober.controller.judged import Day
from prober.controller.rounds import new_run
from prober.controller.runs import AN_HOUR, GOES_ON
from prober.handshake import State
from prober.ondisk import read_targets
from prober.store import runs, verdicts
from prober.store.engine import Store, open_store
from prober.store.schema import upgrade
from tests.controller.centres import TARGETS
from tests.controller.reports import MS, Reporter

LONG = "experiment-1234567.890-ip-10-0-12-34.eu-central-1.compute.internal"
"""As an experiment is named whose agent has the name that its cloud gave it."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path / 'prober.sqlite'}"
    upgrade(url)
    one = open_store(url)
    yield one
    one.close()


def test_a_run_that_nobody_runs_any_more_reads_as_cancelled(store: Store) -> None:
    request = {"from": ["firewall"], "to": [], "flows": None}
    runs.create_run(store, runs.Run("r1", "running", "me", 5, request=request))
    assert keeper.stored_run(store, "r1")["state"] == "cancelled"
    with pytest.raises(KeyError):
        keeper.stored_run(store, "r2")


def test_a_failure_is_kept_however_long_the_name_of_its_experiment_is(cluster: str) -> None:
    url = postgres.database(cluster)
    upgrade(url)
    store, desk, by = open_store(url), Desk(read_targets(TARGETS)), Reporter("firewall")
    row = by.probes("ingress", time.time_ns() - 100 * MS, State.NOT_SENT, error=101)
    desk.take(by.report(["ingress"], [row]), 10_000.0)
    [judged] = [one for step in range(30) for one in desk.judge(10_000.0 + step / 10, time.time()).judged][:1]
    told = replace(judged, observation=msgspec.structs.replace(judged.observation, run=LONG))
    for _ in range(2):
        keeper.keep(store, Day([told]))
    assert [one.run for one in verdicts.run_verdicts(store, LONG[: verdicts.LONGEST_RUN])] == [LONG[:64]]
    store.close()


@pytest.mark.parametrize("ahead", [7200.0, -7200.0])
def test_a_run_counts_and_is_found_whatever_the_clock_of_its_controller_shows(store: Store, ahead: float) -> None:
    run = new_run("r1", read_targets(TARGETS), [], [], None, "me", 0.0, time.time() + ahead)
    assert keeper.new_run(store, run, {"from": [], "to": [], "flows": None}, [])
    assert runs.count_runs(store, AN_HOUR) == 1
    assert [one.id for one in runs.open_runs(store, GOES_ON)] == ["r1"]
    (made,) = runs.list_runs(store)
    assert abs(made.created_ns / 1e9 - time.time()) < 5.0
