"""``/prober`` in Slack, from the signed command to the answer at a stand-in for Slack."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from slack_sdk.signature import SignatureVerifier
from starlette.datastructures import Headers

from prober.controller import slack_door
from prober.controller.judged import Judged
from prober.errors import StoreUnavailable
from prober.handshake import State
from prober.observation import Asked, Observation
from tests.controller.centres import CULPRIT, NEXT_STEP, SENTENCE, Controller, controller, verdict
from tests.controller.chatting import finish
from tests.controller.slack_standin import SECRET, Slack, command, signed, standin

PATH = "/chat/slack/commands"


@pytest.fixture
def slack() -> Iterator[Slack]:
    with standin() as one:
        yield one


def settings(slack: Slack) -> dict[str, Any]:
    hosts = f"hooks.slack.com,{slack.url}"
    return {"slack_signing_secret": SECRET, "slack_response_hosts": hosts, "public_url": "https://prober.example"}


@pytest.fixture
def running(tmp_path: Path, slack: Slack) -> Iterator[Controller]:
    with controller(tmp_path, **settings(slack)) as one:
        one.judge_all()
        yield one


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Controller, Slack]]:
    """One pair for all tests that must start nothing."""
    with standin() as slack, controller(tmp_path_factory.mktemp("quiet"), **settings(slack)) as one:
        yield one, slack


def post(running: Controller, body: bytes, headers: dict[str, str]) -> httpx.Response:
    return running.client.post(PATH, content=body, headers=headers)


def say(running: Controller, slack: Slack, text: str, **fields: str) -> dict[str, Any]:
    """The acknowledgement of a command that Slack signed."""
    body = command(text, **({"response_url": slack.url + "/commands/T1/1/x"} | fields))
    answer = post(running, body, signed(body))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_a_signed_run_is_acknowledged_at_once_and_answered_in_the_channel(running: Controller, slack: Slack) -> None:
    say(running, slack, "help")
    started = time.monotonic()
    acknowledged = say(running, slack, "run firewall ingress")
    took = time.monotonic() - started
    assert acknowledged == {"response_type": "ephemeral", "text": "Running firewall → ingress…"}
    assert took < 0.1
    finish(running, "return-path-misroute", sentence=SENTENCE, culprit=CULPRIT)
    answer = slack.answer()
    assert answer["text"].startswith(SENTENCE)
    said = str(answer["blocks"])
    assert "```" in said
    assert "↰ return-path misroute 1" in said
    assert "node19: node1 routes 10.19.0.0/16 via 10.224.0.23 (node19)" in said
    assert "<https://prober.example/#/path/firewall/ingress|Open in prober>" in said
    assert slack.wrong == []
    assert [one["response_type"] for one in slack.posts] == ["ephemeral", "in_channel"]
    assert next(iter(running.centre.runs.known.values())).asked_by == "slack:U1 (ada)"


def test_the_next_step_is_what_was_said_of_the_worst_pair(running: Controller, slack: Slack) -> None:
    running.misroute()
    said = verdict("firewall", "ingress", "return-path-misroute")
    asked = Asked("10.19.0.4", "10.4.76.34", 61440, 8080, State.TIMED_OUT)
    observation = Observation(7, "firewall", "ingress", asked, ("node1",), {})
    running.centre.desk.evidence["firewall", "ingress"] = Judged(observation, said, 0.0, 0.0, True)
    assert f"*Next*: {NEXT_STEP}" in say(running, slack, "status")["text"]
    running.judge("firewall", "ingress", "target")  # the evidence is of another story now
    assert "*Next*" not in say(running, slack, "status")["text"]


def test_run_alone_runs_everything_and_one_name_is_a_source_or_a_target(running: Controller, slack: Slack) -> None:
    for at, (text, count) in enumerate(
        [("run", 59), ("run firewall", 8), ("run ingress", 7), ("run lb,vm ingress,pod2", 4)]
    ):
        say(running, slack, text, channel=f"C{at}")
        finish(running)
        while len(running.centre.runs.known) <= at:
            time.sleep(0.01)
        assert len(list(running.centre.runs.known.values())[-1].pairs) == count, text


def test_progress_is_told_at_most_thrice_and_a_post_is_left_for_the_answer(
    running: Controller, slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prober.controller.commands.TELL_AFTER", (0.1,) * 9)
    say(running, slack, "run firewall ingress")
    assert slack.tried(4)
    time.sleep(1)
    assert slack.tries == 4
    finish(running)
    slack.answer()
    assert [one["response_type"] for one in slack.posts] == ["ephemeral"] * 4 + ["in_channel"]
    assert slack.posts[2]["text"] == "firewall → ingress: 0 of 1 probes judged."
    assert slack.wrong == []


def test_one_run_a_channel_at_a_time(running: Controller, slack: Slack) -> None:
    say(running, slack, "run firewall ingress")
    refused = say(running, slack, "run lb ingress")
    assert refused["text"] == "firewall → ingress is still running in this channel; wait for its answer."
    assert say(running, slack, "run lb ingress", channel="C2")["text"] == "Running lb → ingress…"
    time.sleep(0.1)
    assert len(running.centre.runs.known) == 2


def test_the_channel_is_free_again_after_the_answer(running: Controller, slack: Slack) -> None:
    say(running, slack, "run firewall ingress")
    finish(running)
    slack.answer()
    time.sleep(0.1)
    assert say(running, slack, "run lb ingress")["text"] == "Running lb → ingress…"


def test_why_status_and_help_are_answered_with_the_acknowledgement(running: Controller, slack: Slack) -> None:
    running.misroute()
    why = say(running, slack, "why firewall ingress")
    assert (why["response_type"], why["text"].startswith(SENTENCE)) == ("in_channel", True)
    assert say(running, slack, "status")["text"].startswith("1 of 59 paths fail: firewall → ingress is a return-path")
    assert "/prober run firewall ingress" in say(running, slack, "help")["text"]
    assert say(running, slack, "")["text"] == say(running, slack, "help")["text"]
    assert slack.tries == 0


def test_status_names_the_incidents_that_are_open(
    running: Controller, slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    running.misroute()
    running.flip("firewall", "ingress", "return-path-misroute")
    deadline = time.monotonic() + 5
    while not running.client.get("/api/v1/incidents?open=true").json()["incidents"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert re.search(
        r"• Incident \w{8}, open since .* UTC: node19, return-path misroute on 1 path\\n", said(running, slack)
    )

    def away(*_: object) -> None:
        raise StoreUnavailable("the database is away")

    monkeypatch.setattr(running.centre.incidents, "listed", away)
    assert f"which incidents are open is not known: {StoreUnavailable('').outward}" in said(running, slack)


def said(running: Controller, slack: Slack) -> str:
    """All that the answer to a status shows."""
    return json.dumps(say(running, slack, "status"), ensure_ascii=False)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("dance", "There is no command dance. There are:"),
        ("run nobody ingress", "no agent is meant by nobody; there are: firewall, lb"),
        ("run firewall nothing", "no target is meant by nothing; there are: firewall, lb"),
        ("run nobody", "no target is meant by nobody; there are: firewall"),
        ("run a b c", "run takes a source and a target"),
        ("run ,", "a comma alone names nothing"),
        ("why firewall", "why takes a source and a target"),
        ("why nodes ingress", "nodes → ingress are 4 pairs"),
        ("why private ingress", "no probe is declared from private to ingress"),
        ("run <!channel> x", "no agent is meant by &lt;!channel&gt;"),
    ],
)
def test_a_mistake_is_a_sentence_to_who_made_it(quiet: tuple[Controller, Slack], text: str, sentence: str) -> None:
    running, slack = quiet
    reply = say(running, slack, text)
    assert reply["response_type"] == "ephemeral"
    assert reply["text"].startswith(sentence)
    assert running.centre.runs.known == {}


def test_what_the_controller_refuses_is_told_at_the_response_url(running: Controller, slack: Slack) -> None:
    say(running, slack, "run firewall firewall")
    assert slack.tried(1)
    time.sleep(0.05)
    assert "an agent does not ask itself" in slack.posts[0]["text"]
    assert slack.posts[0]["response_type"] == "ephemeral"


# -- who may come in ----------------------------------------------------------------------------------------------


def tampered() -> list[tuple[str, dict[str, str]]]:
    """Headers that Slack did not send for the body of the test."""
    body = b"text=run"
    now, good = int(time.time()), signed(body)
    stamps = {"too early": now - 301, "an hour ahead": now + 3600, "in 1970": 0, "before it": -now, "never": 10**30}
    garbage = [
        "",
        "v0=",
        "v0=zz",
        "v1=" + "0" * 64,
        "v0=" + "0" * 63,
        "v0=" + "0" * 65,
        "v0=" + "é" * 64,
        "0" * 64,
        "v0=%s" * 9,
    ]
    found = [("no headers", {}), ("no stamp", {"X-Slack-Signature": good["X-Slack-Signature"]})]
    found += [("no signature", {"X-Slack-Request-Timestamp": str(now)})]
    found += [("another secret", signed(body, secret="another"))]  # wrong on purpose
    found += [("another body", signed(body + b" firewall"))]
    found += [(f"signed {when}", signed(body, str(stamp))) for when, stamp in stamps.items()]
    found += [(f"signature {one[:9]!r}", good | {"X-Slack-Signature": one}) for one in garbage]
    wrong = ["", "now", "1e9", "0x10", "١٢٣", "nan", "9" * 5000]
    found += [(f"stamp {one[:5]!r}", signed(body, one)) for one in wrong]
    found += [("stamp with a point", signed(body, f"{now}.0")), ("stamp with a sign", signed(body, f"+{now}"))]
    return found


@pytest.mark.parametrize(("why", "headers"), tampered(), ids=[why for why, _ in tampered()])
def test_what_slack_did_not_sign_is_401(quiet: tuple[Controller, Slack], why: str, headers: dict[str, str]) -> None:
    running, slack = quiet
    raw = [(key.encode(), value.encode()) for key, value in headers.items()]
    answer = running.client.post(PATH, content=b"text=run", headers=raw)
    assert answer.status_code == 401, why
    assert answer.headers["content-type"] == "application/problem+json"
    assert (running.centre.runs.known, slack.tries) == ({}, 0)


def test_two_signatures_are_as_good_as_none(running: Controller) -> None:
    body = b"text=help"
    headers = [*signed(body).items(), ("X-Slack-Signature", "v0=" + "0" * 64)]
    assert running.client.post(PATH, content=body, headers=headers).status_code == 401


def test_our_signature_is_the_one_that_slacks_own_library_makes(running: Controller) -> None:
    body, stamp = b"text=help", str(int(time.time()))
    made = SignatureVerifier(SECRET).generate_signature(timestamp=stamp, body=body)
    headers = {"X-Slack-Signature": str(made), "X-Slack-Request-Timestamp": stamp}
    assert post(running, body, headers).status_code == 200


@pytest.mark.parametrize(("off", "good"), [(-300, True), (300, True), (-301, False), (301, False)])
def test_a_stamp_may_be_five_minutes_off_and_no_more(off: int, good: bool) -> None:
    body, wall = b"text=help", 1790000000
    headers = Headers(signed(body, str(wall + off)))
    assert slack_door.verified(SECRET, slack_door.signature(headers), body, wall) is good


def test_a_replay_starts_nothing_even_when_sent_ten_times_at_once(running: Controller, slack: Slack) -> None:
    body = command("run firewall ingress", slack.url + "/commands/T1/1/x")
    headers, answers = signed(body), list[str]()

    def send() -> None:
        with httpx.Client(base_url=running.url, trust_env=False) as client:
            answers.append(client.post(PATH, content=body, headers=headers).json()["text"])

    threads = [threading.Thread(target=send) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert min(answers) == "Running firewall → ingress…"
    assert answers.count("This very request came before; nothing new was started.") == 9
    time.sleep(0.1)
    assert len(running.centre.runs.known) == 1


def test_a_body_too_large_is_refused_before_it_is_read_whole(running: Controller) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 8192
            time.sleep(0.005)

    assert post(running, b"x" * 65537, signed(b"")).status_code == 413
    assert running.client.post(PATH, content=endless(), headers=signed(b"")).status_code == 413


def test_bytes_that_are_no_form_are_answered_in_a_sentence(running: Controller) -> None:
    for body in (b"\xff\xfe", b"text=%ff", b"a" * 60000, b"&".join([b"a=b"] * 5000)):
        answer = post(running, body, signed(body))
        assert answer.status_code == 200
        assert answer.json()["response_type"] == "ephemeral"


def test_without_a_signing_secret_there_is_no_such_door(tmp_path: Path) -> None:
    with controller(tmp_path) as closed:
        body = b"text=help"
        answer = post(closed, body, signed(body))
        assert answer.status_code == 404
        assert "PROBER_SLACK_SIGNING_SECRET_FILE" in answer.json()["detail"]


# -- where an answer may go ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "", "nonsense", "//hooks.slack.com/x", "http://hooks.slack.com/x", "https://hooks.slack.com.evil.example/x",
        "https://evil.example/hooks.slack.com", "https://hooks.slack.com@evil.example/x",
        "https://ada:pw@hooks.slack.com/x", "https://hooks.slack.com:8443/x", "https://evil.example\\@hooks.slack.com/x",
        "https://[::1]/x", "https://169.254.169.254/latest/meta-data", "file:///etc/passwd", "https://hooks.slack.com\x00/",
        "https://hooks。slack。com.evil.example/", "http://127.0.0.1:1/x", "https://127.0.0.1/x",
        "https://xn--a/x", "https://xn--hooks-/x",
        "https://" + "a" * 60000,
    ],
)  # fmt: skip
def test_an_answer_goes_only_where_the_settings_say(quiet: tuple[Controller, Slack], url: str) -> None:
    running, slack = quiet
    reply = say(running, slack, "run firewall ingress", response_url=url)
    assert reply["response_type"] == "ephemeral"
    assert "response_url" in reply["text"]
    time.sleep(0.02)
    assert (running.centre.runs.known, slack.tries) == ({}, 0)


def test_a_redirect_is_not_followed(running: Controller, slack: Slack) -> None:
    slack.codes = [200, 302, 307, 302, 307, 302]
    say(running, slack, "run firewall ingress")
    finish(running)
    assert slack.tried(2)
    time.sleep(1)
    assert (slack.wrong, slack.posts) == ([], [])


def test_an_answer_that_was_not_taken_is_tried_again(running: Controller, slack: Slack) -> None:
    slack.codes = [500, 503]
    say(running, slack, "run firewall ingress")
    finish(running)
    answer = slack.answer()
    assert answer["text"].startswith("firewall → ingress: healthy")
    assert slack.tries == 3


def test_it_never_tries_more_than_five_times(
    running: Controller, slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prober.controller.posts.PAUSES", (0.05,) * 9)
    slack.codes = [500] * 20
    say(running, slack, "run firewall ingress")
    finish(running)
    assert slack.tried(5)
    time.sleep(0.5)
    assert slack.tries == 5


def test_the_controller_ends_while_a_run_goes_on(tmp_path: Path, slack: Slack) -> None:
    given: dict[str, Any] = {"slack_signing_secret": SECRET, "slack_response_hosts": slack.url}
    with controller(tmp_path, **given) as running:
        say(running, slack, "run firewall ingress")
        assert slack.tried(1)
        started = time.monotonic()
    assert time.monotonic() - started < 3
