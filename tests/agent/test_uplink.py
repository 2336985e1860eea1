"""The agent's other thread: reports out, orders in, whatever the controller does."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import structlog

from prober.agent.uplink import Uplink, client
from prober.errors import CannotMeasure
from prober.report import Orders, Report, decode_report, encode


def report(sequence: int, **given: object) -> Report:
    return Report("firewall", 1, sequence, clock_ns=5, since_ns=1, until_ns=2, **given)  # type: ignore[arg-type]


class Standin:
    """A controller that answers what it is told to: `answers` first, then 200."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.came: list[Report] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status, content = outer.answers.pop(0) if outer.answers else (200, encode(Orders(1, 0.25)))
                if status == 200:
                    outer.came.append(decode_report(body))
                self.send_response(status)
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
    uplink = Uplink(client(standin.url, "t"), deque(reports), heard.append)
    uplink.start()
    uplink.filled.set()
    return uplink, heard


def problem(status: int, detail: str) -> tuple[int, bytes]:
    return status, json.dumps({"detail": detail}).encode()


def test_reports_go_out_in_order_and_orders_come_in(standin: Standin) -> None:
    uplink, heard = sent(standin, report(1), report(2), report(3))
    until(lambda: len(heard) == 3)
    uplink.close()
    assert [one.sequence for one in standin.came] == [1, 2, 3]


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503, 507])
def test_what_may_pass_is_tried_again_and_said_once(standin: Standin, status: int) -> None:
    standin.answers = [problem(status, "not now")] * 2
    with structlog.testing.capture_logs() as logs:
        uplink, heard = sent(standin, report(1))
        until(lambda: len(heard) == 1)
        uplink.close()
    assert [one["trouble"] for one in logs if "trouble" in one] == [f"the controller answers {status}: not now"]
    assert [one.sequence for one in standin.came] == [1]


@pytest.mark.parametrize("status", [400, 413])
def test_what_is_refused_for_good_keeps_nothing_back(standin: Standin, status: int) -> None:
    standin.answers = [problem(status, "no report")]
    uplink, heard = sent(standin, report(1), report(2))
    until(lambda: len(heard) == 1)
    uplink.close()
    assert [one.sequence for one in standin.came] == [2]


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


def test_a_report_that_cannot_be_encoded_keeps_nothing_back(standin: Standin) -> None:
    uplink, heard = sent(standin, report(1, interfaces=["\udcff"]), report(2))
    until(lambda: len(heard) == 1)
    assert uplink.thread.is_alive()
    uplink.close()
    assert [one.sequence for one in standin.came] == [2]


def test_a_report_says_what_the_clock_shows_when_it_is_sent(standin: Standin) -> None:
    standin.answers = [problem(503, "later")]
    before = time.time_ns()
    uplink, heard = sent(standin, report(1))
    until(lambda: len(heard) == 1)
    uplink.close()
    assert standin.came[0].clock_ns - before >= 150_000_000, "it waited, and does not look younger than it is"


def test_what_waits_is_delivered_before_the_end(standin: Standin) -> None:
    uplink, _ = sent(standin)
    uplink.waiting.extend(report(number) for number in range(1, 6))
    uplink.close()
    assert len(standin.came) == 5


def test_without_a_controller_it_ends_at_once(standin: Standin) -> None:
    uplink = Uplink(client("unix:/nonexistent/socket", ""), deque([report(1)]), lambda _: None)
    uplink.start()
    uplink.filled.set()
    until(lambda: bool(uplink._told))
    began = time.monotonic()
    uplink.close()
    assert time.monotonic() - began < 1.0
    assert "can't be reached" in uplink._told


def test_an_address_that_is_none_is_one_sentence() -> None:
    with pytest.raises(CannotMeasure, match=r"write http://HOST:PORT or unix:PATH"):
        client("ftp://controller", "")
