"""`prober lab …`: what it lists, and what it refuses before anything is built."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.prober_command import prober


def test_the_shipped_incidents_are_listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    names = [one["name"] for one in json.loads(prober(monkeypatch, capsys, "lab", "list", "--json").out)]
    assert {"incident", "healthy", "filter"} <= set(names)
    assert "incident" in prober(monkeypatch, capsys, "lab", "list").out


def test_an_incident_that_is_none_is_refused_before_anything_is_built(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    left = prober(monkeypatch, capsys, "lab", "run", "nothing-like-it")
    assert (left.code, left.out) == (4, "")
    assert "neither a file nor a shipped incident" in left.err
    (tmp_path / "bad.yaml").write_text("title: x\nnetwork: azure\nbrake: {}\n")
    left = prober(monkeypatch, capsys, "lab", "run", str(tmp_path / "bad.yaml"))
    assert left.code == 4
    assert "bad.yaml:" in left.err
