"""The controller as a process: listeners, signals, and what is there after a kill."""

from __future__ import annotations

import errno
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from bench.fleet.world import enrolled
from prober.agent.line import client
from prober.controller import serve
from prober.errors import CannotMeasure
from prober.report import encode
from prober.store.engine import open_store
from prober.store.schema import upgrade
from tests.controller.centres import TARGETS, Signing
from tests.controller.reports import Reporter


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


class Process:
    """`prober controller` on a free port and a Unix socket, in a folder of its own."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port, self.log = folder, port, folder / "log"
        self.database, self.socket = f"sqlite:///{folder / 'prober.sqlite'}", f"unix:{folder / 'c.sock'}"
        words = ["controller", "--targets", str(TARGETS), "--database", self.database, "--listen", f"127.0.0.1:{port}"]
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "prober", *words, "--listen", self.socket], stderr=log, stdout=log,
                env={**os.environ, "PROBER_LOG_FORMAT": "json"},
            )  # fmt: skip
        self.http = client(self.socket, "")

    def ready(self) -> Process:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                if self.http.get("/readyz").status_code == 200:
                    return self
            except httpx.TransportError:
                assert self.child.poll() is None, self.log.read_text()
                time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def end(self, number: int = signal.SIGTERM) -> int:
        self.child.send_signal(number)
        return self.child.wait(15)


@contextmanager
def process(folder: Path, port: int | None = None) -> Iterator[Process]:
    one = Process(folder, port or free_port())
    try:
        yield one.ready()
    finally:
        one.http.close()
        if one.child.poll() is None:
            one.child.kill()
            one.child.wait()


def test_it_answers_on_every_listener_and_leaves_nothing_on_sigterm(tmp_path: Path) -> None:
    with process(tmp_path) as one:
        assert httpx.get(f"http://127.0.0.1:{one.port}/livez").status_code == 200
        assert (tmp_path / "c.sock").stat().st_mode & 0o777 == 0o700 & ~0o077 or (
            tmp_path / "c.sock"
        ).stat().st_mode & 0o077 == 0
        with one.http.stream("GET", "/api/v1/events") as stream:
            next(stream.iter_lines())
            began = time.monotonic()
            assert one.end() == 0
        assert time.monotonic() - began < 4, "an open stream holds nothing up"
        assert not (tmp_path / "c.sock").exists()
        assert "Traceback" not in one.log.read_text()


def test_no_name_is_a_wrong_one_on_a_unix_socket(tmp_path: Path) -> None:
    with process(tmp_path) as one:
        assert one.http.get("/livez", headers={"Host": "x"}).status_code == 200
        assert httpx.get(f"http://127.0.0.1:{one.port}/livez", headers={"Host": "x"}).status_code == 421


def test_a_taken_port_or_socket_is_one_sentence_and_takes_nothing_away(tmp_path: Path) -> None:
    with process(tmp_path) as one:
        for place in (f"127.0.0.1:{one.port}", one.socket):
            other = subprocess.run(
                [sys.executable, "-m", "prober", "controller", "--targets", str(TARGETS), "--database", one.database,
                 "--listen", f"unix:{tmp_path / 'other.sock'}", "--listen", place],
                capture_output=True, text=True, timeout=30, check=False,
            )  # fmt: skip
            assert other.returncode == 3
            assert "is another controller running?" in other.stderr.splitlines()[-1]
            assert "Traceback" not in other.stderr
            assert not (tmp_path / "other.sock").exists()
        assert one.http.get("/livez").status_code == 200


@pytest.mark.parametrize(
    ("failure", "cure"),
    [
        (OSError(errno.EADDRINUSE, ""), "is another controller running?"),
        (OSError(errno.EADDRNOTAVAIL, ""), "name an address of this host"),
        (OSError(errno.EACCES, ""), "take a port above 1023"),
        (socket.gaierror(socket.EAI_NONAME, ""), "name an address of this host"),
    ],
)
def test_each_way_not_to_listen_has_its_own_cure(failure: OSError, cure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise failure

    monkeypatch.setattr(serve, "_listen_unix", refuse)
    monkeypatch.setattr(serve, "listener", lambda _: Path("none"))
    with ExitStack() as stack, pytest.raises(CannotMeasure, match=re.escape(cure)):
        serve._listen("unix:none", stack)


def test_after_a_kill_it_starts_over_the_stale_socket_and_judges_what_was_acknowledged(tmp_path: Path) -> None:
    upgrade(database := f"sqlite:///{tmp_path / 'prober.sqlite'}")
    store = open_store(database)
    key = Signing(enrolled(store, "firewall", "firewall"))
    store.close()
    by = Reporter("firewall")
    with process(tmp_path) as one:
        for _ in range(3):
            assert one.http.post("/agent/v1/reports", content=encode(by.answered()), auth=key).status_code == 200
        run = one.http.post("/api/v1/runs", json={"from": ["lb"]}).json()["id"]
        one.end(signal.SIGKILL)
    assert (tmp_path / "c.sock").exists()
    with process(tmp_path) as one:
        deadline = time.monotonic() + 8
        while time.monotonic() < deadline:
            cell = one.http.get("/api/v1/paths/firewall/ingress").json()["cell"]
            if cell["sent"] == 3:
                break
            time.sleep(0.1)
        assert (cell["sent"], cell["answered"]) == (3, 3)
        assert one.http.get(f"/api/v1/runs/{run}").json()["state"] == "running", "it goes on"
        assert one.http.delete(f"/api/v1/runs/{run}").json()["state"] == "cancelled"
        good = one.http.get("/api/v1/slos").json()["slos"][0]
        assert one.end() == 0
    with process(tmp_path) as one:
        again = one.http.get("/api/v1/slos").json()["slos"][0]
        assert (again["name"], again["total"]) == (good["name"], 3)


def test_a_bad_document_on_sighup_keeps_the_good_one(tmp_path: Path) -> None:
    document = tmp_path / "targets.yaml"
    document.write_text(TARGETS.read_text())
    port = free_port()
    words = ["controller", "--targets", str(document), "--database", f"sqlite:///{tmp_path / 'p.sqlite'}"]
    log = (tmp_path / "log").open("wb")
    child = subprocess.Popen(
        [sys.executable, "-m", "prober", *words, "--listen", f"127.0.0.1:{port}"], stdout=log, stderr=log
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=httpx.HTTPTransport(retries=8)) as http:
            cells = len(http.get("/api/v1/matrix").json()["cells"])
            document.write_text("zones: no")
            child.send_signal(signal.SIGHUP)
            deadline = time.monotonic() + 5
            while "prober_config_last_reload_success 0" not in http.get("/metrics").text:
                assert time.monotonic() < deadline, http.get("/metrics").text[:2000]
                time.sleep(0.05)
            assert len(http.get("/api/v1/matrix").json()["cells"]) == cells
    finally:
        child.terminate()
        child.wait(10)
        log.close()
    assert "Traceback" not in (tmp_path / "log").read_text()
