"""What every test gets: PROBER_STRICT=1 makes a skip a failure, and the last lines count the skips by reason."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Generator, Iterator
from typing import Any

import pytest
import structlog

from bench.fleet import postgres

STRICT = os.environ.get("PROBER_STRICT") == "1"


def _strict(report: pytest.TestReport | pytest.CollectReport) -> None:
    if STRICT and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which PROBER_STRICT=1 does not allow: {reason(report)}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _strict(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _strict(report)
    return report


@pytest.fixture(scope="session")
def cluster() -> Iterator[str]:
    """The folder of a PostgreSQL server's Unix socket; it vanishes with the session. User postgres, no password."""
    if not postgres.SERVERS:
        pytest.skip("no PostgreSQL server: apt-get install postgresql-15")
    with postgres.cluster("fsync=off") as folder:
        yield folder


@pytest.fixture(autouse=True)
def _plain_logs() -> None:
    """As `prober.logs` has it: structlog's own default draws every local of a traceback, for seconds."""
    processors = [structlog.processors.add_log_level, structlog.processors.format_exc_info]
    structlog.configure(processors=[*processors, structlog.processors.KeyValueRenderer()])


_STAMP = str(int(time.time()))[:6]
"""A clock's reading of about now: another worker, a second later, would name the same test otherwise."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Workers must collect the same names, at whatever second each of them starts."""
    for item in items:
        if _STAMP in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid}: give this case an id that says what it is (`ids=`)")


def reason(report: Any) -> str:
    """Why a report was skipped, without pytest's prefix."""
    said = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return str(said).removeprefix("Skipped: ")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_unconfigure(config: pytest.Config) -> Generator[None, None, None]:
    """After pytest's own last line: the count is what a person reads at the end."""
    yield
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or config.option.collectonly:
        return
    for line in skipped_lines(reporter.stats.get("skipped", [])):
        reporter.write_line(line)


def skipped_lines(reports: list[Any]) -> list[str]:
    """``skipped N: reason`` for each reason, or ``skipped 0``."""
    reasons = Counter(reason(report) for report in reports)
    return [f"skipped {count}: {why}" for why, count in reasons.most_common()] or ["skipped 0"]
