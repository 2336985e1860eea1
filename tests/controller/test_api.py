"""`/api/v1` of a whole controller, as scripts, the page and the command line call it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.fleet.world import enrolled
from prober.controller import access, guard, record
from prober.flip import Flip
from prober.report import decode_orders, encode
from prober.store import flips, runs
from prober.surfaces.stamps import stamp
from tests.controller.centres import Controller, Signing, controller
from tests.controller.reports import Reporter

RUNS = "/api/v1/runs"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    with controller(tmp_path_factory.mktemp("api")) as one:
        yield one


@pytest.fixture
def running(shared: Controller) -> Controller:
    shared.judge_all()
    return shared


def problem(answer: httpx.Response, status: int) -> str:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    document = answer.json()
    assert document["status"] == status
    assert document["title"]
    return str(document["detail"])


class Agent:
    """An agent that reports and answers its runs' tasks."""

    def __init__(self, running: Controller, name: str, epoch: int) -> None:
        self.running = running
        self.key = Signing(enrolled(running.centre.store, name, name))
        self.reporter = Reporter(name, running.centre.dispatch.number(name), epoch)

    def post(self, report: Any) -> Any:
        answer = self.running.client.post("/agent/v1/reports", content=encode(report), auth=self.key)
        assert answer.status_code == 200, answer.text
        return decode_orders(answer.content)

    def obey(self) -> int:
        """Fetches what there is to do, and reports every task as answered; how many there were."""
        tasks = self.post(self.reporter.report([], [])).once
        rows = [self.reporter.probes(task.target, time.time_ns() - 10_000_000, run=1) for task in tasks]
        for task, row in zip(tasks, rows, strict=True):
            self.post(self.reporter.report([task.target], [row], runs=["", task.run]))
        return len(tasks)


def finished(running: Controller, location: str) -> dict[str, Any]:
    deadline = time.monotonic() + 15
    while (document := running.client.get(location).json())["state"] == "running":
        assert time.monotonic() < deadline, document
        time.sleep(0.05)
    return dict(document)


def test_the_matrix_is_filtered_by_names_of_zones_agents_and_targets(running: Controller) -> None:
    def pairs(**names: Any) -> set[tuple[str, str]]:
        document = running.client.get("/api/v1/matrix", params=names).json()
        return {(cell["source"], cell["target"]) for cell in document["cells"]}

    assert pairs(source="firewall", target="ingress") == {("firewall", "ingress")}
    assert pairs(source="nodes", target="ingress") == {(one, "ingress") for one in ("node1", "node2", "node19", "vm")}
    assert pairs(source=["firewall", "lb"], target="pod2") == {("firewall", "pod2"), ("lb", "pod2")}
    assert len(pairs()) == len(running.centre.desk.matrix.cells)
    assert "nowhere" in problem(running.client.get("/api/v1/matrix?source=nowhere"), 422)


def test_the_matrix_is_sent_again_only_where_a_verdict_changed(running: Controller) -> None:
    etag = running.client.get("/api/v1/matrix").headers["etag"]
    for given in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = running.client.get("/api/v1/matrix", headers={"If-None-Match": given})
        assert (answer.status_code, answer.content) == (304, b"")
    running.misroute()
    answer = running.client.get("/api/v1/matrix", headers={"If-None-Match": etag})
    assert answer.status_code == 200
    assert answer.headers["etag"] != etag


def test_the_matrix_is_shown_as_it_was(running: Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "SAVE_EVERY", 0.1)

    def then(at: str) -> httpx.Response:
        return running.client.get("/api/v1/matrix", params={"at": at, "source": "firewall", "target": "ingress"})

    def kept(label: str) -> str:
        deadline = time.monotonic() + 5
        while (answer := then(at := stamp(time.time()))).status_code == 404 or f'"{label}"' not in answer.text:
            assert time.monotonic() < deadline, answer.text
            time.sleep(0.05)
        return at

    well = kept("healthy")
    running.misroute()
    kept("return-path-misroute")
    document = then(well).json()
    assert (document["sentence"], document["findings"]) == ("The one path is healthy", [])
    assert document["zones"]["firewall"] == "firewall"
    cells = document["cells"]
    assert [(cell["source"], cell["target"], cell["label"]) for cell in cells] == [("firewall", "ingress", "healthy")]
    for never in ("2020-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"):
        assert "nothing is known of the matrix at" in problem(then(never), 404)
    assert "at" in problem(then("yesterday"), 422)
    assert "timezone" in problem(then("2026-01-01T00:00:00"), 422)


def test_a_path_shows_ladder_and_packets_and_its_capture_opens(running: Controller) -> None:
    by = Agent(running, "firewall", 21)
    by.post(by.reporter.answered())
    deadline = time.monotonic() + 5
    while not (document := running.client.get("/api/v1/paths/firewall/ingress").json())["ladder"]["steps"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert document["ladder"]["columns"][0] == {"id": "firewall", "role": "prober"}
    answer = running.client.get("/api/v1/paths/firewall/ingress.pcapng")
    assert running.client.get(document["links"]["pcapng"]).content == answer.content
    assert answer.content[:4] == b"\x0a\x0d\x0d\x0a"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''firewall-ingress.pcapng"


def test_a_pair_that_is_not_declared_and_one_without_a_capture_are_told_apart(running: Controller) -> None:
    assert "lb → vm" not in problem(running.client.get("/api/v1/paths/nope/ingress"), 404)
    assert "no declared pair" in problem(running.client.get("/api/v1/paths/nope/ingress.pcapng"), 404)
    assert "judged yet" in problem(running.client.get("/api/v1/paths/remote/pod2.pcapng"), 404)
    problem(running.client.get("/api/v1/paths/%2e%2e/%00%22"), 404)


def test_a_run_goes_from_its_start_to_pictures_of_its_end(running: Controller) -> None:
    answer = running.client.post(RUNS, json={"from": ["firewall"], "to": ["ingress", "pod2"]})
    location = answer.headers["location"]
    assert (answer.status_code, answer.json()["state"], answer.json()["pairs"]) == (202, "running", 2)
    by = Agent(running, "firewall", 22)
    assert by.obey() == 2
    document = finished(running, location)
    assert (document["state"], document["judged"]) == ("finished", 2)
    assert {cell["label"] for cell in document["cells"]} == {"healthy"}
    types = {form: running.client.get(f"{location}.{form}") for form in ("svg", "png", "csv")}
    assert types["svg"].headers["content-type"] == "image/svg+xml"
    assert types["png"].content[:8] == b"\x89PNG\r\n\x1a\n"
    assert types["csv"].text.splitlines()[0].startswith("source,")
    assert "svg" in problem(running.client.get(f"{location}.pdf"), 422)


def test_a_run_without_agents_is_over_soon_and_knows_nothing(running: Controller) -> None:
    location = running.client.post(RUNS, json={"from": ["remote"], "to": ["pod2"]}).headers["location"]
    document = finished(running, location)
    assert [(cell["label"], cell["sent"]) for cell in document["cells"]] == [("unknown", 0)]


def test_the_same_idempotency_key_starts_nothing_new(running: Controller) -> None:
    body, key = {"from": ["lb"], "to": ["pod2"]}, {"Idempotency-Key": "k1"}
    answers: list[httpx.Response] = []
    threads = [
        threading.Thread(target=lambda: answers.append(httpx.post(running.url + RUNS, json=body, headers=key)))
        for _ in range(5)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert {one.status_code for one in answers} == {202}
    assert len({one.headers["location"] for one in answers}) == 1
    other = running.client.post(RUNS, json={"from": ["lb"], "to": ["ingress"]}, headers=key)
    assert "another run" in problem(other, 422)


def test_a_run_is_cancelled_once_and_stays_so(running: Controller) -> None:
    location = running.client.post(RUNS, json={"from": ["vm"]}).headers["location"]
    first = running.client.delete(location)
    assert (first.status_code, first.json()["state"]) == (200, "cancelled")
    assert running.client.delete(location).json() == first.json()
    assert running.client.delete(f"{RUNS}/nope").status_code == 404


def test_runs_are_listed_newest_first_page_by_page(running: Controller) -> None:
    started = [running.client.post(RUNS, json={"from": ["vm"], "flows": 2}).json()["id"] for _ in range(3)]
    first = running.client.get(RUNS, params={"limit": 2}).json()
    rest = running.client.get(RUNS, params={"limit": 1, "cursor": first["cursor"]}).json()
    listed = [one["id"] for one in first["runs"] + rest["runs"]]
    assert listed == started[::-1]
    assert first["runs"][0] | {"from": ["vm"], "to": [], "flows": 2, "state": "running"} == first["runs"][0]


BAD_RUNS: list[tuple[dict[str, Any], int, str]] = [
    ({"json": {"from": ["nowhere"]}}, 422, "nowhere"),
    ({"json": {"form": ["firewall"]}}, 422, "form"),
    ({"json": {"from": "firewall"}}, 422, "from"),
    ({"json": {"flows": 0}}, 422, "flows"),
    ({"json": {"flows": 1.5}}, 422, "flows"),
    ({"json": {"from": ["x" * 101]}}, 422, "from"),
    ({"json": ["firewall"]}, 422, "body"),
    ({"content": b"{", "headers": {"Content-Type": "application/json"}}, 400, "the body is no JSON: Expecting"),
    ({"content": b'{"to": [], "to": ["lb"]}', "headers": {"Content-Type": "application/json"}}, 422, "to is written 2"),
    ({"json": {}, "headers": {"Content-Encoding": "br"}}, 415, "no Content-Encoding"),
    ({"content": b'{"flows": NaN}', "headers": {"Content-Type": "application/json"}}, 422, "flows"),
    ({"content": b"\xff\xfe", "headers": {"Content-Type": "application/json"}}, 400, "no JSON"),
    ({"content": b"[" * 100_000, "headers": {"Content-Type": "application/json"}}, 400, "nesting"),
    (
        {"content": b'{"flows": 1' + b"0" * 10_000 + b"}", "headers": {"Content-Type": "application/json"}},
        400,
        "numbers",
    ),
    ({"content": b"from=firewall", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}, 415, "JSON"),
    ({"content": b"{}"}, 415, "JSON"),
    ({"content": b"x" * 300_000, "headers": {"Content-Type": "application/json"}}, 413, "262144"),
]


@pytest.mark.parametrize(("given", "status", "word"), BAD_RUNS)
def test_a_bad_run_is_one_sentence(running: Controller, given: dict[str, Any], status: int, word: str) -> None:
    assert word in problem(running.client.post(RUNS, **given), status)


def test_a_body_without_a_length_is_bounded_while_it_is_read(running: Controller) -> None:
    def drip() -> Iterator[bytes]:
        for _ in range(64):
            yield b" " * 65536

    answer = running.client.post(RUNS, content=drip(), headers={"Content-Type": "application/json"})
    assert "at most" in problem(answer, 413)


def test_a_body_that_only_drips_is_not_waited_for(running: Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "READ_WITHIN", 0.3)
    began = time.monotonic()

    def drip() -> Iterator[bytes]:
        while time.monotonic() - began < 5.0:
            yield b" "
            time.sleep(0.05)

    answer = running.client.post(RUNS, content=drip(), headers={"Content-Type": "application/json"})
    assert "did not come within 0.3 s" in problem(answer, 408)
    with running.client.stream("GET", "/api/v1/events") as stream:
        assert len(events(stream, 2)) == 2, "what asks without a body has none to wait for"


def events(answer: httpx.Response, count: int) -> list[tuple[str, str, dict[str, Any]]]:
    """``(id, event, document)`` of the first `count` events."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    fields: dict[str, str] = {}
    for line in answer.iter_lines():
        if not line:
            found.append((fields["id"], fields["event"], json.loads(fields["data"])))
            fields = {}
            if len(found) == count:
                break
        else:
            name, _, value = line.partition(": ")
            fields[name] = value
    return found


def test_the_matrix_is_streamed_whenever_a_verdict_changes(running: Controller) -> None:
    with running.client.stream("GET", "/api/v1/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        first, second = events(answer, 2)
    assert (first[1], len(first[2]["cells"])) == ("matrix", len(running.centre.desk.matrix.cells))
    assert first[0] == second[0], "nothing changed, so the page only hears that it is connected"


def test_a_run_is_streamed_to_its_end_and_a_reader_that_comes_back_hears_nothing_twice(running: Controller) -> None:
    location = running.client.post(RUNS, json={"from": ["firewall"], "to": ["ingress"]}).headers["location"]
    Agent(running, "firewall", 23).obey()
    with running.client.stream("GET", f"{location}/events") as answer:
        told = events(answer, 100)
    assert told[-1][2]["state"] == "finished"
    again = running.client.get(f"{location}/events", headers={"Last-Event-ID": told[-1][0]})
    assert again.status_code == 204
    with running.client.stream("GET", f"{location}/events", headers={"Last-Event-ID": "older"}) as answer:
        assert [one[2]["state"] for one in events(answer, 100)] == ["finished"]


def test_flips_are_read_page_by_page(running: Controller) -> None:
    rows = [Flip(time.time() + number, "lb", "pod2", "healthy", "target", f"…{number}") for number in range(3)]
    flips.add_flips(running.centre.store, rows)
    first = running.client.get("/api/v1/flips?limit=2").json()
    rest = running.client.get(f"/api/v1/flips?limit=2&cursor={first['cursor']}").json()
    assert [one["sentence"] for one in first["flips"]] == ["…2", "…1"]
    assert rest["flips"][0]["sentence"] == "…0"


def test_objectives_and_agents_say_how_they_stand(running: Controller) -> None:
    slos = running.client.get("/api/v1/slos").json()["slos"]
    assert [one["name"] for one in slos] == [one.name for one in running.centre.desk.targets.objectives]
    agents = {one["name"]: one for one in running.client.get("/api/v1/agents").json()["agents"]}
    assert agents["remote"]["age_seconds"] is None
    assert agents["node1"]["pods"] == ["10.4.0.0/16"]


def test_the_audit_log_is_for_admins_and_says_who_started_what(running: Controller) -> None:
    assert "--role admin" in problem(running.client.get("/api/v1/audit"), 401)
    running.client.post(RUNS, json={"from": ["vm"], "to": ["pod2"]})
    token = access.create(running.centre.store, "admin")
    told = running.client.get("/api/v1/audit", headers={"Authorization": f"Bearer {token}"}).json()["audit"]
    assert told[0] | {"who": "anonymous operator", "what": "run"} == told[0]
    assert told[0]["detail"].endswith(" vm → pod2")


def test_roles_hold(running: Controller) -> None:
    def headers(role: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {access.create(running.centre.store, role)}"}

    client = running.client
    assert client.get("/api/v1/matrix", headers=headers("monitor")).status_code == 403
    assert client.get("/api/v1/matrix", headers=headers("viewer")).status_code == 200
    assert "operator" in problem(client.post(RUNS, json={}, headers=headers("viewer")), 403)
    assert client.post(RUNS, json={"from": ["vm"]}, headers=headers("operator")).status_code == 202
    assert client.get("/api/v1/matrix", headers={"Authorization": "Bearer prb_x.y"}).status_code == 401


def test_runs_an_hour_are_capped_by_policy(tmp_path: Path) -> None:
    with controller(tmp_path) as one:
        for number in range(one.centre.desk.targets.policy.runs_per_hour):
            runs.create_run(one.centre.store, runs.Run(f"r{number}", "finished", "me", time.time_ns()))
        answer = one.client.post(RUNS, json={"from": ["vm"]})
        assert "policy.runs_per_hour" in problem(answer, 429)
        assert answer.headers["retry-after"]
