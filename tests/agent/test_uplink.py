"""The agent's other thread: reports out, orders in, whatever the controller does."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
import structlog

from prober.agent import uplink as uplink_module
from prober.agent.backlog import Backlog
from prober.agent.line import clients
from prober.agent.uplink import Uplink
from prober.report import Orders, Report, decode_report, encode
from tests.agent.peers import NOBODY


def report(sequence: int, **given: object) -> Report:
    return Report("firewall", 1, sequence, clock_ns=5, since_ns=1, until_ns=2, **given)  # type: ignore[arg-type]


class Standin:
    """A controller that answers what it is told to: `answers` first, then 200."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.came: list[Report] = []
        self.lanes: list[str] = []
        self.held: list[str | None] = []
        self.retry_after = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status, content = outer.answers.pop(0) if outer.answers else (200, encode(Orders(1, 0.25)))
                if status == 200:
                    outer.came.append(decode_report(body))
                outer.lanes.append(self.headers["prober-lane"])
                outer.held.append(self.headers["prober-plan"])
                self.send_response(status)
                if outer.retry_after:
                    self.send_header("Retry-After", outer.retry_after)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def standin() -> Iterator[Standin]:
    one = Standin()
    yield one
    one.server.shutdown()
    one.thread.join()
    one.server.server_close()


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 8
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def sent(standin: Standin, *reports: Report) -> tuple[Uplink, list[Orders]]:
    heard: list[Orders] = []
    uplink = Uplink(clients(standin.url, NOBODY), backlog(*reports), heard.append)
    uplink.start()
    return uplink, heard


def backlog(*reports: Report) -> Backlog:
    """What waits, in memory: the newest last."""
    waiting = Backlog("firewall", 1)
    for one in reports:
        waiting.append(one)
    waiting.write()
    return waiting


def problem(status: int, detail: str) -> tuple[int, bytes]:
    return status, json.dumps({"detail": detail}).encode()


def test_the_newest_goes_out_first_and_orders_come_in(standin: Standin) -> None:
    uplink, heard = sent(standin, report(1), report(2), report(3))
    until(lambda: len(heard) == 3)
    uplink.close()
    assert [one.sequence for one in standin.came] == [3, 2, 1]
    assert standin.lanes == ["live"] * 3


def test_the_controller_is_told_which_plan_the_agent_goes_by(standin: Standin) -> None:
    uplink, _ = sent(standin, report(1))
    until(lambda: len(standin.held) == 1)
    uplink.holds = "v7"
    uplink.waiting.append(report(2))
    uplink.waiting.write()
    until(lambda: len(standin.held) == 2)
    uplink.close()
    assert standin.held == [None, "v7"]


def test_what_tells_of_the_past_goes_behind_and_its_orders_are_not_followed(standin: Standin) -> None:
    uplink, heard = sent(standin, report(1, live=False), report(2, live=False), report(3))
    until(lambda: len(standin.came) == 3)
    uplink.close()
    assert [one.sequence for one in standin.came] == [3, 1, 2]
    assert standin.lanes == ["live", "behind", "behind"]
    assert len(heard) == 1


def test_a_controller_that_puts_off_the_past_gets_the_present_all_the_same(standin: Standin) -> None:
    standin.answers, standin.retry_after = [problem(429, "the past can wait")], "60"
    uplink, heard = sent(standin, report(1, live=False))
    until(lambda: len(standin.lanes) == 1)
    uplink.waiting.append(report(2))
    uplink.waiting.write()
    until(lambda: len(heard) == 1)
    uplink.close()
    assert [one.sequence for one in standin.came] == [2]
    assert uplink._told == ""


def test_a_wait_that_is_asked_for_is_kept_to(standin: Standin) -> None:
    standin.answers, standin.retry_after = [problem(507, "no room")], "1"
    began = time.monotonic()
    uplink, heard = sent(standin, report(1))
    until(lambda: len(heard) == 1)
    uplink.close()
    assert time.monotonic() - began >= 1.0


@pytest.mark.parametrize("told", ["", "-1", "1e9", "nan", "Fri, 31 Dec 1999 23:59:59 GMT", "99999999999"])
def test_a_wait_that_makes_no_sense_is_bounded(told: str) -> None:
    asked = uplink_module._asked(httpx.Response(503, headers={"Retry-After": told} if told else {}))
    assert 0.0 <= asked <= 60.0


def test_waits_are_random_and_grow_to_a_bound(standin: Standin) -> None:
    uplink = Uplink(clients(standin.url, NOBODY), backlog(), lambda _: None, random.Random(7))
    spans = [max(uplink._jitter(failures) for _ in range(300)) for failures in (1, 3, 5, 50)]
    assert spans == sorted(spans)
    assert 0.1 < spans[0] <= 0.2 < spans[1] <= 0.8 < spans[2] <= 3.2 < spans[3] <= 5.0
    assert min(uplink._jitter(50) for _ in range(300)) < 0.5, "the whole span is used"


def test_a_report_over_which_the_controller_stumbles_keeps_no_other_back(standin: Standin) -> None:
    standin.answers = [problem(500, "oops")]
    uplink, heard = sent(standin, report(1), report(2))
    until(lambda: len(heard) == 1)
    assert [one.sequence for one in standin.came] == [1]
    assert [one.sequence for one in uplink.waiting] == [2], "it waits for its second try"
    uplink.close()


@pytest.mark.parametrize("status", [401, 403, 429, 502, 503, 507])
def test_what_may_pass_is_tried_again_and_said_once(standin: Standin, status: int) -> None:
    standin.answers = [problem(status, "not now")] * 2
    with structlog.testing.capture_logs() as logs:
        uplink, heard = sent(standin, report(1))
        until(lambda: len(heard) == 1)
        uplink.close()
    assert [one["trouble"] for one in logs if "trouble" in one] == [f"the controller answers {status}: not now"]
    assert [one.sequence for one in standin.came] == [1]


@pytest.mark.parametrize("status", [400, 413, 415, 422])
def test_what_is_refused_for_good_keeps_nothing_back_and_is_a_gap(standin: Standin, status: int) -> None:
    standin.answers = [problem(status, "no report")]
    uplink, _ = sent(standin, report(1), report(2))
    until(lambda: len(standin.came) == 2)
    uplink.close()
    first, gap = standin.came
    assert (first.sequence, gap.sequence, gap.live) == (1, 2, False)
    assert [(one.first, one.last, one.why) for one in gap.gaps] == [
        (2, 2, f"the controller refused it: {status}: no report")
    ]


def test_a_gap_that_is_refused_is_let_go(standin: Standin) -> None:
    standin.answers = [problem(400, "no report")] * 2
    uplink, _ = sent(standin, report(1))
    until(lambda: not list(uplink.waiting))
    uplink.close()
    assert standin.came == []


def test_a_refusal_is_told_once_for_each_reason(standin: Standin) -> None:
    standin.answers = [problem(400, "not yours"), problem(400, "not yours"), problem(413, "too large")]
    with structlog.testing.capture_logs() as logs:
        uplink, heard = sent(standin, *(report(number) for number in range(1, 5)))
        until(lambda: len(heard) == 1)
        uplink.close()
    assert [one["why"] for one in logs if one["event"] == "report refused"] == ["not yours", "too large"]


def test_orders_that_cannot_be_read_are_asked_for_again(standin: Standin) -> None:
    standin.answers = [(200, b"\xc1")]
    uplink, heard = sent(standin, report(1))
    until(lambda: len(heard) == 1)
    uplink.close()
    assert [one.sequence for one in standin.came] == [1, 1]


def test_a_report_says_how_old_it_is_when_it_is_sent(standin: Standin) -> None:
    standin.answers, standin.retry_after = [problem(503, "later")], "1"
    uplink, heard = sent(standin, report(1))
    until(lambda: len(heard) == 1)
    uplink.close()
    assert (standin.came[0].clock_ns, standin.came[0].live) == (5, True)
    assert 1_000_000_000 <= standin.came[0].age_ns < 8_000_000_000


def test_what_waits_is_delivered_before_the_end(standin: Standin) -> None:
    uplink, _ = sent(standin)
    for number in range(1, 6):
        uplink.waiting.append(report(number))
    uplink.waiting.write()
    uplink.close()
    assert len(standin.came) == 5


def test_without_a_controller_it_ends_at_once(standin: Standin) -> None:
    uplink = Uplink(clients("unix:/nonexistent/socket", NOBODY), backlog(report(1)), lambda _: None)
    uplink.start()
    until(lambda: bool(uplink._told))
    began = time.monotonic()
    uplink.close()
    assert time.monotonic() - began < 1.0
    assert "can't be reached" in uplink._told


def test_of_several_controllers_the_next_is_asked_where_one_is_gone_or_stumbles(standin: Standin) -> None:
    heard: list[Orders] = []
    other = Standin()
    where = f"unix:/nonexistent/socket, {standin.url}, {other.url}"
    uplink = Uplink(clients(where, NOBODY), backlog(report(1), report(2)), heard.append)
    uplink.start()
    until(lambda: len(heard) == 2)
    assert len(standin.came) == 2 and not other.came, "it keeps to the one that answers"
    standin.answers = [problem(503, "the store is away")] * 9
    uplink.waiting.append(report(3))
    uplink.waiting.write()
    until(lambda: len(heard) == 3)
    assert len(other.came) == 1
    uplink.close()
    other.server.shutdown()
    other.server.server_close()
