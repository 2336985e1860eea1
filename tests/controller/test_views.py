"""What is known, as documents."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prober.report import Report
from tests.controller.centres import Controller, controller
from tests.controller.reports import Reporter

NOTE = "nothing is probed from here. This process lacks CAP_NET_RAW"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Controller]:
    with controller(tmp_path) as one:
        yield one


def heard(running: Controller, report: Report) -> None:
    running.centre.desk.take(report, time.monotonic())
    running.centre.fleet.hear(report)


def missing(running: Controller) -> list[str]:
    told: list[str] = running.client.get("/api/v1/paths/firewall/ingress").json()["verdict"]["missing"]
    return told


def test_an_agent_that_reports_and_does_not_probe_says_why(running: Controller) -> None:
    silent = "no judged probe from firewall to ingress yet"
    running.centre.fleet.notes["firewall"] = NOTE
    assert missing(running) == [silent]
    heard(running, Reporter("firewall").report([], []))
    assert missing(running) == [silent, f"agent firewall reports, and said last: {NOTE}"]
    running.judge("firewall", "ingress")
    assert missing(running) == []
