"""``@prober`` in Slack: an event in, acknowledged at once; the answer, and the picture, in its thread."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from prober.controller import slack_door
from tests.controller.centres import CULPRIT, SENTENCE, Controller, controller
from tests.controller.chatting import finish
from tests.controller.slack_standin import BOT_TOKEN, SECRET, Slack, command, mention, signed, standin

PATH = "/chat/slack/events"


@pytest.fixture
def slack() -> Iterator[Slack]:
    with standin() as one:
        yield one


def settings(folder: Path, slack: Slack) -> dict[str, Any]:
    bot = folder / "bot"
    bot.write_text(BOT_TOKEN + "\n")
    return {
        "slack_signing_secret": SECRET, "slack_bot_token_file": bot, "slack_api": slack.url + "/api",
        "slack_upload_hosts": slack.url, "slack_response_hosts": slack.url, "public_url": "https://prober.example",
    }  # fmt: skip


@pytest.fixture
def running(tmp_path: Path, slack: Slack) -> Iterator[Controller]:
    with controller(tmp_path, **settings(tmp_path, slack)) as one:
        one.judge_all()
        yield one


def send(running: Controller, body: bytes, **headers: str) -> httpx.Response:
    return running.client.post(PATH, content=body, headers=signed(body, media_type="application/json") | headers)


def tell(running: Controller, words: str, **fields: Any) -> None:
    """A mention that Slack signed, and its acknowledgement: empty, and at once."""
    began = time.monotonic()
    answer = send(running, mention(words, **fields))
    assert (answer.status_code, answer.content) == (200, b"")
    assert time.monotonic() - began < 1


def said(slack: Slack, count: int = 1) -> list[dict[str, Any]]:
    """So many messages of the bot, once they are there."""
    slack.until(lambda: len(slack.messages) >= count)
    return slack.messages


def test_a_run_is_told_and_answered_in_the_thread_with_a_picture(running: Controller, slack: Slack) -> None:
    tell(running, "run firewall ingress", thread_ts="1767260000.000001")
    finish(running, "return-path-misroute", sentence=SENTENCE, culprit=CULPRIT)
    slack.until(lambda: any(one.shown for one in slack.uploads.values()))
    started, answered = slack.messages
    assert started["text"] == "firewall → ingress: the run of 1 pair has started."
    assert answered["text"].startswith(SENTENCE)
    assert "↰ return-path misroute 1" in str(answered["blocks"])
    assert {one["thread_ts"] for one in slack.messages} == {"1767260000.000001"}
    (upload,) = slack.uploads.values()
    assert upload.shown == {
        "files": [{"id": "F1", "title": upload.name.removesuffix(".png")}],
        "channel_id": "C1",
        "thread_ts": "1767260000.000001",
    }
    assert upload.name.startswith("firewall → ingress, run ")
    assert upload.alt.startswith("1 of 1 path fail: firewall → ingress is a return-path misroute.")
    assert upload.content is not None
    assert Image.open(io.BytesIO(upload.content)).format == "PNG"
    assert slack.wrong == []
    assert next(iter(running.centre.runs.known.values())).asked_by == "slack:U1"


def test_a_mention_outside_a_thread_is_answered_under_itself(running: Controller, slack: Slack) -> None:
    running.misroute()
    tell(running, "why firewall ingress")
    tell(running, "status")
    tell(running, "")
    tell(running, "dance <!channel>")
    why, status, help_, dance = said(slack, 4)
    assert {one["thread_ts"] for one in slack.messages} == {"1767268800.000012"}
    texts = {one["text"].split("\n")[0][:40] for one in (why, status, help_, dance)}
    assert texts == {
        SENTENCE[:40],
        "1 of 59 paths fail: firewall → ingress i",
        "Ask me:",
        "There is no command dance. There are:",
    }
    assert "`@prober run firewall ingress`" in str(slack.messages)
    assert slack.wrong == []


def test_progress_changes_one_message(running: Controller, slack: Slack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prober.controller.commands.TELL_AFTER", (0.1, 0.3))
    tell(running, "run firewall ingress")
    slack.until(lambda: len(slack.updates) == 2)
    finish(running)
    first, answered = said(slack, 2)
    assert {one["ts"] for one in slack.updates} == {first["ts"]}
    assert slack.updates[0]["text"] == "firewall → ingress: 0 of 1 probes judged."
    assert answered["text"].startswith("firewall → ingress: healthy")
    assert slack.wrong == []


def test_the_same_event_again_starts_nothing_even_when_sent_ten_times_at_once(
    running: Controller, slack: Slack
) -> None:
    body = mention("run firewall ingress", "Ev0PV52K25")
    codes = list[int]()

    def again(at: int) -> None:
        late = signed(body, str(int(time.time()) - at), media_type="application/json")  # Slack signs each try anew
        with httpx.Client(base_url=running.url, trust_env=False) as client:
            retry = {"X-Slack-Retry-Num": str(at), "X-Slack-Retry-Reason": "http_timeout"} if at else {}
            codes.append(client.post(PATH, content=body, headers=late | retry).status_code)

    threads = [threading.Thread(target=again, args=(at,)) for at in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said(slack)
    time.sleep(0.3)
    assert codes == [200] * 10
    assert (len(running.centre.runs.known), len(slack.messages)) == (1, 1)
    again(1)
    time.sleep(0.2)
    assert (len(running.centre.runs.known), len(slack.messages)) == (1, 1)


def test_a_retry_whose_first_try_never_came_is_obeyed(running: Controller, slack: Slack) -> None:
    body = mention("help")
    assert send(running, body, **{"X-Slack-Retry-Num": "1"}).status_code == 200
    assert said(slack)[0]["text"].startswith("Ask me:")


def test_one_run_a_channel_however_it_is_asked(running: Controller, slack: Slack) -> None:
    tell(running, "run firewall ingress")
    said(slack)
    body = command("run lb ingress", slack.url + "/commands/T1/1/x")
    refused = running.client.post("/chat/slack/commands", content=body, headers=signed(body)).json()
    assert refused["text"] == "firewall → ingress is still running in this channel; wait for its answer."
    tell(running, "run lb ingress", channel="C2")
    said(slack, 2)
    assert len(running.centre.runs.known) == 2


def test_the_challenge_is_given_back_to_slack_alone(running: Controller) -> None:
    body = json.dumps({"token": "gone", "challenge": "3eZbrw1aBm2rZgRN", "type": "url_verification"}).encode()
    answer = send(running, body)
    assert (answer.status_code, answer.text) == (200, "3eZbrw1aBm2rZgRN")
    assert answer.headers["content-type"].startswith("text/plain")
    assert running.client.post(PATH, content=body).status_code == 401
    assert running.client.post(PATH, content=body, headers=signed(body + b" ")).status_code == 401


@pytest.mark.parametrize(
    "fields",
    [
        {"bot_id": "B1"},
        {"type": "message"},
        {"user": ""},
        {"channel": {"id": "C1"}},
        {"ts": None},
        {"text": 7, "ts": 7},
    ],
)
def test_what_is_no_mention_by_a_person_is_taken_and_not_obeyed(
    running: Controller, slack: Slack, fields: dict[str, Any]
) -> None:
    tell(running, "run firewall ingress", **fields)
    time.sleep(0.1)
    assert (running.centre.runs.known, slack.messages, slack.wrong) == ({}, [], [])


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b'{"type": 7}', b"\xff", b"[" * 90000, b'{"type":"event_callback","event":[]}',
        mention("run").replace(b'"event_time": ', b'"event_time": ' + b"9" * 400),
    ],
)  # fmt: skip
def test_bytes_that_are_no_event_are_400(running: Controller, body: bytes) -> None:
    answer = send(running, body)
    assert (answer.status_code, answer.json()["detail"]) == (400, "this is no event as Slack's Events API posts it")


def test_an_event_from_long_ago_is_not_obeyed() -> None:
    told = slack_door.envelope(mention("run"))
    assert slack_door.mention(told, time.time() + 590) is not None
    assert slack_door.mention(told, time.time() + 610) is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("<@UBOT> run a b", "run a b"), ("hello <@UBOT> run a b", "run a b"), ("<@U2> <@UBOT> run a <@U3>", "run a"),
        ("<@UBOT> run <http://lb.example.org|lb.example.org> b", "run lb.example.org b"),
        ("<@UBOT> run <http://lb.example.org> b", "run lb.example.org b"), ("<@UBOT> run a -&gt; b", "run a -> b"),
        ("<@UBOT> run <!channel> &amp;lt;", "run <!channel> &lt;"), ("run a", "run a"), ("<@UBOT>", ""),
    ],
)  # fmt: skip
def test_what_was_said_to_the_bot_is_read_as_it_was_typed(text: str, meant: str) -> None:
    found = slack_door.mention(slack_door.envelope(mention("", text=text)), time.time())
    assert found is not None
    assert found.text.split() == meant.split()


@pytest.mark.parametrize("part", ["<", "<@", "<!", "<http://a", "<mailto:a|", "<a|", "|", ">"])
def test_brackets_that_nobody_closes_take_no_time(part: str) -> None:
    began = time.process_time()
    slack_door.mention(slack_door.envelope(mention("", text=part * 50_000)), time.time())
    assert time.process_time() - began < 1


# -- what Slack does not take -------------------------------------------------------------------------------------


def test_without_a_bot_mentions_are_refused_and_the_answer_has_no_picture(tmp_path: Path, slack: Slack) -> None:
    given = settings(tmp_path, slack) | {"slack_bot_token_file": None}
    with controller(tmp_path, **given) as one:
        answer = send(one, mention("help"))
        assert (answer.status_code, "PROBER_SLACK_BOT_TOKEN_FILE" in answer.json()["detail"]) == (404, True)
        run_by_command(one, slack)
        slack.answer()
        time.sleep(0.3)
        assert (slack.uploads, slack.wrong, "picture" in str(slack.posts)) == ({}, [], False)


def run_by_command(running: Controller, slack: Slack) -> None:
    body = command("run firewall ingress", slack.url + "/commands/T1/1/x")
    assert running.client.post("/chat/slack/commands", content=body, headers=signed(body)).status_code == 200
    finish(running)


def test_a_slash_commands_picture_goes_to_its_channel(running: Controller, slack: Slack) -> None:
    run_by_command(running, slack)
    slack.until(lambda: any(one.shown for one in slack.uploads.values()))
    assert {"channel_id": "C1"}.items() <= (slack.uploads["F1"].shown or {}).items()
    assert "thread_ts" not in (slack.uploads["F1"].shown or {})
    assert slack.answer()["text"].startswith("firewall → ingress: healthy")
    assert slack.wrong == []


@pytest.mark.parametrize("url", ["https://files.slack.com.evil.example/x", "http://127.0.0.1:1/x", "nonsense", ""])
def test_a_picture_goes_to_slacks_hosts_alone(running: Controller, slack: Slack, url: str) -> None:
    slack.upload_url = url or "//"
    run_by_command(running, slack)
    slack.until(lambda: slack.uploads)
    slack.answer()
    time.sleep(0.2)
    assert (slack.uploads["F1"].content, slack.uploads["F1"].shown, slack.wrong) == (None, None, [])
    assert not running.centre.desk.faults


@pytest.mark.parametrize("method", ["files.getUploadURLExternal", "files.completeUploadExternal"])
def test_where_the_picture_is_not_taken_the_text_stands(running: Controller, slack: Slack, method: str) -> None:
    slack.refusals = {method: "not_in_channel"}
    tell(running, "run firewall ingress")
    finish(running)
    assert said(slack, 2)[1]["text"].startswith("firewall → ingress: healthy")
    time.sleep(0.3)
    assert slack.wrong == []
    tell(running, "run lb ingress")  # the channel is free again
    assert said(slack, 3)[2]["text"].startswith("lb → ingress: the run")


def test_an_answer_waits_as_long_as_slack_says_and_is_tried_again(
    running: Controller, slack: Slack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prober.controller.slack_web.PAUSES", (0.02,) * 3)
    slack.codes = [429, 500, 503]
    tell(running, "status")
    assert said(slack)[0]["text"].startswith("All 59 paths are healthy")


def test_a_run_goes_on_and_ends_where_slack_takes_no_word_of_it(running: Controller, slack: Slack) -> None:
    slack.refusals = {"chat.postMessage": "channel_not_found"}
    tell(running, "run firewall ingress")
    finish(running)
    time.sleep(1)
    slack.refusals = {}
    tell(running, "run lb ingress")
    assert said(slack)[0]["text"].startswith("lb → ingress: the run")


def test_a_run_of_many_names_is_called_by_the_first_of_them(running: Controller, slack: Slack) -> None:
    tell(running, f"run {','.join(['firewall'] * 40)} ingress")
    assert said(slack)[0]["text"].startswith(f"{', '.join(['firewall'] * 40)[:59]}… → ingress: the run")


def test_the_controller_ends_while_a_mention_goes_on(tmp_path: Path, slack: Slack) -> None:
    with controller(tmp_path, **settings(tmp_path, slack)) as one:
        tell(one, "run firewall ingress")
        said(slack)
        began = time.monotonic()
    assert time.monotonic() - began < 3
