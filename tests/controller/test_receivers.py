"""Receivers: what the settings may say, and what each is posted, held against what it checks."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from prober.alert import Alert, trial
from prober.controller.delivery import Undelivered, attempt, deliver
from prober.controller.receivers import Receiver, named, place
from prober.errors import ConfigInvalid
from prober.settings import load
from tests.alarms import hostile, incident, resolved
from tests.receiving import Taken, alertmanager, server
from tests.surfaces import pagerduty_rules, slack_rules

KEY = "0123456789abcdef0123456789ABCDEF"


def file(folder: Path, text: str) -> Path:
    made = folder / f"secret{len(list(folder.iterdir()))}"
    made.write_text(text + "\n")
    return made


def one(**settings: Any) -> Receiver:
    (found,) = named(load(**settings))
    return found


def post(receiver: Receiver, *alerts: Alert) -> None:
    async def work() -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            for each in receiver.posts(alerts, time.time()):
                await deliver(client, receiver, each)

    asyncio.run(work())


def pagerduty(taken: Taken) -> tuple[int, dict[str, str], bytes]:
    """PagerDuty's answers (Events API v2, "Response codes")."""
    wrong = pagerduty_rules.broken_rules(taken.document)
    if wrong or taken.headers["content-type"] != "application/json":
        return 400, {}, json.dumps({"status": "invalid event", "errors": wrong}).encode()
    return 202, {}, json.dumps({"status": "success", "dedup_key": taken.document["dedup_key"]}).encode()


def slack(taken: Taken) -> tuple[int, dict[str, str], bytes]:
    """Slack's answers ("Sending messages using incoming webhooks", "Handling errors")."""
    wrong = slack_rules.broken_rules(taken.document | {"response_type": "in_channel"})
    return (400, {}, b"invalid_payload: " + str(wrong).encode()) if wrong else (200, {}, b"ok")


EVERY = (incident(), incident(revision=2, culprit="node7"), resolved(), hostile(), trial(1_700_000_000.0))


def test_pagerduty_takes_every_alert(tmp_path: Path) -> None:
    with server(pagerduty) as away:
        post(one(pagerduty_key_file=file(tmp_path, KEY), pagerduty_url=f"{away.url}/v2/enqueue"), *EVERY)
    assert {taken.document["routing_key"] for taken in away.taken} == {KEY}
    assert len(away.taken) == len(EVERY)


def test_slack_takes_every_alert(tmp_path: Path) -> None:
    with server(slack) as away:
        address = file(tmp_path, f"{away.url}/services/T0/B0/secret")
        post(one(slack_alerts_url_file=address, slack_response_hosts=away.url), *EVERY)
    assert [taken.path for taken in away.taken] == ["/services/T0/B0/secret"] * len(EVERY)


def test_the_real_alertmanager_takes_every_alert(tmp_path: Path) -> None:
    with alertmanager(tmp_path) as real:
        now = trial(time.time())
        post(one(alertmanager=real.url), hostile(opened=now.opened, objective='"<a>'), now)
        found = {alert["labels"]["alertname"]: alert for alert in real.active()}
    assert found.keys() == {"ProberIncident", "ProberTest"}
    assert found["ProberIncident"]["labels"]["objective"] == '"<a>'
    assert "<!channel>" in found["ProberIncident"]["annotations"]["summary"], "it is Alertmanager's to escape"


def test_many_alerts_are_few_posts_to_alertmanager() -> None:
    many = [incident(id=f"{number:016x}") for number in range(130)]
    assert [len(each.alerts) for each in one(alertmanager="http://127.0.0.1:1").posts(many, 0.0)] == [64, 64, 2]


def test_another_address_or_key_is_another_receiver() -> None:
    urls = ("http://h/a", "http://h/b")
    first, second = named(load(webhook=",".join(urls)))
    assert first.key != second.key
    assert (first.name, second.name) == ("webhook http://h", "webhook http://h (2)")
    assert Receiver("webhook", "", "", "u", b"a").key != Receiver("webhook", "", "", "u", b"b").key


def test_nothing_shows_a_secret(tmp_path: Path) -> None:
    secret = "whsec_c2VjcmV0c2VjcmV0"
    address = "https://hooks.slack.com/services/T0/B0/secret"
    found = named(
        load(
            webhook="https://user:hush@h:8443/hush?key=hush", webhook_secret_file=file(tmp_path, secret),
            alertmanager="http://user:hush@[::1]:9093", pagerduty_key_file=file(tmp_path, KEY),
            slack_alerts_url_file=file(tmp_path, address),
        )
    )  # fmt: skip
    shown = repr(found)
    assert not [word for word in (KEY, "hush", "secretsecret", "T0") if word in shown]
    assert {each.name for each in found} == {
        "webhook https://h:8443", "alertmanager http://[::1]:9093", "pagerduty https://events.pagerduty.com",
        "slack hooks.slack.com",
    }  # fmt: skip
    assert place("https://h/secret?x=1") == "https://h"


@pytest.mark.parametrize(
    ("settings", "text", "sentence"),
    [
        ({"webhook": "nonsense"}, "", "--webhook: nonsense is not an address; write http://HOST:PORT or"),
        ({"alertmanager": "unix:/x"}, "", "--alertmanager: unix:/x is not an address"),
        ({"webhook": "http://u:hush@/?a=hush"}, "", "is not an address"),
        ({"webhook_secret_file": "FILE"}, "s", "there is none: add --webhook"),
        ({"webhook_secret_file": "FILE", "webhook": "http://h"}, "whsec_!!", "is no base64"),
        ({"webhook_secret_file": "FILE", "webhook": "http://h"}, "two words", "holds 2 words; a webhook secret file"),
        ({"pagerduty_key_file": "FILE"}, "hush", "holds no integration key of 32 letters and digits; take that of an"),
        ({"pagerduty_key_file": "/nowhere"}, "", "/nowhere: No such file or directory; name a PagerDuty key file"),
        ({"pagerduty_url": "here"}, "", "--pagerduty-url: here is not an address"),
        ({"slack_alerts_url_file": "FILE"}, "https://evil.example/hush", "holds no address at hooks.slack.com; write"),
        ({"slack_alerts_url_file": "FILE"}, "http://hooks.slack.com/hush", "holds no address at hooks.slack.com"),
        ({"slack_alerts_url_file": "FILE"}, "https://hooks.slack.com@evil.example/hush", "holds no address at"),
        ({"slack_alerts_url_file": "FILE"}, "https://hooks.slack.com:99999999/hush", "holds no address at"),
    ],
    ids=lambda value: value if isinstance(value, str) else ",".join(value),
)
def test_a_bad_value_is_a_sentence_before_anything_starts(
    tmp_path: Path, settings: dict[str, str], text: str, sentence: str
) -> None:
    path = str(file(tmp_path, text))
    with pytest.raises(ConfigInvalid) as raised:
        named(load(**{name: value.replace("FILE", path) for name, value in settings.items()}))
    assert sentence in str(raised.value)
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    ("code", "again", "words"),
    [(400, False, "which is not sent again as it is"), (403, True, "check --webhook: the key it is to know"),
     (302, True, "check --webhook: where it leads"), (404, True, "check --webhook"), (503, True, "answers 503 (busy)")],
)  # fmt: skip
def test_what_went_wrong_is_a_sentence_with_its_cure(code: int, again: bool, words: str) -> None:
    with server(lambda _: (code, {"location": "http://127.0.0.1:1/"}, b"busy")) as away:
        with pytest.raises(Undelivered) as raised:
            post(one(webhook=away.url), incident())
        assert len(away.taken) == 1, "one try, and no redirect is followed"
    assert raised.value.again is again
    assert words in str(raised.value)


@pytest.mark.parametrize(("header", "after"), [("7", 7.0), ("999999", 999999.0), ("soon", 0.0), ("-1", 0.0)])
def test_a_receiver_may_ask_for_patience(header: str, after: float) -> None:
    with server(lambda _: (429, {"retry-after": header}, b"")) as away, pytest.raises(Undelivered) as raised:
        post(one(webhook=away.url), incident())
    assert raised.value.after == after


def test_an_answer_without_end_is_read_no_further() -> None:
    with server(lambda _: (500, {}, b"x" * 10_000_000)) as away, pytest.raises(Undelivered) as raised:
        post(one(webhook=away.url), incident())
    assert len(str(raised.value)) < 400


def test_a_trial_says_what_came_of_it(tmp_path: Path) -> None:
    with server() as good, server(lambda _: (401, {}, b"")) as bad:
        both = named(load(webhook=f"{good.url},{bad.url}"))
        fine, why = asyncio.run(attempt(both, None))
    assert fine == ""
    assert "answers 401; check --webhook" in why
    assert [taken.document["data"]["state"] for taken in good.taken] == ["opened", "resolved"]
