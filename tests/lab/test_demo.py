"""The demo and a standing lab as somebody at another terminal meets them; and nothing left behind.

One file: `lab break` finds the one lab that stands, so these must not run beside each other.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from children import Sealed
from rich.console import Console

from prober.lab import demo
from tests.surfaces import documents

ROOT = Path(__file__).parents[2]
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Standin(BaseHTTPRequestHandler):
    """Where Slack's response_url would lead: keeps what was posted."""

    posts: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.posts.append(json.loads(body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def slack() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    posts: list[dict[str, Any]] = []
    server = HTTPServer(("127.0.0.1", 0), type("Here", (Standin,), {"posts": posts}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", posts
    server.shutdown()
    server.server_close()
    thread.join()


def start(port: int, hold: float, told: Path | None = None, **environment: str) -> subprocess.Popen[str]:
    """The demo; what it says goes into `told`, or into a pipe."""
    command = [sys.executable, "-m", "prober", "lab", "demo", "--listen", f"127.0.0.1:{port}", "--hold", str(hold)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE if told is None else told.open("w"),
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )


def wait_for(what: Callable[[], bool], seconds: float) -> float:
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        with suppress(httpx.TransportError):  # it is not up yet: asked again below
            if what():
                return time.monotonic() - began
        time.sleep(0.1)
    raise AssertionError(f"not so after {seconds} s")


def signed(body: bytes, at: int) -> dict[str, str]:
    digest = hmac.new(SECRET.encode(), b"v0:%d:%b" % (at, body), hashlib.sha256).hexdigest()
    return {
        "X-Slack-Request-Timestamp": str(at), "X-Slack-Signature": f"v0={digest}",
        "Content-Type": "application/x-www-form-urlencoded",
    }  # fmt: skip


def run_exit_code(port: int) -> int:
    command = [sys.executable, "-m", "prober", "run", "--from", "firewall", "--controller", f"http://127.0.0.1:{port}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert "firewall" in done.stdout, done.stdout + done.stderr
    return done.returncode


@pytest.mark.timeout(180)
def test_the_three_uses_during_the_demo(
    sealed_child: Sealed, slack: tuple[str, list[dict[str, Any]]], tmp_path: Path
) -> None:
    port, (where, posts), told = free_port(), slack, tmp_path / "told"
    demo = start(port, 12.0, told, PROBER_SLACK_SIGNING_SECRET=SECRET, PROBER_SLACK_RESPONSE_HOSTS=where)
    base = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=base, trust_env=False) as http:

            def status() -> int:
                return http.head("/status/firewall-to-ingress").status_code

            wait_for(lambda: status() == 200, 30)
            assert run_exit_code(port) == 0
            wait_for(lambda: status() == 503, 30)
            assert run_exit_code(port) == 1
            ask_slack(http, where, posts)
            path = http.get("/api/v1/paths/firewall/ingress").json()
            assert path["verdict"]["label"] == "return-path-misroute"
            assert http.get(path["links"]["pcapng"]).content[:4] == b"\x0a\x0d\x0d\x0a"
            wait_for(lambda: status() == 200, 30)
            assert run_exit_code(port) == 0
            wait_for(lambda: "breaks it" in told.read_text(), 20)  # it stands now
    finally:
        demo.send_signal(signal.SIGINT)
        demo.wait(timeout=20)
        said = told.read_text()
    assert demo.returncode == 0, said
    assert "Traceback" not in said, said
    assert "10.19.0.0/16 via 10.224.0.23" in said


def ask_slack(http: httpx.Client, where: str, posts: list[dict[str, Any]]) -> None:
    """A signed command ends as an answer; unsigned, altered and old ones get 401 and start nothing."""
    form = {"command": "/prober", "text": "run firewall ingress", "channel_id": "C1", "user_id": "U1", "team_id": "T1",
            "response_url": f"{where}/commands/1"}  # fmt: skip
    body, now = urllib.parse.urlencode(form).encode(), int(time.time())
    path = "/chat/slack/commands"
    assert http.post(path, content=body).status_code == 401
    assert http.post(path, content=body + b"&x=1", headers=signed(body, now)).status_code == 401
    assert http.post(path, content=body, headers=signed(body, now - 400)).status_code == 401
    assert posts == []
    assert http.post(path, content=body, headers=signed(body, now)).status_code == 200
    wait_for(lambda: any("misroute" in json.dumps(post) for post in posts), 15)
    assert "10.19.0.0/16 via 10.224.0.23" in json.dumps(posts[-1])


@pytest.mark.timeout(90)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_however_it_ends_nothing_is_left(sealed_child: Sealed, how: signal.Signals) -> None:
    before = what_is_there()
    demo = start(free_port(), 30.0)
    assert demo.stdout is not None
    while "All 59 paths are healthy" not in demo.stdout.readline():
        assert demo.poll() is None
    demo.send_signal(how)
    demo.communicate(timeout=20)
    wait_for(lambda: what_is_there() == before, 5)


def what_is_there() -> tuple[set[str], set[str]]:
    """Network namespaces that processes are in, and processes of prober, by command line."""
    spaces, ours = set(), set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if "prober lab demo" in command:
                ours.add(entry.name)
                spaces.add(os.readlink(entry / "ns" / "net"))
        except OSError:
            continue  # it ended while we looked
    return spaces, ours


def prober(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "prober", *words], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )


def standing() -> bool:
    for name in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):  # it ended while we looked
            if name.read_text().strip() == "prober-lab-up":
                return True
    return False


@pytest.mark.timeout(90)
def test_a_standing_lab_is_broken_and_healed_from_another_terminal(sealed_child: Sealed) -> None:
    port = free_port()
    lab = subprocess.Popen(
        [sys.executable, "-m", "prober", "lab", "up", "filter", "--listen", f"127.0.0.1:{port}"],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:

            def label() -> str:
                cells = http.get("/api/v1/matrix", params={"source": "firewall", "target": "ingress"}).json()["cells"]
                return str(cells[0]["label"])

            def told() -> str:
                flips = http.get("/api/v1/flips", params={"limit": 1}).json()["flips"]
                return str(flips[0]["after"]) if flips else ""

            wait_for(lambda: standing() and label() == "healthy", 30)
            assert prober("lab", "break").returncode == 0
            wait_for(lambda: told() == "ingress-drop", 8)
            assert label() == "ingress-drop"
            assert prober("lab", "heal").returncode == 0
            wait_for(lambda: told() == "healthy", 8)
            assert label() == "healthy"
    finally:
        lab.send_signal(signal.SIGTERM)
        said, _ = lab.communicate(timeout=20)
    assert lab.returncode == 0, said
    assert "broken" in said
    assert "healed" in said


def test_without_a_standing_lab_the_sentence_says_how_to_start_one() -> None:
    deadline = time.monotonic() + 5
    while standing() and time.monotonic() < deadline:
        time.sleep(0.1)
    done = prober("lab", "break")
    assert done.returncode == 3
    assert "prober lab up" in done.stderr


def test_an_act_that_goes_into_a_file_ends_its_line() -> None:
    class Stage:
        def get(self, _path: str) -> dict[str, Any]:
            return documents.healthy()

    told = io.StringIO()
    demo.Show(Stage(), Console(file=told, width=80)).until("An act", lambda _document: True)  # type: ignore[arg-type]
    assert told.getvalue().endswith("\n"), told.getvalue()[-80:]
