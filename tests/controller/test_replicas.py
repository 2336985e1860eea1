"""Two controllers on one PostgreSQL: agents talk to either, one keeps what follows, another goes on when it dies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.fleet import postgres
from bench.fleet.world import enrolled
from prober.controller import holding, keeper
from prober.errors import Deposed, StoreUnavailable
from prober.flows import Finding, Losses, Shape, Side
from prober.handshake import State
from prober.report import Orders, Report, decode_orders, encode
from prober.store import findings, runs, verdicts
from prober.verdict import Confidence, Label, Verdict
from tests.controller.centres import Controller, Signing, controller
from tests.controller.reports import Reporter

PAIR = ("firewall", "ingress")


@pytest.fixture
def both(
    tmp_path: Path, cluster: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Controller, Controller]]:  # fmt: skip
    monkeypatch.setattr(holding, "LASTS", 1.0)
    monkeypatch.setattr(holding, "RENEW", 0.2)
    with ExitStack() as stack:
        url = postgres.database(cluster)
        one, other = (stack.enter_context(controller(tmp_path, database=url)) for _ in range(2))
        yield one, other


def until(true: Callable[[], Any], seconds: float = 10.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def post(to: Controller, key: httpx.Auth, report: Report) -> Orders:
    answer = to.client.post("/agent/v1/reports", content=encode(report), auth=key)
    assert answer.status_code == 200, answer.text
    return decode_orders(answer.content)


def failed(by: Reporter, run: str = "") -> Report:
    row = by.probes("ingress", time.time_ns() - 5_000_000, State.NOT_SENT, error=101, run=bool(run))
    return by.report(["ingress"], [row], runs=["", run])


def test_the_holder_dies_and_another_goes_on(both: tuple[Controller, Controller]) -> None:
    one, other = both
    assert (one.centre.record.held, other.centre.record.held) == (True, False)
    key = Signing(enrolled(one.centre.store, "firewall", "firewall"))
    by = Reporter("firewall", one.centre.dispatch.number("firewall"), 5)

    # an agent reports to either; both show it
    post(one, key, by.answered())
    post(other, key, by.answered())
    for each in both:
        until(lambda each=each: each.client.get("/api/v1/paths/firewall/ingress").json()["cell"]["sent"] == 2)

    # a run that one was asked for, with a key that the other knows, goes to the agent wherever it reports, once
    asked = {"json": {"from": ["firewall"], "to": ["ingress"]}, "headers": {"Idempotency-Key": "k"}}
    run = one.client.post("/api/v1/runs", **asked).json()["id"]
    assert other.client.post("/api/v1/runs", **asked).json()["id"] == run
    until(lambda: "firewall" in other.centre.errands.waiting)
    report = by.answered()
    assert [task.run for task in post(other, key, report).once] == [run]
    assert [task.run for task in post(one, key, report).once] == [run], "its answer was lost"
    assert post(one, key, by.answered()).once == []

    mine = one.centre.runs.known[run]

    # what an experiment found is shown by both, as of the same probe
    cell = one.centre.desk.matrix.cells[PAIR]
    said = Verdict(Label.INTERMITTENT, Confidence.LIKELY, "a dead leg")
    losses = (Losses(Side.BACK, {20480: (3, 3), 20481: (3, 0)}, Shape.LEG),)
    cell.finding = Finding(said, losses, one.centre.now() + 60.0, 0.5)
    cell.tried = {"many flows": "3 failed"}
    one.centre.desk.looking.found.add(PAIR)
    shown = other.centre.desk.matrix.cells[PAIR]
    until(lambda: shown.finding)
    assert shown.finding is not None
    assert abs(shown.finding.upto - cell.finding.upto) < 0.5
    assert (shown.finding.losses, shown.tried, shown.verdict(other.centre.now())) == (losses, cell.tried, said)

    # the holder hangs: its lease runs out, the other closes the run, and what the first still writes fails
    def hangs(*_: Any) -> None:
        raise StoreUnavailable("it hangs")

    one.centre.record.holding.seek = hangs  # type: ignore[method-assign,assignment]
    one.centre.tail.catch_up = hangs  # type: ignore[method-assign,assignment]
    until(lambda: other.centre.record.held)
    post(other, key, failed(by, run))
    store = other.centre.store
    until(lambda: (kept := runs.get_run(store, run)) and kept.state == "finished")
    closed = runs.get_run(store, run)
    assert other.client.get(f"/api/v1/runs/{run}").json()["judged"] == 1
    with pytest.raises(Deposed):
        keeper.revise_run(one.centre.record.holding.store, mine, {"judged": 7})
    until(lambda: run not in one.centre.runs.known)
    assert runs.get_run(store, run) == closed
    assert one.client.get(f"/api/v1/runs/{run}").json()["judged"] == 1
    assert [kept.verdict.label for kept in verdicts.run_verdicts(store, run)] == ["local"]


def test_what_was_judged_and_not_kept_when_the_holder_died_is_kept_by_the_next(
    both: tuple[Controller, Controller], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = both
    key = Signing(enrolled(one.centre.store, "firewall", "firewall"))
    by = Reporter("firewall", one.centre.dispatch.number("firewall"), 5)
    monkeypatch.setattr(one.centre.record, "keep", lambda _: None)
    monkeypatch.setattr(one.centre.record, "save", lambda: None)
    for _ in range(3):
        post(one, key, failed(by))
    until(lambda: other.centre.desk.matrix.cells[PAIR].sent == 3)
    assert verdicts.history(one.centre.store, *PAIR) == []

    async def gone() -> None:
        return None

    one.centre.record.holding.seek = gone  # type: ignore[method-assign]
    until(lambda: other.centre.record.held)
    until(lambda: len(verdicts.history(other.centre.store, *PAIR)) == 3)
    standing = other.centre.desk.tally.ledger.attainment("firewall-to-ingress", time.time())
    assert (standing.good, standing.total) == (0, 0), "a SYN that was never sent counts not"


def test_an_incident_is_the_same_on_both_and_outlives_who_opened_it(both: tuple[Controller, Controller]) -> None:
    one, other = both
    key = Signing(enrolled(one.centre.store, "firewall", "firewall"))
    by = Reporter("firewall", one.centre.dispatch.number("firewall"), 5)

    def told(by_: Controller, path: str = "?open=true") -> list[dict[str, Any]]:
        return list(by_.client.get(f"/api/v1/incidents{path}").json()["incidents"])

    for _ in range(4):
        post(one, key, failed(by))
    (opened,) = until(lambda: told(other))
    assert (opened["label"], opened["cells_failing"]) == ("local", 1)
    assert [each["id"] for each in told(one)] == [opened["id"]]

    async def gone() -> None:
        return None

    one.centre.record.holding.seek = gone  # type: ignore[method-assign]
    until(lambda: other.centre.record.held)
    for _ in range(4):
        post(other, key, by.answered())
    (closed,) = until(lambda: told(one, "?open=false"))
    assert (closed["id"], closed["opened_at"]) == (opened["id"], opened["opened_at"])
    assert closed["closed_because"] == "healed"
    assert told(other, "") == [closed]


def test_one_agent_that_lies_keeps_nobody_elses_record_from_being_written(both: tuple[Controller, Controller]) -> None:
    one, _ = both
    keys = {name: Signing(enrolled(one.centre.store, name, name)) for name in ("lb", "firewall")}
    mean, honest = (Reporter(name, one.centre.dispatch.number(name), 5) for name in keys)
    for run, status in (("x\0y", 400), ("x" * 10_000, 200)):
        answer = one.client.post("/agent/v1/reports", content=encode(failed(mean, run)), auth=keys["lb"])
        assert answer.status_code == status
        before = len(verdicts.history(one.centre.store, *PAIR))
        post(one, keys["firewall"], failed(honest))
        until(lambda before=before: len(verdicts.history(one.centre.store, *PAIR)) == before + 1)
    assert one.client.get("/readyz").status_code == 200
    assert one.client.get("/api/v1/runs/a%00b").status_code == 404


def test_what_cannot_be_read_of_another_controllers_work_stops_nothing_else(
    both: tuple[Controller, Controller], tmp_path: Path
) -> None:
    one, other = both
    findings.keep(one.centre.store, [(PAIR, b"of a version that is not out yet")])
    time.sleep(1.2)
    run = one.client.post("/api/v1/runs", json={"from": ["firewall"], "to": ["ingress"]}).json()["id"]
    until(lambda: run in other.centre.runs.known)
    with controller(tmp_path, database=other.centre.settings.database_url) as third:
        assert run in third.centre.runs.known


def test_a_look_that_fails_is_not_the_last_one(
    both: tuple[Controller, Controller], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = both
    for what, name in ((other.centre.runs, "look"), (other.centre.tail, "_read")):
        with monkeypatch.context() as broken:
            broken.setattr(what, name, lambda *_: {}["nothing"])
            time.sleep(1.5)
    key = Signing(enrolled(one.centre.store, "firewall", "firewall"))
    post(one, key, Reporter("firewall", one.centre.dispatch.number("firewall"), 5).answered())
    run = one.client.post("/api/v1/runs", json={"from": ["firewall"], "to": ["ingress"]}).json()["id"]
    until(lambda: run in other.centre.runs.known and other.centre.desk.matrix.cells[PAIR].sent == 1)
