"""Who is told of alerts: what the settings say, checked before anything starts, and what is posted to each.

A receiver's address may be a secret of its own (Slack's is): what people read is its ``name``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from prober.alert import Alert
from prober.controller.posts import destination
from prober.errors import ConfigInvalid, Refused
from prober.ondisk import word
from prober.settings import Settings
from prober.surfaces import alerting, alertmanager, pagerduty, slack, webhook
from prober.surfaces.glyphs import shown

TOGETHER = 64
"""Alerts that Alertmanager is sent at a time; Prometheus' own number."""
JSON = {"content-type": "application/json"}


@dataclass(frozen=True, slots=True)
class Post:
    """One request, and the alerts that are told with it."""

    alerts: tuple[Alert, ...]
    body: bytes = field(repr=False)
    headers: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Receiver:
    """``kind`` is one of `prober.declared.RECEIVERS`, ``setting`` the flag that names it, ``repeats`` the seconds
    after which it wants to hear everything again (0: never)."""

    kind: str
    name: str
    setting: str
    url: str = field(repr=False)
    secret: bytes = field(default=b"", repr=False)
    repeats: float = 0.0

    @property
    def key(self) -> str:
        """Who was told, in the store: another address is another receiver."""
        return f"{self.kind}-{hashlib.blake2b(self.url.encode() + self.secret, digest_size=8).hexdigest()}"

    def posts(self, alerts: Sequence[Alert], now: float) -> list[Post]:
        """What tells it these alerts, in order."""
        if self.kind == "alertmanager":
            parts = [tuple(alerts[at : at + TOGETHER]) for at in range(0, len(alerts), TOGETHER)]
            return [Post(some, json.dumps(alertmanager.body(some, now)).encode(), JSON) for some in parts]
        return [self._post(one, now) for one in alerts]

    def _post(self, alert: Alert, now: float) -> Post:
        if self.kind == "webhook":
            content = webhook.body(alert)
            return Post((alert,), content, webhook.headers(alert, content, now, self.secret))
        told = (
            pagerduty.event(alert, self.secret.decode())
            if self.kind == "pagerduty"
            else slack.post(alerting.answer(alert))
        )
        return Post((alert,), json.dumps(told).encode(), JSON)


def named(settings: Settings) -> tuple[Receiver, ...]:
    """The receivers that the settings name. ConfigInvalid lists what is wrong with them, and shows no secret."""
    found: list[Receiver] = []
    wrong: list[str] = []
    for read in (_alertmanagers, _webhooks, _pagerduty, _slack):
        try:
            found += read(settings)
        except ConfigInvalid as error:
            wrong.append(str(error))
    if wrong:
        raise ConfigInvalid("\n".join(wrong))
    return tuple(_distinct(found))


def _distinct(found: list[Receiver]) -> Iterator[Receiver]:
    """Two webhooks of one host have names of their own."""
    names: Counter[str] = Counter()
    for one in found:
        names[one.name] += 1
        yield replace(one, name=f"{one.name} ({names[one.name]})") if names[one.name] > 1 else one


def _alertmanagers(settings: Settings) -> list[Receiver]:
    return [
        Receiver("alertmanager", f"alertmanager {place(url)}", "--alertmanager", url + "/api/v2/alerts",
                 repeats=alertmanager.REPEAT)
        for url in settings.alertmanager
    ]  # fmt: skip


def _webhooks(settings: Settings) -> list[Receiver]:
    secret = b""
    if settings.webhook_secret_file is not None:
        if not settings.webhook:
            raise ConfigInvalid("--webhook-secret-file signs what goes to a webhook, and there is none: add --webhook")
        secret = _read(settings.webhook_secret_file, "webhook secret file", webhook.secret_of)
    return [Receiver("webhook", f"webhook {place(url)}", "--webhook", url, secret) for url in settings.webhook]


def _pagerduty(settings: Settings) -> list[Receiver]:
    if settings.pagerduty_key_file is None:
        return []
    key = _read(settings.pagerduty_key_file, "PagerDuty key file", _routing_key)
    url = settings.pagerduty_url
    return [Receiver("pagerduty", f"pagerduty {place(url)}", "--pagerduty-key-file", url, key)]


def _routing_key(text: str) -> bytes:
    if not re.fullmatch(r"[A-Za-z0-9]{32}", text):
        raise ValueError(
            "holds no integration key of 32 letters and digits; take that of an integration of type Events API V2"
        )
    return text.encode()


def _slack(settings: Settings) -> list[Receiver]:
    if settings.slack_alerts_url_file is None:
        return []

    def checked(text: str) -> bytes:
        try:
            return str(destination(text, settings.slack_response_hosts, "slack_response_hosts")).encode()
        except Refused:
            hosts = " or ".join(settings.slack_response_hosts)
            right = f"write that of an incoming webhook, https://{hosts}/services/…"
            raise ValueError(f"holds no address at {hosts}; {right}") from None

    url = _read(settings.slack_alerts_url_file, "Slack address file", checked).decode()
    return [Receiver("slack", f"slack {httpx.URL(url).host}", "--slack-alerts-url-file", url)]


def _read(path: Path, what: str, made: Callable[[str], bytes]) -> bytes:
    text = word(path, what)
    try:
        return made(text)
    except ValueError as error:
        raise ConfigInvalid(f"{shown(str(path))} {error}") from None


def place(url: str) -> str:
    """Where an address leads, without what may be a secret in it: user, password, query, and often the path."""
    parsed = httpx.URL(url)
    port = f":{parsed.port}" if parsed.port else ""
    host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
    return shown(f"{parsed.scheme}://{host}{port}")
