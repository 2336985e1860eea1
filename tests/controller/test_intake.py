"""Reports in: a stranger's word is checked, written once, acknowledged then, joined last."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import httpx
import pytest
import structlog

from bench.fleet.world import enrolled
from prober.controller import access, intake
from prober.controller.intake import Busy, Intake
from prober.errors import ProberError, StoreFull, StoreUnavailable, Unstorable
from prober.report import PLAN, Report, decode_orders, decode_report, encode
from prober.report import Gap as ReportedGap
from prober.store.reports import Gap, recent_reports
from tests.controller.centres import Bearer, Controller, Signing, controller
from tests.controller.reports import Reporter
from tests.controller.spoilt import SPOILT

PATH = "/agent/v1/reports"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    with controller(tmp_path_factory.mktemp("intake")) as one:
        yield one


@pytest.fixture(scope="module")
def key(running: Controller) -> httpx.Auth:
    return Signing(enrolled(running.centre.store, "firewall", "firewall"))


def agent(running: Controller, epoch: int) -> Reporter:
    return Reporter("firewall", running.centre.dispatch.number("firewall"), epoch)


def post(running: Controller, by: httpx.Auth, body: bytes | Report, holds: str = "") -> httpx.Response:
    content = body if isinstance(body, bytes) else encode(body)
    return running.client.post(PATH, content=content, auth=by, headers={PLAN: holds})


def detail(answer: httpx.Response) -> str:
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["detail"])


def test_a_report_is_on_disk_when_it_is_acknowledged_and_taken_once(running: Controller, key: httpx.Auth) -> None:
    report = agent(running, 7).answered()
    before = running.centre.desk.matrix.cells["firewall", "ingress"].sent
    answers = [post(running, key, report) for _ in range(3)]
    assert [decode_orders(one.content).acknowledged for one in answers] == [1, 1, 1]
    kept = [row for row in recent_reports(running.centre.store, 0) if row.epoch == 7]
    assert [row.body for row in kept] == [encode(report)]
    time.sleep(2.0)
    assert running.centre.desk.matrix.cells["firewall", "ingress"].sent == before + 1


def test_an_agent_gets_its_plan_with_policy_and_keys(running: Controller, key: httpx.Auth) -> None:
    orders = decode_orders(post(running, key, agent(running, 8).report([], [])).content)
    assert orders.plan is not None
    assert {task.target for task in orders.plan.tasks} >= {"ingress", "pod2", "node1"}
    assert ("10.4.0.0/16", 8080, 8080) in orders.plan.allow
    assert all(len(key) == 16 for key in orders.plan.keys)


def test_a_plan_that_an_agent_goes_by_is_not_told_again_until_it_is_another(
    running: Controller, key: httpx.Auth
) -> None:
    by, version = agent(running, 8), ""
    told = []
    for _ in range(3):
        orders = decode_orders(post(running, key, by.report([], []), version).content)
        version = orders.plan_version
        told.append(orders.plan is not None)
    assert told == [True, False, False]
    running.centre.dispatch.keys = [b"another key, now"]
    again = decode_orders(post(running, key, by.report([], []), version).content)
    assert again.plan is not None
    assert again.plan.keys == [b"another key, now"]
    assert again.plan_version == again.plan.version != version


def test_only_an_agent_reports(running: Controller, key: httpx.Auth) -> None:
    admin, token = (
        access.create(running.centre.store, "admin"),
        access.create(running.centre.store, agent="lb", zone="lb"),
    )
    report = agent(running, 9).report([], [])
    assert post(running, Bearer(admin), report).status_code == 403
    assert running.client.post(PATH, content=encode(report)).status_code == 403
    assert post(running, Bearer("prb_nonsense.x"), report).status_code == 401
    answer = post(running, Bearer(token), report)
    assert (answer.status_code, "older than its controller, upgrade it" in detail(answer)) == (401, True)


def test_an_agent_that_is_not_declared_hears_that_it_is_to_be_declared(running: Controller) -> None:
    stranger = enrolled(running.centre.store, "stranger", "firewall")
    answer = post(running, Signing(stranger), agent(running, 10).report([], []))
    assert (answer.status_code, detail(answer)) == (
        403, "agent stranger has a key and is not in targets.yaml: declare it there",
    )  # fmt: skip


@pytest.mark.parametrize("kind", SPOILT)
def test_what_is_no_report_of_this_agent_is_refused_for_good(running: Controller, key: httpx.Auth, kind: str) -> None:
    answer = post(running, key, SPOILT[kind](agent(running, 11).answered()))
    assert answer.status_code == 400, answer.text
    assert "report" in detail(answer)


def test_a_body_that_is_too_large_is_refused_before_it_is_read(running: Controller) -> None:
    credential = enrolled(running.centre.store, "node2", "node2")
    headers = {"Content-Length": str(intake.LIMIT + 1)}
    request = running.client.build_request("POST", PATH, headers=headers, content=b"x")
    request.headers["Content-Length"] = str(intake.LIMIT + 1)
    sent = 0

    def drip() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 65536
            yield b"x" * 65536

    answer = running.client.post(PATH, content=drip(), headers=credential.signed(PATH, b"", int(time.time())))
    assert answer.status_code == 413
    assert "at most 8388608 bytes" in detail(answer)


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "br", "identity, gzip"])
def test_no_content_encoding_is_taken(running: Controller, key: httpx.Auth, encoding: str) -> None:
    headers = {"Content-Encoding": encoding}
    answer = running.client.post(PATH, content=gzip.compress(b"\0" * 1_000_000), headers=headers, auth=key)
    assert (answer.status_code, detail(answer)) == (415, "a report comes as it is: no Content-Encoding is taken")


def test_gaps_are_kept_with_the_report_that_tells_them_in_the_controllers_time(
    running: Controller, key: httpx.Auth
) -> None:
    second = 1_000_000_000
    report = agent(running, 70).report([], [], clock_ns=100 * second, since_ns=1, until_ns=2, age_ns=50 * second)
    report.gaps = [ReportedGap(69, 3, 9, 40 * second, 90 * second, 21, 4, "the outbox was full")]
    before = time.time()
    assert post(running, key, report).status_code == 200
    told = next(one for one in running.client.get("/api/v1/agents").json()["agents"] if one["name"] == "firewall")
    (gap,) = told["gaps"]
    assert (gap["reports"], gap["probes"], gap["failed"], gap["why"]) == (7, 21, 4, "the outbox was full")
    began, ended = (datetime.fromisoformat(gap[name]).timestamp() - before for name in ("from", "to"))
    assert -110.01 < began < -109 + 5 and -60.01 < ended < -59 + 5, "told to the millisecond"
    document = running.client.get("/api/v1/paths/firewall/ingress").json()
    said = [one for one in document["history"] if "the outbox was full" in one["sentence"]]
    assert [one["label"] for one in said] == ["unknown"]
    assert 'prober_agent_reports_let_go_total{agent="firewall"} 7.0' in running.client.get("/metrics").text


def test_what_tells_of_the_past_brings_no_orders_and_heals_no_cell(tmp_path: Path) -> None:
    with controller(tmp_path) as running:
        key = Signing(enrolled(running.centre.store, "firewall", "firewall"))
        by = agent(running, 1)
        orders = decode_orders(post(running, key, by.answered(live=False)).content)
        assert (orders.acknowledged, orders.plan, orders.once) == (1, None, [])
        time.sleep(2.0)
        desk = running.centre.desk
        assert desk.tally.labels.get("healthy") == 1, "it is judged and counted"
        assert desk.matrix.cells["firewall", "ingress"].sent == 0
        assert (
            running.client.get("/api/v1/matrix?source=firewall&target=ingress").json()["cells"][0]["label"] == "unknown"
        )


def test_two_processes_with_one_key_are_told(running: Controller, key: httpx.Auth) -> None:
    one, other = agent(running, 81), agent(running, 82)
    with structlog.testing.capture_logs() as logs:
        for _ in range(4):
            post(running, key, one.report([], []))
            post(running, key, other.report([], []))
    told = next(one for one in running.client.get("/api/v1/agents").json()["agents"] if one["name"] == "firewall")
    assert told["alarm"].startswith("two processes report as firewall with one key")
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["an agent is doubled"]
    assert 'prober_agent_doubled{agent="firewall"} 1.0' in running.client.get("/metrics").text


class Disk:
    """A store that says what it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.rows, self.gaps = error, list[intake.Row](), list[Gap]()

    def write(self, rows: Sequence[intake.Row], gaps: Sequence[Gap]) -> list[bool]:
        if self.error is not None:
            raise self.error
        self.rows += rows
        self.gaps += gaps
        return [True] * len(rows)


def offered(disk: Disk, reports: list[Report], taken: list[Report], fail: bool = False) -> list[object]:
    """What each sender hears."""

    def join(report: Report, _: int) -> None:
        if fail and report.sequence == 1:
            raise KeyError("spoilt")
        taken.append(report)

    async def play() -> list[object]:
        one = Intake(disk.write, join)
        writer = asyncio.create_task(one.run())
        told = await asyncio.gather(*(one.take(encode(r), "firewall", 0, 1) for r in reports), return_exceptions=True)
        writer.cancel()
        return list(told)

    return asyncio.run(play())


def full(disk: Disk, lanes: dict[bool, int]) -> dict[bool, int]:
    """How many of so many reports of each kind are refused while nothing is written."""

    async def play() -> dict[bool, int]:
        one, by = Intake(disk.write, lambda *_: None), Reporter("firewall")
        sent = [asyncio.create_task(one.take(encode(by.report([], [], live=live)), "firewall", 0, 1))
                for live, count in lanes.items() for _ in range(count)]  # fmt: skip
        await asyncio.sleep(0)
        busy = dict.fromkeys(lanes, 0)
        for task, live in zip(sent, [live for live, count in lanes.items() for _ in range(count)], strict=True):
            busy[live] += task.done() and isinstance(task.exception(), Busy)
            task.cancel()
        await asyncio.gather(*sent, return_exceptions=True)
        return busy

    return asyncio.run(play())


def test_what_is_too_much_is_refused_and_the_past_before_the_present() -> None:
    assert full(Disk(), {True: intake.WAITING + 5, False: intake.BEHIND + 7}) == {True: 5, False: 7}


def test_the_present_is_written_before_the_past_and_the_past_a_part_at_a_time() -> None:
    async def play() -> list[list[bool]]:
        batches = []

        def write(rows: Sequence[intake.Row], gaps: Sequence[Gap]) -> list[bool]:
            batches.append([decode_report(row[4]).live for row in rows])
            return [True] * len(rows)

        one, by = Intake(write, lambda *_: None), Reporter("firewall")
        reports = [by.report([], [], live=number > 49) for number in range(53)]
        told = asyncio.gather(*(one.take(encode(report), "firewall", 0, 1) for report in reports))
        await asyncio.sleep(0)
        writer = asyncio.create_task(one.run())
        await told
        writer.cancel()
        return batches

    assert asyncio.run(play()) == [[True] * 3 + [False] * 29, [False] * 21]


@pytest.mark.parametrize("live", [True, False])
def test_room_is_taken_before_a_body_is_read_and_given_back(live: bool) -> None:
    one = Intake(Disk().write, lambda *_: None)
    most = intake.IN_HAND if live else intake.IN_HAND // 2
    with one.admitted("a", most, live), pytest.raises(Busy), one.admitted("b", 1, live):
        pytest.fail("there was no room")
    with one.admitted("b", most, live):
        pass
    with ExitStack() as mine:
        for _ in range(intake.MOST_OF_ONE):
            mine.enter_context(one.admitted("a", 1, live))
        with pytest.raises(Busy), one.admitted("a", 1, live):
            pytest.fail("one agent has so many requests at a time")
        with one.admitted("b", 1, live):
            pass


def test_one_agent_that_only_drips_does_not_keep_the_others_out(running: Controller, key: httpx.Auth) -> None:
    with ExitStack() as open_ones:
        for path, size in ((PATH, intake.LIMIT), ("/agent/v1/relayed", intake.LIMIT)):
            for _ in range(intake.MOST_OF_ONE):
                drips = open_ones.enter_context(
                    socket.create_connection(("127.0.0.1", int(running.url[-5:].strip(":"))))
                )
                request = httpx.Request("POST", running.url + path, content=b"x" * size)
                next(key.auth_flow(request))
                lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
                drips.sendall(f"POST {path} HTTP/1.1\r\n{lines}\r\nx".encode())
        until_taken = time.monotonic() + 5
        while running.centre.intake._in_hand < 2 * intake.LIMIT and time.monotonic() < until_taken:
            time.sleep(0.02)
        other = Signing(enrolled(running.centre.store, "node2", "nodes"))
        full = encode(
            Reporter("node2", running.centre.dispatch.number("node2"), 7).report([], [], notes=["x" * (7 << 20)])
        )
        assert [post(running, other, full).status_code for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("error", [StoreFull("no room"), StoreUnavailable("away"), RuntimeError("a fault of ours")])
def test_what_could_not_be_written_is_not_acknowledged_and_the_writer_goes_on(error: Exception) -> None:
    disk, taken, by = Disk(error), list[Report](), Reporter("firewall")
    told = offered(disk, [by.answered(), by.answered()], taken)
    assert all(isinstance(one, ProberError) for one in told)
    assert taken == []
    disk.error = None
    assert len(offered(disk, [by.answered()], taken)) == 1 == len(taken)


def test_what_no_store_takes_is_one_agents_fault_and_not_the_others() -> None:
    by, taken = Reporter("firewall"), list[Report]()

    class Choosy(Disk):
        def write(self, rows: Sequence[intake.Row], gaps: Sequence[Gap]) -> list[int]:
            if any(row[2] == 2 for row in rows):
                raise Unstorable("this fits no column")
            return super().write(rows, gaps)

    told = offered(Choosy(), [by.answered(), by.answered(), by.answered()], taken)
    assert [isinstance(one, Unstorable) for one in told] == [False, True, False]
    assert [one.sequence for one in taken] == [1, 3]


def test_whatever_a_batch_is_stumbled_over_the_next_one_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    one, by = Intake(Disk().write, lambda *_: None), Reporter("firewall")

    async def body() -> bool:
        writer = asyncio.create_task(one.run())
        with monkeypatch.context() as broken:
            broken.setattr(intake, "strange", lambda _: {}[0])
            with pytest.raises(StoreUnavailable, match="can be sent again"):
                await one.take(encode(by.answered()), "firewall", 0, 1)
        taken = await one.take(encode(by.answered()), "firewall", 0, 1)
        writer.cancel()
        return taken.new

    assert asyncio.run(asyncio.wait_for(body(), 5))


def test_a_report_that_cannot_be_joined_is_acknowledged_all_the_same_and_stops_no_other() -> None:
    by, taken = Reporter("firewall"), list[Report]()
    told = offered(Disk(), [by.answered(), by.answered()], taken, fail=True)
    assert [one.report.sequence for one in told if isinstance(one, intake.Stored)] == [1, 2]
    assert [one.sequence for one in taken] == [2]


def test_a_full_disk_answers_507_and_resumes(tmp_path: Path) -> None:
    with controller(tmp_path) as running:
        key = Signing(enrolled(running.centre.store, "firewall", "firewall"))
        by = agent(running, 1)
        assert post(running, key, by.answered()).status_code == 200
        good = running.centre.intake.write
        running.centre.intake.write = Disk(StoreFull("no room left")).write
        answer = post(running, key, by.answered())
        assert (answer.status_code, answer.headers["retry-after"]) == (507, "10")
        assert running.client.get("/api/v1/matrix").status_code == 200
        running.centre.intake.write = Disk(StoreUnavailable("away")).write
        assert post(running, key, by.answered()).status_code == 503
        running.centre.intake.write = good
        assert post(running, key, by.answered()).status_code == 200
