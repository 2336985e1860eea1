"""How this process runs: flags, then ``PROBER_…`` in the environment, then defaults; and targets.yaml from disk.

Every setting is named as its flag: ``--token-file`` is ``PROBER_TOKEN_FILE`` is ``settings.token_file``.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, PrivateAttr, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from prober.declared import Targets
from prober.errors import ConfigInvalid, Refused
from prober.segment import Address, address, pair

PREFIX = "PROBER_"
OTLP = ("PROBER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

Words = Annotated[tuple[str, ...], NoDecode]
"""Several values; in the environment with commas between."""


class Settings(BaseSettings):
    """What `load` gives; `effective` says where each value came from."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", populate_by_name=True, frozen=True)

    targets: Path = Field(Path("targets.yaml"), description="the document that declares the network")
    state: Path | None = Field(None, description="folder for the database, the outbox and the agent's key")
    database: str = Field("", description="database URL; SQLite in the state folder when left out")
    listen: Words = Field(("127.0.0.1:8080",), description="where the controller listens: HOST:PORT or unix:PATH")
    controller: str = Field("http://127.0.0.1:8080", description="the controller: http(s)://… or unix:PATH")
    name: str | None = Field(None, description="the agent's name in targets.yaml")
    token: SecretStr | None = Field(None, description="what requests carry as Authorization: Bearer")
    token_file: Path | None = Field(None, description="file that holds the token alone")
    anonymous: Literal["auto", "none", "monitor", "viewer", "operator"] = Field(
        "auto", description="the role of requests without a token; auto: the controller decides by where it listens"
    )
    public_url: str | None = Field(None, description="this controller's address in links that people click")
    slack_signing_secret: SecretStr | None = Field(None, description="checks that a slash command comes from Slack")
    slack_response_hosts: Words = Field(("hooks.slack.com",), description="hosts that a response_url may have")
    otlp_endpoint: str | None = Field(
        None, validation_alias=AliasChoices("otlp_endpoint", *OTLP), description="OTLP/HTTP receiver of telemetry"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level that is logged")
    log_format: Literal["auto", "text", "json"] = Field("auto", description="auto: text on a terminal, else json")

    _flags: frozenset[str] = PrivateAttr(frozenset())

    @field_validator("listen", "slack_response_hosts", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value

    @field_validator("listen")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("is empty; write HOST:PORT or unix:PATH")
        for one in value:
            listener(one)
        return value

    @field_validator("controller", "public_url", "otlp_endpoint")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        if value is None or re.fullmatch(r"https?://[^\s/]+(/\S*)?|unix:.+", value):
            return value.rstrip("/") if value else value
        raise ValueError(f"{shown(value)} is not an address; write http://HOST:PORT")

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_unset(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in values.items() if value != ""}  # FOO= in a unit file means: not set

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
        if self.token:
            return self.token.get_secret_value()
        if self.token_file is None:
            return None
        words = _contents(self.token_file, 4096, "token file").split()
        if len(words) != 1:
            raise ConfigInvalid(f"{self.token_file} holds {len(words)} words; a token file holds the token alone")
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
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise ConfigInvalid("\n".join(_sentence(one, given) for one in error.errors())) from None
    settings._flags = frozenset(given)
    return settings


def _sentence(error: Any, given: dict[str, Any]) -> str:
    name = str(error["loc"][0]) if error["loc"] else "settings"
    name = "otlp_endpoint" if name in OTLP else name
    field = Settings.model_fields.get(name)
    if field is None:
        return f"{name} is not a setting; there are: {', '.join(Settings.model_fields)}"
    if error["type"] == "value_error":
        said = str(error["ctx"]["error"])
    else:
        secret = "Secret" in str(field.annotation)
        seen = "the value" if secret else shown(str(error["input"]))
        said = f"{seen} does not fit; {error['msg'].lower().replace('input should be', 'write')}"
    return f"{_source(name, frozenset(given))}: {said}"


def _source(name: str, flags: frozenset[str]) -> str:
    """Where a setting's value comes from."""
    if name in flags:
        return "--" + name.replace("_", "-")
    names = OTLP if name == "otlp_endpoint" else (PREFIX + name.upper(),)
    present = {key.upper(): key for key, value in os.environ.items() if value}
    return next((f"environment {present[one]}" for one in names if one in present), "default")


def effective(settings: Settings) -> list[tuple[str, str, str]]:
    """``(name, value, where it came from)`` of each setting, secrets and passwords masked."""
    computed = {"state": settings.state_folder, "database": settings.database_url}
    rows = []
    for name in Settings.model_fields:
        value = computed.get(name, getattr(settings, name))
        rows.append((name, _masked(value), _source(name, settings._flags)))
    return rows


def _masked(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "********"
    if isinstance(value, tuple):
        return ", ".join(value)
    return "" if value is None else re.sub(r"(://[^:/@\s]*):[^/\s]*@", r"\1:********@", str(value))


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
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigInvalid(f"{path}:{line}: byte {error.start} is not UTF-8 text; save the {what} as UTF-8") from error


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
    answers = socket.getaddrinfo(hostname, None, type=socket.SOCK_STREAM)
    return [address(*pair(str(answer[4][0]).partition("%")[0])) for answer in answers]
