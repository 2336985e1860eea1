"""Commands that ask a controller: exit codes, JSON, and its own sentences."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prober.controller import access
from tests.cli.prober_command import Left, prober
from tests.controller.centres import Controller, controller
from tests.controller.reports import Reporter

Run = Callable[..., Left]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    with controller(tmp_path_factory.mktemp("cli")) as one:
        yield one


@pytest.fixture
def running(shared: Controller) -> Controller:
    shared.judge_all()
    return shared


@pytest.fixture
def run(running: Controller, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("PROBER_CONTROLLER", running.url)
    return lambda *words: prober(monkeypatch, capsys, *words)


def test_the_matrix_leaves_with_0_healthy_1_failing_3_unknown(running: Controller, run: Run) -> None:
    assert run("matrix").code == 0
    running.misroute()
    assert run("matrix").code == 1
    assert run("matrix", "--source", "lb").code == 0
    running.judge_all(age=1000.0)
    assert run("matrix").code == 3


def test_the_matrix_as_json_is_the_apis(run: Run) -> None:
    document = json.loads(run("matrix", "--json", "--source", "firewall", "--target", "ingress").out)
    assert [(cell["source"], cell["target"]) for cell in document["cells"]] == [("firewall", "ingress")]


def test_why_says_the_sentence_and_leaves_by_it(running: Controller, run: Run) -> None:
    running.misroute()
    left = run("why", "firewall", "ingress")
    assert left.code == 1
    assert "node19" in left.out
    assert run("why", "lb", "ingress").code == 0
    assert json.loads(run("why", "lb", "ingress", "--json").out)["cell"]["label"] == "healthy"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("why", "nowhere", "ingress"), "no declared pair"), (("why", "..", "ingress"), ""),
        (("why", "a/b?c#d", "ingress"), ""), (("why", "", ""), ""), (("matrix", "--source", "nowhere"), "nowhere"),
        (("run", "--from", "nowhere"), "nowhere"), (("run", "--flows", "0"), "flows"),
        (("diff", "one", "two"), "there is no run one; GET /api/v1/runs lists them"),
    ],
)  # fmt: skip
def test_a_name_that_means_nothing_leaves_with_2_and_the_controllers_sentence(
    run: Run, words: tuple[str, ...], said: str
) -> None:
    left = run(*words)
    assert (left.code, left.out) == (2, ""), left
    assert said in left.err
    assert left.err.count("\n") == 1


@pytest.mark.parametrize(
    "words", [("matrix",), ("run",), ("why", "a", "b"), ("slo",), ("agents",), ("audit", "log"), ("diff", "a", "b")]
)
def test_without_a_controller_nothing_is_measured(run: Run, words: tuple[str, ...], tmp_path: Path) -> None:
    for where in ("http://127.0.0.1:1", f"unix:{tmp_path / 'none.sock'}"):
        left = run(*words, "--controller", where)
        assert (left.code, left.out) == (3, "")
        assert f"no controller answers at {where}" in left.err


@pytest.mark.parametrize(
    ("where", "why"),
    [
        ("http://127.0.0.1:1", "Connection refused; is `prober controller` running there"),
        ("unix:/nowhere/prober.sock", "No such file or directory; is `prober controller` running there"),
    ],
)
def test_what_stood_in_the_way_of_a_controller_is_said(run: Run, where: str, why: str) -> None:
    left = run("matrix", "--controller", where)
    assert (left.code, left.err.count("\n")) == (3, 1)
    assert why in left.err


def test_a_name_that_is_not_found_is_told_apart(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_name(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_name)
    left = run("matrix", "--controller", "http://controller.example:8080")
    assert left.code == 3
    assert "Name or service not known; is the name in --controller right?" in left.err


def test_http_where_tls_was_meant_is_told_apart(running: Controller, run: Run) -> None:
    left = run("matrix", "--controller", running.url.replace("http:", "https:"))
    assert left.code == 3
    assert "is it http:// there" in left.err


def test_of_several_controllers_the_first_that_is_reached_answers(running: Controller, run: Run) -> None:
    dead = "http://127.0.0.1:1"
    assert run("matrix", "--controller", f"{dead},{running.url}").code == 0
    left = run("matrix", "--controller", f"{dead},unix:/nowhere")
    assert (left.code, left.out) == (3, "")
    assert f"no controller answers at {dead} or unix:/nowhere" in left.err


def test_an_address_that_is_none_leaves_with_4(run: Run) -> None:
    assert run("matrix", "--controller", "controller:8080").code == 4


def test_a_run_without_agents_leaves_with_3(run: Run) -> None:
    left = run("run", "--from", "remote", "--to", "pod2", "--json")
    assert left.code == 3
    assert json.loads(left.out)["state"] == "finished"
    assert "no agent probed anything" in left.err


def test_two_runs_that_say_the_same_do_not_differ(running: Controller, run: Run) -> None:
    ids = [running.client.post("/api/v1/runs", json={"from": ["vm"]}).json()["id"] for _ in range(2)]
    left = run("diff", *ids)
    assert (left.code, left.out) == (0, "Nothing differs.\n")
    assert json.loads(run("diff", *ids, "--json").out) == []


def test_a_run_says_what_diff_is_to_be_given(run: Run) -> None:
    said = [run("run", "--from", "remote", "--to", "pod2").err for _ in range(2)]
    ids = [words[words.index("run") + 1].rstrip(";") for words in (one.split() for one in said)]
    assert run("diff", *ids).out == "Nothing differs.\n"


def test_objectives_of_which_none_was_measured_leave_with_3(run: Run) -> None:
    left = run("slo", "--json")
    assert {one["attainment"] for one in json.loads(left.out)["slos"]} == {None}
    assert left.code == 3


def test_agents_leaves_with_1_while_one_is_silent(running: Controller, run: Run) -> None:
    left = run("agents")
    assert left.code == 1 and "never" in left.out and "firewall" in left.out
    for agent in running.centre.desk.targets.agents:
        running.centre.desk.take(Reporter(agent.name).report([], []), running.centre.now())
    left = run("agents", "--json")
    assert left.code == 0 and len(json.loads(left.out)["agents"]) == 8


def test_objectives_are_listed(run: Run) -> None:
    assert "firewall-to-ingress" in run("slo").out
    assert len(json.loads(run("slo", "--json").out)["slos"]) == 5


def test_the_audit_log_asks_for_an_admins_token(running: Controller, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    left = run("audit", "log")
    assert left.code == 3
    assert "--role admin" in left.err
    assert "PROBER_TOKEN_FILE" in left.err
    running.client.delete(running.client.post("/api/v1/runs", json={"from": ["vm"]}).headers["location"])
    monkeypatch.setenv("PROBER_TOKEN", access.create(running.centre.store, "admin"))
    assert "anonymous operator" in run("audit", "log", "--limit", "5").out
    assert json.loads(run("audit", "log", "--json").out)["audit"]


def child(running: Controller, *words: str, **environment: str) -> subprocess.Popen[str]:
    given = {**os.environ, "PROBER_CONTROLLER": running.url, **environment}
    return subprocess.Popen(
        [sys.executable, "-m", "prober", *words], env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_watch_that_is_interrupted_leaves_with_130(running: Controller) -> None:
    one = child(running, "matrix", "--watch")
    try:
        time.sleep(3.0)
        assert one.poll() is None, one.communicate()
        one.send_signal(signal.SIGINT)
        out, err = one.communicate(timeout=10)
    finally:
        one.kill()
        one.wait()
    assert one.returncode == 130, err
    assert "Traceback" not in out + err


def test_a_watch_outlives_its_controller(tmp_path: Path) -> None:
    with controller(tmp_path) as gone:
        gone.judge_all()
        one = child(gone, "matrix", "--watch")
        time.sleep(3.0)
        assert one.poll() is None, one.communicate()
    try:
        time.sleep(3.0)
        assert one.poll() is None, one.communicate()
        one.send_signal(signal.SIGINT)
        out, _ = one.communicate(timeout=10)
    finally:
        one.kill()
        one.wait()
    assert "This may be old: no controller answers at" in out


def test_no_colour_goes_into_a_pipe(running: Controller) -> None:
    running.misroute()
    one = child(running, "matrix")
    out, err = one.communicate(timeout=20)
    assert one.returncode == 1, err
    assert "\x1b" not in out + err
