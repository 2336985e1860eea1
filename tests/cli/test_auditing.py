"""`prober audit` of the address plan, which asks nobody; its log is asked of a controller in test_looking.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.prober_command import Left, prober

DEMO = Path(__file__).parents[2] / "targets.yaml"
Run = Callable[..., Left]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("PROBER_CONTROLLER", "http://127.0.0.1:1")
    return lambda *words: prober(monkeypatch, capsys, *words)


def test_a_dangerous_plan_leaves_with_1_and_says_how_far_it_is(run: Run) -> None:
    left = run("audit", "--targets", str(DEMO))
    assert (left.code, left.err) == (1, "")
    words = " ".join(left.out.split())
    assert "✗ pool cilium (10.0.0.0/8) holds zone firewall (10.19.0.0/24): a node" in words
    assert "cilium 256 2 13 10.5.0.0/16 10.19.0.0/16" in words


def test_the_same_as_json(run: Run) -> None:
    left = run("audit", "--targets", str(DEMO), "--json")
    document = json.loads(left.out)
    assert (left.code, document["dangerous"], len(document["findings"])) == (1, True, 5)
    first = document["findings"][0]
    assert first["sentence"] == f"{first['what']}. {first['right']}."
    assert first["between"][1] == {"sort": "zone", "name": "firewall", "network": "10.19.0.0/24"}
    [pool] = document["pools"]
    assert (pool["left"], pool["reaches"], pool["last"]) == (13, "10.19.0.0/16", "10.5.0.0/16")
    assert pool["sentence"].startswith("cilium has 13 blocks of /16 left after 10.5.0.0/16; then comes 10.19.0.0/16")


def test_a_pool_that_overlaps_nothing_leaves_with_0(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mended = tmp_path / "targets.yaml"
    mended.write_text(DEMO.read_text().replace("cidrs: [10.0.0.0/8]", "cidrs: [10.4.0.0/14]"))
    monkeypatch.setenv("PROBER_TARGETS", str(mended))
    left = run("audit")
    assert (left.code, left.err) == (0, "")
    assert "Nothing overlaps that should not." in left.out
    assert json.loads(run("audit", "--json").out)["pools"][0]["left"] == 2


def test_a_document_that_is_wrong_leaves_with_4(run: Run, tmp_path: Path) -> None:
    assert run("audit", "--targets", str(tmp_path / "none.yaml")).code == 4
