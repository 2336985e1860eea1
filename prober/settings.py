"""How this process runs: flags, then ``PROBER_…`` in the environment, then defaults.

Every setting is named as its flag: ``--token-file`` is ``PROBER_TOKEN_FILE`` is ``settings.token_file``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
from msgspec import Meta

from prober import spelling
from prober.errors import ConfigInvalid, shown
from prober.ondisk import SECRET, contents
from prober.spelling import YEARS, Secret, Span, Words

PREFIX = "PROBER_"
OTLP = ("PROBER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
ELSEWHERE = ("PROBER_STRICT", "PROBER_HEALTH_URL")
"""Variables that the tests and the container's health check read."""
KUBERNETES = re.compile(
    r"PROBER(_\w+)?_(SERVICE_HOST=.*|SERVICE_PORT(_\w+)?=\d*|PORT(_\d+_(TCP|UDP|SCTP))?=(tcp|udp|sctp)://.*"
    r"|PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)=.*)"
)
"""What Kubernetes puts into every container beside a Service called prober, or prober-…: {NAME}_SERVICE_HOST,
{NAME}_SERVICE_PORT and Docker's link variables, whose {NAME}_PORT is tcp://ADDRESS:PORT
(https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables)."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What `load` gives; `effective` says where each value came from."""

    targets: Annotated[Path, Meta(description="the document that declares the network")] = Path("targets.yaml")
    state: Annotated[Path | None, Meta(description="folder for the database, the outbox and the agent's key")] = None
    database: Annotated[str, Meta(description="database URL; SQLite in the state folder when left out")] = ""
    listen: Annotated[Words, Meta(description="where the controller listens: HOST:PORT or unix:PATH")] = (
        "127.0.0.1:8080",
    )
    controller: Annotated[str, Meta(description="the controller: http(s)://… or unix:PATH; commas between several")] = (
        "http://127.0.0.1:8080"
    )
    name: Annotated[str | None, Meta(description="the agent's name in targets.yaml")] = None
    token: Annotated[Secret | None, Meta(description="what requests carry as Authorization: Bearer")] = None
    token_file: Annotated[Path | None, Meta(description="file that holds the token alone")] = None
    anonymous: Annotated[
        Literal["auto", "none", "monitor", "viewer", "operator"],
        Meta(description="the role of requests without a token; auto: the controller decides by where it listens"),
    ] = "auto"
    public_url: Annotated[str | None, Meta(description="this controller's address in links that people click")] = None
    slack_signing_secret: Annotated[Secret | None, Meta(description="checks that a slash command comes from Slack")] = (
        None
    )
    slack_signing_secret_file: Annotated[Path | None, Meta(description="file that holds the signing secret alone")] = (
        None
    )
    slack_bot_token: Annotated[Secret | None, Meta(description="answers mentions and uploads pictures: xoxb-…")] = None
    slack_bot_token_file: Annotated[Path | None, Meta(description="file that holds the bot's token alone")] = None
    slack_response_hosts: Annotated[Words, Meta(description="hosts of a response_url or an incoming webhook")] = (
        "hooks.slack.com",
    )
    slack_upload_hosts: Annotated[Words, Meta(description="hosts to which a picture may be uploaded")] = (
        "files.slack.com",
    )
    slack_api: Annotated[str, Meta(description="Slack's Web API; it gets the bot's token")] = "https://slack.com/api"
    mattermost_url: Annotated[str | None, Meta(description="Mattermost's own address; answers go nowhere else")] = None
    mattermost_token: Annotated[
        Secret | None, Meta(description="what Mattermost gave the slash command; blanks between several")
    ] = None
    mattermost_token_file: Annotated[
        Path | None, Meta(description="file that holds it, or one for each team, and nothing else")
    ] = None
    alertmanager: Annotated[Words, Meta(description="Alertmanagers that are sent alerts: http(s)://HOST:PORT")] = ()
    webhook: Annotated[Words, Meta(description="addresses of your own that alerts are posted to")] = ()
    webhook_secret_file: Annotated[Path | None, Meta(description="file with what signs posts to a webhook")] = None
    pagerduty_key_file: Annotated[
        Path | None, Meta(description="file with an integration key of PagerDuty's Events API v2")
    ] = None
    pagerduty_url: Annotated[str, Meta(description="where PagerDuty takes events")] = (
        "https://events.pagerduty.com/v2/enqueue"
    )
    slack_alerts_url_file: Annotated[
        Path | None, Meta(description="file with the address of a Slack incoming webhook for alerts")
    ] = None
    otlp_endpoint: Annotated[str | None, Meta(description="OTLP/HTTP receiver of telemetry")] = None
    keep_reports: Annotated[
        Span, Meta(ge=300.0, le=YEARS, description="how long raw reports are kept: 15m, 6h, 30d")
    ] = 900.0
    keep_passing: Annotated[
        Span, Meta(ge=300.0, le=YEARS, description="how long verdicts of probes that passed are kept")
    ] = 86_400.0
    keep_failing: Annotated[
        Span, Meta(ge=300.0, le=YEARS, description="how long verdicts of failures, and gaps, are kept")
    ] = 30 * 86_400.0
    keep_matrix: Annotated[
        Span, Meta(ge=300.0, le=YEARS, description="how long the matrix as it was can be asked for")
    ] = 86_400.0
    keep_minutes: Annotated[
        Span,
        Meta(ge=3 * 86_400.0, le=YEARS, description="how long objectives are counted by the minute, then by the hour"),
    ] = 3 * 86_400.0
    keep_incidents: Annotated[
        Span, Meta(ge=300.0, le=YEARS, description="how long incidents that are over are kept")
    ] = 90 * 86_400.0
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="least level that is logged")
    ] = "info"
    log_format: Annotated[Literal["auto", "text", "json"], Meta(description="auto: text on a terminal, else json")] = (
        "auto"
    )

    _flags: frozenset[str] = frozenset()

    @property
    def state_folder(self) -> Path:
        """Where this process keeps what it must not lose."""
        return self.state or default_state()

    @property
    def database_url(self) -> str:
        """The database; SQLite in the state folder unless one is named."""
        return self.database or f"sqlite:///{self.state_folder / 'prober.sqlite'}"

    def bearer(self) -> str | None:
        """The token, from ``token`` or from ``token_file``; ConfigInvalid for a file that holds none."""
        return self.secret("token")

    def secret(self, name: str) -> str | None:
        """The one word of the secret `name`, from itself or from ``NAME_file``; ConfigInvalid for another number."""
        words = self.secrets(name)
        if words is not None and len(words) != 1:
            where, what = getattr(self, f"{name}_file") or name, name.replace("_", " ")
            raise ConfigInvalid(f"{where} holds {len(words)} words; a {what} file holds the {what} alone")
        return words[0] if words else None

    def secrets(self, name: str) -> tuple[str, ...] | None:
        """All its words; None where it is not set. ConfigInvalid for a file that can't be read."""
        given, file = getattr(self, name), getattr(self, f"{name}_file")
        if given:
            return tuple(given.get_secret_value().split())
        what = name.replace("_", " ")
        return None if file is None else tuple(contents(file, SECRET, f"{what} file").split())


def load(**flags: Any) -> Settings:
    """The settings, `flags` first (None: the flag was not given). ConfigInvalid lists every bad one with its source."""
    given = {name: value for name, value in flags.items() if value is not None}
    chosen, wrong = {}, []
    for name in _types():
        value = given.get(name, "")
        value = _variable(name)[1] if value == "" else value  # FOO= in a unit file means: not set
        if value == "":
            continue
        try:
            chosen[name] = _value(name, value)
        except ValueError as error:
            wrong.append(f"{_source(name, frozenset(given))}: {error}")
    unknown = [name for name in given if name not in _types()]
    wrong += [f"{name} is not a setting; there are: {', '.join(_types())}" for name in unknown]
    if wrong:
        raise ConfigInvalid("\n".join(wrong))
    return Settings(**chosen, _flags=frozenset(given))


@cache
def _types() -> dict[str, Any]:
    """Each setting's type, with the limits that it is annotated with."""
    hints = get_type_hints(Settings, include_extras=True)
    return {name: kind for name, kind in hints.items() if not name.startswith("_")}


def _value(name: str, value: Any) -> Any:
    """A value as its setting's type, checked. ValueError says what is wrong with it, and shows no secret."""
    made = spelling.read(value, _types()[name])
    return _CHECKS[name](made) if name in _CHECKS and made is not None else made


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "listen": spelling.listeners, "controller": spelling.urls, "public_url": spelling.url,
    "otlp_endpoint": spelling.url, "slack_api": spelling.private, "mattermost_url": spelling.url,
    "alertmanager": lambda value: tuple(one.rstrip("/") for one in spelling.places(value)), "webhook": spelling.places,
    "pagerduty_url": spelling.private,
}  # fmt: skip


def _variable(name: str) -> tuple[str, str]:
    """The environment's variable for a setting, and its value; two empty words where it is not set."""
    names = OTLP if name == "otlp_endpoint" else (PREFIX + name.upper(),)
    present = {key.upper(): (key, value) for key, value in os.environ.items() if value}
    return next((present[one] for one in names if one in present), ("", ""))


def strangers() -> list[tuple[str, str]]:
    """Each ``PROBER_…`` in the environment that is no setting, and what would be right. Never its value."""
    ours = {PREFIX + name.upper() for name in _types()} | set(ELSEWHERE)
    return [
        (shown(variable), _nearest(variable))
        for variable, value in sorted(os.environ.items())
        if variable.upper().startswith(PREFIX) and value and variable.upper() not in ours
        if not KUBERNETES.fullmatch(f"{variable}={value}")
    ]


def _nearest(variable: str) -> str:
    import difflib  # an agent that starts has no use for it

    close = difflib.get_close_matches(variable[len(PREFIX) :][:60].lower(), _types(), 1)
    return f"did you mean {PREFIX}{close[0].upper()}?" if close else "and none has a name like it"


def _source(name: str, flags: frozenset[str]) -> str:
    """Where a setting's value comes from."""
    if name in flags:
        return "--" + name.replace("_", "-")
    variable, _ = _variable(name)
    return f"environment {variable}" if variable else "default"


def effective(settings: Settings) -> list[tuple[str, str, str]]:
    """``(name, value, where it came from)`` of each setting, secrets and passwords masked."""
    computed = {"state": settings.state_folder, "database": settings.database_url}
    rows = []
    for name in _types():
        value = computed.get(name, getattr(settings, name))
        rows.append((name, spelling.told(value, whole=name != "webhook"), _source(name, settings._flags)))
    return rows


def default_state() -> Path:
    """/var/lib/prober where it exists and is ours to write, else the user's state folder (XDG base directories)."""
    system = Path("/var/lib/prober")
    if system.is_dir() and os.access(system, os.W_OK):
        return system
    try:
        home = Path.home()
    except RuntimeError as error:
        raise ConfigInvalid("no home folder to keep state in; name a folder with --state or PROBER_STATE") from error
    given = os.environ.get("XDG_STATE_HOME", "")
    return (Path(given) if given.startswith("/") else home / ".local/state") / "prober"
