"""`prober alert test`, and the flags of receivers: a bad one ends a controller before it listens."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.prober_command import Left, prober
from tests.receiving import alertmanager, server

Run = Callable[..., Left]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    monkeypatch.setenv("PROBER_STATE", str(tmp_path / "state"))
    return lambda *words: prober(monkeypatch, capsys, *words)


def test_a_trial_without_receivers_says_how_to_name_some(run: Run) -> None:
    left = run("alert", "test")
    assert (left.code, left.out) == (4, "")
    assert "--alertmanager, --webhook, --pagerduty-key-file or --slack-alerts-url-file" in left.err


def test_a_trial_reaches_the_real_alertmanager_and_a_webhook(run: Run, tmp_path: Path) -> None:
    with alertmanager(tmp_path) as real, server() as hook:
        left = run("alert", "test", "--alertmanager", real.url, "--webhook", hook.url)
    assert (left.code, left.err) == (0, "")
    assert left.out.splitlines() == [
        f"✓ {kind} took a trial alert" for kind in (f"alertmanager {real.url}", f"webhook {hook.url}")
    ]


def test_one_that_takes_nothing_is_named_with_the_cure(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with server(lambda _: (403, {}, b"")) as hook:
        monkeypatch.setenv("PROBER_WEBHOOK", f"{hook.url}/hush?key=hush")
        left = run("alert", "test", "--json")
    assert left.code == 3
    (row,) = json.loads(left.out)
    assert row["ok"] is False and "answers 403; check --webhook: the key" in row["why"]
    assert "hush" not in left.out + left.err


def test_a_bad_receiver_ends_a_controller_before_it_starts(run: Run, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("hush")
    left = run("controller", "--targets", "targets.yaml", "--listen", "127.0.0.1:0", "--pagerduty-key-file", str(key))
    assert left.code == 4
    assert left.err.startswith(f"{key} holds no integration key of 32 letters and digits")
    assert "hush" not in left.err


def test_doctor_and_config_show_name_receivers_and_no_secret(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBER_WEBHOOK", "https://me:hush@hooks.example/hush?key=hush")
    monkeypatch.setenv("PROBER_ALERTMANAGER", "http://me:hush@alerts.example:9093/prefix")
    row = next(row for row in json.loads(run("doctor", "--json").out) if row["what"] == "alerts")
    assert row["detail"].startswith("told to alertmanager http://alerts.example:9093, webhook https://hooks.example;")
    shown = {row["name"]: row["value"] for row in json.loads(run("config", "show", "--json").out)}
    assert shown["alertmanager"] == "http://me:********@alerts.example:9093/prefix"
    assert "hush" not in str(shown) + str(row)
