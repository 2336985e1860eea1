"""Receivers of alerts: the real Alertmanager on a free port, and a server that takes what is posted to it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

PROGRAM = "prometheus-alertmanager"
Rule = Callable[["Taken"], tuple[int, dict[str, str], bytes]]


@dataclass(frozen=True)
class Taken:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Server:
    """``taken`` are the requests so far; ``rule`` says what each is answered."""

    def __init__(self, rule: Rule | None = None) -> None:
        self.taken: list[Taken] = []
        self.rule: Rule = rule or (lambda _: (200, {}, b"ok"))
        self.url = ""

    def wait(self, count: int, seconds: float = 20.0) -> list[Taken]:
        """The first `count` requests, as soon as they are there."""
        until(lambda: len(self.taken) >= count, seconds, f"{len(self.taken)} of {count} requests came")
        return self.taken[:count]


@contextmanager
def server(rule: Rule | None = None, port: int = 0) -> Iterator[Server]:
    """Answers on loopback until the end of the block."""
    made = Server(rule)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            taken = Taken(self.path, headers, self.rfile.read(int(headers.get("content-length", 0))))
            code, extra, body = made.rule(taken)
            made.taken.append(taken)
            self.send_response(code)
            for name, value in {**extra, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # so it is called
            """The requests are the test's to show."""

    httpd = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    yield made
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


def until(holds: Callable[[], object], seconds: float = 20.0, why: str = "") -> None:
    """Waits until it holds; the test fails where it does not."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, why or "it did not come to hold"
        time.sleep(0.05)


class Alertmanager:
    """The real one: what it holds, and what it told its own receiver."""

    def __init__(self, url: str, told: Server) -> None:
        self.url, self.told = url, told

    def active(self) -> list[dict[str, Any]]:
        """The alerts that are open for it."""
        answer = httpx.get(f"{self.url}/api/v2/alerts", trust_env=False)
        found: list[dict[str, Any]] = answer.raise_for_status().json()
        return found

    def notified(self) -> list[tuple[str, str]]:
        """``(status, prober_alert)`` of each alert of each notification, in order."""
        groups = [taken.document for taken in self.told.taken]
        return [(one["status"], one["labels"]["prober_alert"]) for group in groups for one in group["alerts"]]


@contextmanager
def alertmanager(folder: Path, port: int | None = None) -> Iterator[Alertmanager]:
    """A real Alertmanager until the end of the block; it notifies a server within a second."""
    if not shutil.which(PROGRAM):
        pytest.skip(f"Alertmanager is not installed: apt-get install {PROGRAM}")
    port = port or free_port()
    with server() as told:
        config = folder / "alertmanager.yml"
        route = {"receiver": "told", "group_by": ["prober_alert"], "group_wait": "0s", "group_interval": "1s"}
        receiver = {"name": "told", "webhook_configs": [{"url": told.url, "send_resolved": True}]}
        config.write_text(json.dumps({"route": route, "receivers": [receiver]}))
        words = [f"--config.file={config}", f"--storage.path={folder / 'am'}", f"--web.listen-address=127.0.0.1:{port}",
                 "--cluster.listen-address="]  # fmt: skip
        with process([PROGRAM, *words], f"http://127.0.0.1:{port}/-/ready", folder / "alertmanager.log") as url:
            yield Alertmanager(url, told)


@contextmanager
def process(words: Sequence[str], ready: str, log: Path) -> Iterator[str]:
    """A program on this machine, until the end of the block: its address, once ``/-/ready`` is answered there."""
    with log.open("wb") as out, subprocess.Popen(words, stdout=out, stderr=out) as process:
        try:
            until(lambda: process.poll() is not None or _answers(ready), 30)
            assert process.poll() is None, log.read_text()
            yield ready.rpartition("/-/")[0]
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.HTTPError:
        return False
