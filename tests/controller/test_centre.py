"""One controller's life: judging goes on whatever happens, and what was counted is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from bench.fleet import postgres
from bench.fleet.world import enrolled
from prober import segment
from prober.controller import keeper
from prober.controller.centre import Centre
from prober.controller.judged import Day
from prober.errors import StoreUnavailable
from prober.handshake import State
from prober.probe import Kind
from prober.report import Gap, Report, encode
from prober.segment import IN, OUT
from prober.store import bounded, minutes, reports, runs
from prober.store.engine import Store
from prober.store.flips import last_flips
from tests.controller.centres import Controller, Signing, controller
from tests.controller.reports import Reporter
from tests.hanging import hanging


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Controller]:
    with controller(tmp_path) as one:
        yield one


def taken(centre: Centre, report: Report) -> None:
    """A report, as if it had just been written."""
    centre.tail.take(report, time.time_ns(), time.monotonic())


def until(true: Callable[[], Any], seconds: float = 8.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_turn_that_fails_is_counted_and_judging_goes_on(running: Controller) -> None:
    desk, judge = running.centre.desk, running.centre.desk.judge
    failed: list[int] = []

    def spoilt(now: float, wall: float) -> Any:
        if not failed:
            failed.append(1)
            raise ZeroDivisionError("spoilt")
        return judge(now, wall)

    desk.judge = spoilt  # type: ignore[method-assign]
    until(lambda: failed)
    taken(running.centre, Reporter("firewall").answered())
    until(lambda: desk.matrix.cells["firewall", "ingress"].sent == 1)
    assert desk.faults == 1
    assert running.client.get("/readyz").json()["faults"] == 1


def test_readyz_fails_where_judging_has_stopped(running: Controller) -> None:
    assert running.centre.trouble() is None
    running.centre.now = lambda: time.monotonic() + 60.0  # type: ignore[method-assign]
    running.centre._turned = time.monotonic()
    assert "nothing has been judged for 60 s" in str(running.centre.trouble())


def test_judging_goes_on_while_the_store_is_away_and_nothing_is_lost(
    running: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre, keep, away = running.centre, keeper.keep, [True]

    def kept(store: Store, day: Day) -> None:
        if away:
            raise StoreUnavailable("the database is away")
        keep(store, day)

    monkeypatch.setattr("prober.controller.keeper.keep", kept)
    taken(centre, Reporter("firewall").answered())
    until(lambda: centre.desk.matrix.cells["firewall", "ingress"].sent == 1)
    until(lambda: centre.behind.trouble)
    assert running.client.get("/readyz").status_code == 503
    assert running.client.get("/api/v1/matrix").status_code == 200
    away.clear()
    until(lambda: centre.behind.trouble is None and not len(centre.behind))
    assert centre.behind.lost == 0


def test_what_was_counted_is_written_while_it_runs_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prober.controller.record.SAVE_EVERY", 0.1)
    by = Reporter("firewall")
    with controller(tmp_path) as one:
        taken(one.centre, by.answered())
        until(lambda: minutes.objective_minutes(one.centre.store))
        monkeypatch.setattr("prober.controller.record.SAVE_EVERY", 3600.0)
        taken(one.centre, by.answered())
        until(lambda: one.centre.desk.matrix.cells["firewall", "ingress"].sent == 2)
    with controller(tmp_path) as one:
        standing = one.centre.desk.tally.ledger.attainment("firewall-to-ingress", time.time())
        assert (standing.good, standing.total) == (2, 2)


def test_a_run_that_ends_is_kept_as_it_ended(running: Controller) -> None:
    run_id = running.client.post("/api/v1/runs", json={"from": ["lb"], "to": ["pod2"]}).json()["id"]
    cancelled = running.client.delete(f"/api/v1/runs/{run_id}").json()
    until(lambda: (kept := runs.get_run(running.centre.store, run_id)) and kept.body)
    del running.centre.runs.known[run_id]
    assert running.client.get(f"/api/v1/runs/{run_id}").json() == cancelled


def test_many_runs_do_not_fill_the_memory(running: Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.controller.runs.KEEP_RUNS", 3)
    for _ in range(8):
        location = running.client.post("/api/v1/runs", json={"from": ["lb"], "to": ["pod2"]}).headers["location"]
        running.client.delete(location)
    assert len(running.centre.runs.known) == 3
    until(lambda: not running.centre.desk.runs)
    assert running.client.get("/api/v1/runs").json()["runs"][-1]["state"] == "cancelled"


def test_an_agents_note_is_shown_beside_its_name(running: Controller) -> None:
    taken(running.centre, Reporter("firewall").report([], [], notes=["can't listen on port 7007"]))
    told = {one["name"]: one for one in running.client.get("/api/v1/agents").json()["agents"]}
    assert told["firewall"]["note"] == "can't listen on port 7007"
    assert told["firewall"]["age_seconds"] < 5


def test_a_flip_reaches_the_store(running: Controller) -> None:
    by = Reporter("firewall")
    for _ in range(3):
        row = by.probes("ingress", time.time_ns() - 5_000_000, State.NOT_SENT, error=101)
        taken(running.centre, by.report(["ingress"], [row]))
        time.sleep(0.1)
    until(lambda: last_flips(running.centre.store))
    assert last_flips(running.centre.store)[0][1].after == "local"


def test_a_run_that_is_over_still_gains_what_comes_late_and_is_kept_so(
    running: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cell() -> dict[str, Any]:
        return dict(running.client.get(f"/api/v1/runs/{run_id}").json()["cells"][0])

    monkeypatch.setattr("prober.controller.runs.HOLD", 1.5)
    by, sent = Reporter("firewall"), time.time_ns() - 1_100_000_000
    run_id = running.client.post("/api/v1/runs", json={"from": ["firewall"], "to": ["ingress"]}).json()["id"]
    row = by.probes("ingress", sent, State.TIMED_OUT, run=1)
    taken(running.centre, by.report(["ingress"], [row], [by.sees(row, Kind.SYN, OUT)], runs=["", run_id]))
    until(lambda: running.client.get(f"/api/v1/runs/{run_id}").json()["state"] == "finished")
    assert cell()["label"] == "unknown"
    late = by.sees(row, Kind.ICMP_SYN, IN)
    late["icmp_type"], late["icmp_code"], late["time_ns"] = 3, 1, sent + 3_070_000_000
    late["icmp_hi"], late["icmp_lo"] = segment.pair("10.224.0.1")
    taken(running.centre, by.report([], [], [late]))
    until(lambda: cell()["cause"] == "F6")
    assert running.client.get(f"/api/v1/runs/{run_id}").json()["judged"] == 1, "it is the same probe"
    evidence = running.client.get("/api/v1/paths/firewall/ingress").json()["verdict"]["evidence"]
    assert any(one.startswith("revised: before more was seen it was unknown") for one in evidence)
    until(lambda: not running.centre.desk.runs)
    del running.centre.runs.known[run_id]
    until(lambda: cell()["cause"] == "F6")


def test_a_store_that_hangs_keeps_nobody_waiting_for_ever_and_loses_nothing(
    tmp_path: Path, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded, "READS", 1.0)
    monkeypatch.setattr(bounded, "WRITES", 1.0)
    with hanging(postgres.database(cluster)) as between, controller(tmp_path, database=between.url) as one:
        keys = {name: Signing(enrolled(one.centre.store, name, name)) for name in ("firewall", "lb")}
        by = {name: Reporter(name, at, 5) for at, name in enumerate(keys)}
        sent = [by[name].report([], []) for name in ("firewall", "firewall", "lb", "firewall")]

        def post(report: Report) -> int:
            content, key = encode(report), keys[report.agent]
            return httpx.post(f"{one.url}/agent/v1/reports", content=content, auth=key, timeout=30).status_code

        assert post(sent[0]) == 200
        between.flows.clear()
        token = {"Authorization": "Bearer prb_0123456789ab.x"}
        with ThreadPoolExecutor(40) as others:  # one agent's number is not known, many tokens aren't
            waiting = [others.submit(post, report) for report in sent[1:]]
            waiting += [
                others.submit(lambda: httpx.get(f"{one.url}/metrics", headers=token, timeout=30).status_code)
                for _ in range(20)
            ]
            began = time.monotonic()
            assert httpx.get(f"{one.url}/livez", timeout=30).status_code == 200
            assert time.monotonic() - began < 3.0
            assert {future.result() for future in waiting} == {503}
        between.flows.set()
        assert [post(report) for report in sent] == [200] * 4
        named = sorted((row.agent, row.sequence) for row in reports.recent_reports(one.centre.store, 0))
    assert named == [("firewall", 1), ("firewall", 2), ("firewall", 3), ("lb", 1)]


def test_an_agent_that_writes_thousands_of_notes_does_not_fill_the_log(running: Controller) -> None:
    gaps = [Gap(5, at, at, 0, 0) for at in range(1, 5001)]
    report = Reporter("firewall").report([], [], notes=[f"note {n}" for n in range(5000)], gaps=gaps)
    with structlog.testing.capture_logs() as logged:
        running.centre._taken(report, running.centre.now(), 1, True)
    said = [entry["event"] for entry in logged]
    assert (said.count("an agent says"), said.count("an agent let reports go")) == (50, 50)
    assert running.centre.fleet.let_go["firewall"] == 5000
