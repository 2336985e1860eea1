"""How this process runs: flags, then ``PROBER_…`` in the environment, then defaults; and targets.yaml from disk.

Every setting is named as its flag: ``--token-file`` is ``PROBER_TOKEN_FILE`` is ``settings.token_file``.
"""

from __future__ import annotations

import difflib
import os
import re
import socket
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from prober.address import Address
from prober.errors import ConfigInvalid, Refused

if TYPE_CHECKING:
    from prober.declared import Targets

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

Words = tuple[str, ...]
"""Several values; in the environment with commas between."""

Span = float
"""Seconds, written as 90s, 15m, 6h or 30d."""
YEARS = 3650 * 86_400.0
"""Seconds for which anything can be kept at most: ten years."""
_SPANS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Secret:
    """A value that is shown nowhere."""

    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "********"


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
        return None if file is None else tuple(_contents(file, 4096, f"{what} file").split())


def word(path: Path, what: str) -> str:
    """The one word in a file, a secret mostly; ConfigInvalid for a file that holds none, or more, and shows none."""
    words = _contents(path, 4096, what).split()
    if len(words) != 1:
        raise ConfigInvalid(f"{path} holds {len(words)} words; a {what} holds one word alone")
    return words[0]


def listener(where: str) -> tuple[str, int] | Path:
    """``HOST:PORT`` -> (host, port), ``[::1]:8080`` too; ``unix:PATH`` -> the path. ValueError says what is wrong."""
    if where.startswith("unix:") and len(where) > len("unix:"):
        return Path(where.removeprefix("unix:"))
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})", where)
    if not found or int(found[2]) > 65535:
        raise ValueError(f"{shown(where)} is not an address to listen on; write HOST:PORT or unix:PATH")
    return found[1].strip("[]"), int(found[2])


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
    limited = _types()[name]
    kind = limited.__origin__
    if kind == Words and isinstance(value, str):
        value = tuple(word.strip() for word in value.split(",") if word.strip())
    given = _seconds(value) if kind is Span else value
    try:
        made = msgspec.convert(given, limited, strict=False, dec_hook=lambda wanted, told: wanted(told))
    except msgspec.ValidationError as error:
        seen = "the value" if Secret in get_args(kind) else shown(str(value))
        raise ValueError(f"{seen} does not fit; {_wanted(limited, str(error))}") from None
    return _CHECKS[name](made) if name in _CHECKS and made is not None else made


def _seconds(value: Any) -> Any:
    """``15m`` -> 900.0; what has no unit is seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", value.strip()) if isinstance(value, str) else None
    return float(found[1]) * _SPANS[found[2]] if found else value


def _wanted(limited: Any, said: str) -> str:
    kind = limited.__origin__
    if kind is Span:
        least, most = limited.__metadata__[0].ge, limited.__metadata__[0].le
        return f"write {_span(least)} to {_span(most)}, as 15m, 6h or 30d"
    if get_origin(kind) is Literal:
        *most, last = (f"'{one}'" for one in get_args(kind))
        return f"write {', '.join(most)} or {last}"
    return said[:1].lower() + said[1:]


def _listeners(value: Words) -> Words:
    if not value:
        raise ValueError("is empty; write HOST:PORT or unix:PATH")
    for one in value:
        listener(one)
    return value


def _url(value: str) -> str:
    if re.fullmatch(r"https?://[^\s/,]+(/\S*)?|unix:.+", value):
        return value.rstrip("/")
    raise ValueError(f"{shown(value)} is not an address; write http://HOST:PORT")


def _places(value: Words) -> Words:
    """Addresses that alerts go to."""
    import httpx  # an agent has no such setting, and none of its time for this import

    for one in value:
        try:
            good = re.fullmatch(r"https?://[^\s/]\S*", one) and httpx.URL(one).host
        except httpx.InvalidURL:
            good = ""
        if not good:
            raise ValueError(f"{shown(bare(one))} is not an address; write http://HOST:PORT or https://HOST/PATH")
    return value


def _urls(value: str) -> str:
    return ",".join(_url(word.strip()) for word in value.split(","))


def _private(value: str) -> str:
    """An address that secrets are sent to."""
    if re.match(r"https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/]", _url(value) + "/"):
        return _url(value)
    raise ValueError(f"{shown(value)} would carry secrets in clear; write https://HOST")


_CHECKS: dict[str, Callable[[Any], Any]] = {
    "listen": _listeners, "controller": _urls, "public_url": _url, "otlp_endpoint": _url,
    "slack_api": _private, "mattermost_url": _url,
    "alertmanager": lambda value: tuple(one.rstrip("/") for one in _places(value)), "webhook": _places,
    "pagerduty_url": _private,
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
        rows.append((name, _masked(value, whole=name != "webhook"), _source(name, settings._flags)))
    return rows


def _span(seconds: Span) -> str:
    """900.0 -> ``15m``."""
    unit, length = next((u, n) for u, n in reversed(_SPANS.items()) if seconds >= n or u == "s")
    return f"{seconds / length:g}{unit}"


def _masked(value: Any, whole: bool = True) -> str:
    """Without secrets; unless `whole`, addresses without their paths, which may be secrets as well."""
    if isinstance(value, Secret):
        return repr(value)
    if isinstance(value, tuple):
        told = [bare(one) for one in value]
        return ", ".join(told if whole else [re.sub(r"(://[^/?]*)[/?].+", r"\1/********", one) for one in told])
    if isinstance(value, float):
        return _span(value)
    return "" if value is None else bare(str(value))


def bare(text: str) -> str:
    """An address without the password in it; what stands behind its ``?`` may be one too, where it is no database."""
    told = re.sub(r"(://[^:/@\s]*):[^/\s]*@", r"\1:********@", text)
    return re.sub(r"^(https?://[^?]*)\?.*", r"\1?********", told)


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


def shown(text: str, most: int = 60) -> str:
    """A value as a message quotes it."""
    from prober.document import shown as quoted

    return quoted(text, most)


def read_targets(path: Path | str) -> Targets:
    """The document at `path`; ConfigInvalid says why it can't be read, or lists its mistakes."""
    from prober.targets import parse  # with its YAML reader, which an agent never needs

    return parse(read_document(path), str(path))


def read_document(path: Path | str) -> str:
    """The document's text, for `prober.targets.mistakes`; ConfigInvalid when there is no text to read."""
    from prober.document import MAX_BYTES

    return _contents(Path(path), MAX_BYTES, "document")


def _contents(path: Path, limit: int, what: str) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigInvalid(f"{shown(str(path), 200)}: {why}; name a {what} that can be read") from error
    if len(raw) > limit:
        raise ConfigInvalid(f"{path}: is larger than {limit} bytes; this is no {what}")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        where = f"{path}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
        raise ConfigInvalid(f"{where}: byte {error.start} is not UTF-8 text; save the {what} as UTF-8") from error


def pin_hostnames(targets: Targets, resolve: Callable[[str], list[Address]] | None = None) -> Targets:
    """Each host name resolved once, to the first of its addresses that policy permits.

    ConfigInvalid names every target that does not resolve, or resolves outside policy.
    """
    wrong = []
    for target in targets.targets:
        if target.hostname is None or target.address is not None:
            continue
        try:
            found = (resolve or _resolve)(target.hostname)
        except OSError as error:
            wrong.append(f"target {target.name}: {target.hostname} does not resolve ({error.strerror or error})")
            continue
        if not found:
            wrong.append(f"target {target.name}: {target.hostname} has no address")
            continue
        good = [one for one in found if targets.policy.permits(one, target.port)]
        try:
            targets = targets.pinned(target.name, (good or found)[0])
        except Refused as refused:
            wrong.append(str(refused))
    if wrong:
        raise ConfigInvalid("\n".join(wrong))
    return targets


def _resolve(hostname: str) -> list[Address]:
    from prober.segment import address, pair  # with numpy, which takes as long as all the rest that reads a document

    answers = socket.getaddrinfo(hostname, None, type=socket.SOCK_STREAM)
    return [address(*pair(str(answer[4][0]).partition("%")[0])) for answer in answers]
