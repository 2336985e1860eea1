"""``/prober`` in Mattermost, from the form with its token to the answer at a stand-in for Mattermost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from prober.controller import chats
from prober.errors import ConfigInvalid
from prober.settings import load
from tests.controller.centres import CULPRIT, SENTENCE, Controller, controller
from tests.controller.chatting import finish
from tests.controller.mattermost_standin import TOKEN, Mattermost, command, standin
from tests.surfaces.mattermost_rules import broken_rules, seen

PATH = "/chat/mattermost/commands"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def mattermost() -> Iterator[Mattermost]:
    with standin() as one:
        yield one


@pytest.fixture
def running(tmp_path: Path, mattermost: Mattermost) -> Iterator[Controller]:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"tokenofanotherteam00000000\n{TOKEN}\n")
    given = {"mattermost_token_file": tokens, "mattermost_url": mattermost.url, "public_url": "https://prober.example"}
    with controller(tmp_path, **given) as one:
        one.judge_all()
        yield one


def post(running: Controller, body: bytes) -> httpx.Response:
    return running.client.post(PATH, content=body, headers=FORM)


def say(running: Controller, there: Mattermost, text: str, **fields: str) -> dict[str, Any]:
    """The direct answer to a command."""
    answer = post(running, command(text, there.url, **fields))
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"  # else it would be shown as plain text
    message: dict[str, Any] = answer.json()
    assert broken_rules(message) == []
    return message


def test_a_run_is_acknowledged_at_once_and_answered_in_the_channel(running: Controller, mattermost: Mattermost) -> None:
    acknowledged = say(running, mattermost, "run firewall ingress")
    assert (acknowledged["response_type"], acknowledged["text"]) == ("ephemeral", "Running firewall → ingress…")
    finish(running, "return-path-misroute", sentence=SENTENCE, culprit=CULPRIT)
    said = seen(mattermost.answer()["text"])
    assert said.startswith(f"**{SENTENCE.replace('misroute.', 'misroute.**')}\n\n```\n")
    assert "**Culprit** (proven): node19: node1 routes 10.19.0.0/16 via 10.224.0.23 (node19)" in said
    assert "[Open in prober](https://prober.example/#/path/firewall/ingress)" in said
    assert mattermost.wrong == []
    assert [one["response_type"] for one in mattermost.posts] == ["ephemeral", "in_channel"]


def test_why_status_and_help_are_answered_at_once(running: Controller, mattermost: Mattermost) -> None:
    running.misroute()
    assert seen(say(running, mattermost, "why firewall ingress")["text"]).startswith(f"**{SENTENCE[:40]}")
    assert say(running, mattermost, "status")["text"].startswith("**1 of 59 paths fail: firewall → ingress is a return")
    assert "- `/net run firewall ingress` – probe" in say(running, mattermost, "help", command="/net")["text"]
    assert "`/prober run firewall ingress`" in say(running, mattermost, "help", command="/x`@all")["text"]
    assert "no agent is meant by @all" in seen(say(running, mattermost, "run @all x")["text"])
    assert mattermost.tries == 0


@pytest.mark.parametrize(
    "token", ["", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), f"tokenofanotherteam00000000 {TOKEN}", "é", "\x00"]
)
def test_another_token_is_401_and_starts_nothing(running: Controller, mattermost: Mattermost, token: str) -> None:
    answer = post(running, command("run firewall ingress", mattermost.url, token=token))
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert TOKEN not in answer.text
    time.sleep(0.02)
    assert (running.centre.runs.known, mattermost.tries) == ({}, 0)


def test_two_tokens_are_as_good_as_none_and_bytes_are_no_form(running: Controller, mattermost: Mattermost) -> None:
    good = command("status", mattermost.url)
    assert post(running, good).status_code == 200
    assert post(running, good + b"&token=" + TOKEN.encode()).status_code == 401
    assert post(running, b"token=%ff&x").status_code == 400
    assert post(running, b"x" * 65537).status_code == 413
    assert running.client.get(PATH).status_code == 405


def test_each_teams_token_is_good(running: Controller, mattermost: Mattermost) -> None:
    assert say(running, mattermost, "status", token="tokenofanotherteam00000000")["response_type"] == "in_channel"


def test_the_same_request_again_starts_nothing(running: Controller, mattermost: Mattermost) -> None:
    body = command("run firewall ingress", mattermost.url)
    assert post(running, body).json()["text"] == "Running firewall → ingress…"
    assert post(running, body).json()["text"] == "This very request came before; nothing new was started."
    assert "still running in this channel" in say(running, mattermost, "run lb ingress")["text"]
    time.sleep(0.1)
    assert len(running.centre.runs.known) == 1


@pytest.mark.parametrize(
    "url",
    [
        "", "nonsense", "http://127.0.0.1:1/hooks/commands/x", "https://127.0.0.1/hooks/commands/x",
        "http://evil.example/hooks/commands/x", "HERE/api/v4/posts", "HERE/hooks/commands/../../api/v4/users",
        "HERE@evil.example/hooks/commands/x", "http://169.254.169.254/latest/meta-data", "HERE/hooks/commandsx/y",
        "HERE/hooks/commands/%2e%2e/%2e%2e/api/v4/users", "HERE/hooks/commands/..%2f..%2fapi", "HERE/hooks/commands/..",
    ],
)  # fmt: skip
def test_an_answer_goes_only_where_the_setting_says(running: Controller, mattermost: Mattermost, url: str) -> None:
    given = url.replace("HERE", mattermost.url)
    told = say(running, mattermost, "run firewall ingress", response_url=given)
    assert "response\\_url" in told["text"], told
    time.sleep(0.02)
    assert (running.centre.runs.known, mattermost.tries) == ({}, 0)


def test_a_redirect_is_not_followed(
    running: Controller, mattermost: Mattermost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prober.controller.posts.PAUSES", (0.05,) * 3)
    mattermost.codes = [307] * 9
    say(running, mattermost, "run firewall ingress")
    finish(running)
    with mattermost.arrived:
        assert mattermost.arrived.wait_for(lambda: mattermost.tries == 5, 10)
    assert (mattermost.wrong, mattermost.posts) == ([], [])


def test_without_a_token_there_is_no_such_door(tmp_path: Path) -> None:
    with controller(tmp_path) as closed:
        answer = post(closed, command("help", "https://chat.example"))
        assert answer.status_code == 404
        assert "PROBER_MATTERMOST_TOKEN_FILE" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mattermost_token": "x"}, "mattermost_url is not: say where answers may go"),
        ({"mattermost_token": " ", "mattermost_url": "https://chat.example"}, "mattermost_token holds nothing"),
        ({"slack_bot_token": "xoxb-1"}, "nobody could ask the bot anything"),
        ({"slack_bot_token": "xoxb-é", "slack_signing_secret": "x"}, "write it as Slack shows it, xoxb-…"),
        ({"slack_signing_secret_file": "/nonexistent"}, "name a slack signing secret file that can be read"),
    ],
)
def test_half_a_chat_is_refused_at_the_start(given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigInvalid, match=said):
        chats.of(load(**given))
