"""Who in chat may start runs, who may look, and what the others are told; the audit log names them all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.fleet import postgres
from tests.controller.centres import TARGETS, Controller, controller
from tests.controller.mattermost_standin import ADA, TOKEN
from tests.controller.mattermost_standin import command as mattermost_command
from tests.controller.slack_standin import SECRET, command, signed

ROLES = f"""
chat:
  operators: [slack:U1, 'mattermost:{ADA}']
  viewers: [slack:U2]
"""
URL = "https://hooks.slack.com/commands/T1/1/x"
DENIED = "eve has no role here: chat.{} in targets.yaml must name slack:U3."


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Controller]:
    document = tmp_path / "targets.yaml"
    document.write_text(TARGETS.read_text() + ROLES)
    given: dict[str, Any] = {"slack_signing_secret": SECRET, "mattermost_token": TOKEN}
    with controller(tmp_path, document, **given, mattermost_url="https://chat.example") as one:
        one.judge_all()
        yield one


def say(running: Controller, text: str, user: str, name: str) -> str:
    body = command(text, URL, user_id=user, user_name=name, channel=f"C{user}{text[:1]}")
    return str(running.client.post("/chat/slack/commands", content=body, headers=signed(body)).json()["text"])


def in_mattermost(running: Controller, text: str, user: str) -> str:
    body = mattermost_command(text, "https://chat.example", user_id=user)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = running.client.post("/chat/mattermost/commands", content=body, headers=headers)
    return str(answer.json()["text"]).replace("\\", "")


def deeds(running: Controller) -> list[tuple[str, str, str]]:
    """The audit log, oldest first; the ids of runs left out."""
    from prober.store.audit import entries

    return [(one.who, one.what, one.detail.partition(" ")[2]) for one in reversed(entries(running.centre.store))]


def test_an_operator_runs_and_the_audit_log_names_the_member(running: Controller) -> None:
    assert say(running, "run firewall ingress", "U1", "ada") == "Running firewall → ingress…"
    assert in_mattermost(running, "run lb ingress", ADA) == "Running lb → ingress…"
    end = time.monotonic() + 5
    while len(deeds(running)) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    assert sorted(deeds(running)) == [
        (f"mattermost:{ADA} (ada)", "run", "lb → ingress"), ("slack:U1 (ada)", "run", "firewall → ingress"),
    ]  # fmt: skip


def test_a_viewer_looks_and_starts_nothing(running: Controller) -> None:
    assert say(running, "status", "U2", "bob").startswith("All 59 paths are healthy")
    assert say(running, "why firewall ingress", "U2", "bob").startswith("firewall → ingress: healthy")
    told = "bob may look, not start runs: chat.operators in targets.yaml must name slack:U2."
    assert say(running, "run firewall ingress", "U2", "bob") == told
    assert running.centre.runs.known == {}
    assert deeds(running) == [("slack:U2 (bob)", "run refused", "firewall ingress")]


def test_whom_nobody_named_gets_help_and_is_told_who_could_change_that(running: Controller) -> None:
    assert say(running, "run firewall ingress", "U3", "eve") == DENIED.format("operators")
    assert say(running, "status", "U3", "eve") == DENIED.format("viewers")
    assert say(running, "why firewall ingress", "U3", "eve") == DENIED.format("viewers")
    assert say(running, "help", "U3", "eve").startswith("Ask me:")
    assert "mattermost:*" not in in_mattermost(running, "run firewall ingress", "x" * 26)
    assert running.centre.runs.known == {}
    assert [what for _, what, _ in deeds(running)] == ["run refused", "status refused", "why refused", "run refused"]


def test_a_name_makes_nobody_an_operator(running: Controller) -> None:
    assert say(running, "run firewall ingress", "U3", "slack:U1").startswith("slack:U1 has no role here")
    assert say(running, "run firewall ingress", "*", "ada").startswith("ada has no role here")
    assert say(running, "run firewall ingress", "", "").startswith("slack: has no role here")
    assert running.centre.runs.known == {}


def test_no_sign_keeps_a_refusal_out_of_the_audit_log(tmp_path: Path, cluster: str) -> None:
    """PostgreSQL takes no NUL."""
    document = tmp_path / "targets.yaml"
    document.write_text(TARGETS.read_text() + ROLES)
    database = postgres.database(cluster)
    with controller(tmp_path, document, database, slack_signing_secret=SECRET) as one:
        assert say(one, "run firewall\0 ingress", "U3", "eve") == DENIED.format("operators")
        assert [(who, what) for who, what, _ in deeds(one)] == [("slack:U3 (eve)", "run refused")]


def test_who_was_forgotten_is_added_by_a_reload(running: Controller, tmp_path: Path) -> None:
    (tmp_path / "targets.yaml").write_text(TARGETS.read_text() + ROLES.replace("[slack:U1,", "[slack:U1, slack:U3,"))
    running.centre.reload()
    assert say(running, "run firewall ingress", "U3", "eve") == "Running firewall → ingress…"


def test_where_no_roles_are_declared_whoever_has_the_command_may_run(tmp_path: Path) -> None:
    with controller(tmp_path, slack_signing_secret=SECRET) as one:
        assert say(one, "run firewall ingress", "U3", "eve") == "Running firewall → ingress…"
