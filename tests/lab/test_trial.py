"""Incidents on the real kernel, judged by the real controller and agents: one for each rule that matters most.

The whole catalogue takes minutes: `make catalogue` runs it, and test_recording judges all of it again as recorded.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from children import Sealed

from prober.lab import incident
from prober.lab.incident import Incident
from prober.lab.trial import _compared
from prober.plan import pairs
from prober.targets import parse

ROOT = Path(__file__).parents[2]
ROOTLESS = ("setpriv", "--bounding-set=-all,+setfcap", "--inh-caps=-all")
"""No capability but the one that a real uid 0 needs to map itself into a user namespace."""


PLAYED = (
    "healthy", "detour", "filter", "host-firewall", "closed-port", "local-no-route", "incident", "incident-blackhole",
    "own-block", "return-filter", "no-return-route", "agent-silent", "agent-silent-filter", "agent-silent-incident",
    "strict-rp-filter", "unprivileged-filter", "asymmetric-reply", "overlay-stale-peer", "incident-6",
)  # fmt: skip


def prober(*words: str, before: tuple[str, ...] = (), timeout: float = 280) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-m", "prober", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False)


@pytest.fixture(scope="module")
def trials(sealed_child: Sealed) -> dict[str, dict[str, Any]]:
    """All of `PLAYED`, once."""
    done = prober("lab", "run", *PLAYED, "--json", "--labs", "2")
    assert done.stdout, done.stderr
    document = json.loads(done.stdout)
    assert document["directions"]["wrong"] == document["healthy_accused"] == 0, document["misses"]
    return {trial["scenario"]: trial for trial in document["results"]}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PLAYED)
def test_every_cell_of_an_incident_earns_what_its_file_expects(trials: dict[str, dict[str, Any]], name: str) -> None:
    trial = trials[name]
    assert trial["ok"], "\n".join(trial["misses"])
    assert len(trial["cells"]) == len(pairs(parse(incident.load(name).targets_text(), name)))


@pytest.mark.timeout(300)
def test_the_incident_is_proven_and_its_culprit_named(trials: dict[str, dict[str, Any]]) -> None:
    cells = {(c["source"], c["target"]): c for c in trials["incident"]["cells"]}
    cell = cells[("firewall", "ingress")]
    assert (cell["label"], cell["confidence"]) == ("return-path-misroute", "proven")
    assert "node19" in cell["culprit"]
    assert "10.19.0.0/16 via 10.224.0.23" in cell["culprit"]
    assert {cells[(s, "ingress")]["label"] for s in ("lb", "vm", "remote", "node2")} == {"healthy"}


@pytest.mark.timeout(300)
def test_a_silent_agent_is_evidence_of_nothing(trials: dict[str, dict[str, Any]]) -> None:
    for name in ("agent-silent", "agent-silent-filter", "agent-silent-incident"):
        towards = [c for c in trials[name]["cells"] if c["target"] in ("ingress", "node1", "ingress-via-lb")]
        assert towards
        assert all(c["confidence"] != "proven" for c in towards if c["source"] != "node1"), towards


def test_rootless_the_incident_is_said_just_the_same(sealed_child: Sealed) -> None:
    if os.geteuid() == 0 and shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is not there to give root's rights away")
    before = ROOTLESS if os.geteuid() == 0 else ()
    done = prober("lab", "run", "incident", "--json", before=before, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["ok"] is True


def test_a_wrong_expectation_leaves_with_1_and_says_what_was_seen(sealed_child: Sealed, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    shipped = (ROOT / "prober/lab/incidents/filter.yaml").read_text()
    file.write_text(shipped.replace("label: ingress-drop", "label: return-path-misroute"))
    assert "return-path-misroute" in file.read_text()
    done = prober("lab", "run", str(file), timeout=100)
    assert done.returncode == 1, done.stderr
    assert "expected return-path-misroute" in done.stdout
    assert "seen ingress-drop" in done.stdout
    assert "Traceback" not in done.stderr


def test_the_expectation_is_compared_and_never_copied() -> None:
    one: Incident = incident.load("filter")
    cell = {"source": "firewall", "target": "ingress", "label": "healthy", "cause": None, "confidence": "proven",
            "culprit": None, "sentence": "it answers"}  # fmt: skip
    compared = _compared(cell, one, {"pod2"})
    assert compared["ok"] is compared["covered"] is False
    assert compared["label"] == "healthy"
    assert "ingress-drop" in compared["expected"]
