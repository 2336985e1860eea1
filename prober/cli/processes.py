"""Commands that are processes: the controller and the agent; and `doctor`, which says whether they could run here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from prober.cli import alerting, output
from prober.errors import ConfigInvalid, ProberError


def controller(
    targets: Annotated[Path | None, output.setting("targets", "the document; targets.yaml by default")] = None,
    database: Annotated[
        str | None, output.setting("database", "sqlite:///PATH (default: in the state folder) or postgresql://…")
    ] = None,
    listen: Annotated[list[str] | None, output.setting("listen", "HOST:PORT or unix:PATH; several are fine")] = None,
    state: Annotated[Path | None, output.setting("state", "folder for what must not be lost")] = None,
    anonymous: Annotated[
        str | None,
        output.setting("anonymous", "role of requests without a token: auto, none, monitor, viewer, operator"),
    ] = None,
    public_url: alerting.PublicUrl = None,
    alertmanager: alerting.Alertmanager = None,
    webhook: alerting.Webhook = None,
    webhook_secret_file: alerting.WebhookSecretFile = None,
    pagerduty_key_file: alerting.PagerdutyKeyFile = None,
    slack_alerts_url_file: alerting.SlackAlertsUrlFile = None,
) -> int:
    """Take reports, judge, answer. A database that is new is made; one of another version is refused."""
    from prober import settings
    from prober.controller.serve import serve
    from prober.logs import configure
    from prober.store import schema

    chosen = settings.load(
        targets=targets, database=database, listen=tuple(listen) if listen else None, state=state, anonymous=anonymous,
        **alerting.given(
            public_url, alertmanager, webhook, webhook_secret_file, pagerduty_key_file, slack_alerts_url_file
        ),
    )  # fmt: skip
    configure(chosen.log_level, chosen.log_format)
    if schema.current(chosen.database_url) is None:
        schema.upgrade(chosen.database_url)
    serve(chosen)
    return 0


def agent(
    name: Annotated[str | None, output.setting("name", "this agent's name in targets.yaml")] = None,
    controller: Annotated[
        str | None, output.setting("controller", "http(s)://HOST:PORT or unix:PATH; several: A,B")
    ] = None,
    token_file: Annotated[
        Path | None, output.setting("token_file", "file with the token to enrol with; needed once")
    ] = None,
    state: Annotated[Path | None, output.setting("state", "folder for what must not be lost")] = None,
) -> int:
    """Probe, witness, answer questions about this host's routes."""
    from prober.wire import crafting

    crafting.begin()  # meanwhile the rest is imported
    from prober import settings
    from prober.agent.main import run
    from prober.logs import configure_later

    chosen = settings.load(name=name, controller=controller, token_file=token_file, state=state)
    if not chosen.name:
        raise ConfigInvalid("which agent is this? --name NAME, or PROBER_NAME; the name it has in targets.yaml")
    configure_later(chosen.log_level, chosen.log_format)
    run(chosen.name, chosen.controller, chosen.bearer, chosen.state_folder)
    return 0


def doctor(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> int:
    """Could an agent, a controller and a lab run here? Each line that says no has its cure."""
    rows = [_settings(), _capture(), _database(), _document(), _chat(), _receivers(), _lab()]
    if as_json:
        output.data([{"what": what, "ok": ok, "detail": detail} for what, ok, detail in rows])
    else:
        for what, ok, detail in rows:
            output.line(f"{'✓' if ok else '✗'} {what}: {detail}", style="" if ok else "bold red")
    return 0 if all(ok for _, ok, _ in rows) else 3


Line = tuple[str, bool, str]


def say_strangers() -> None:
    """One line on stderr for what was meant as a setting and is none: its default runs, and nobody would know why."""
    from prober import settings

    if strange := settings.strangers():
        print(f"warning: {_strange(strange)}; `prober config show` lists the settings", file=sys.stderr)


def _strange(found: list[tuple[str, str]]) -> str:
    return "; ".join(f"{variable} in the environment is no setting, {right}" for variable, right in found)


def _settings() -> Line:
    from prober import settings

    strange = settings.strangers()
    return "settings", not strange, _strange(strange) or "every PROBER_… variable in the environment is one"


def _capture() -> Line:
    from prober.wire import privileges

    if privileges.can_capture():
        return "agent", True, "this process may open raw sockets"
    return "agent", False, privileges.describe()


def _database() -> Line:
    from prober import settings
    from prober.store import schema
    from prober.store.url import is_absent, shown

    url = settings.load().database_url
    try:
        revision, head = None if is_absent(url) else schema.current(url), schema.head()
        name = shown(url)
    except ProberError as error:
        return "database", False, str(error)
    if revision is None:
        return "database", True, f"{name} is new; the controller makes its tables"
    if revision == head:
        return "database", True, f"{name} is at {head}"
    return "database", False, f"{name} is at {revision}, this version wants {head}: `prober db upgrade`"


def _document() -> Line:
    from prober import hostnames, ondisk, settings

    path = settings.load().targets
    try:
        found = ondisk.read_targets(path)
    except ProberError as error:
        return "targets", False, str(error).splitlines()[0]
    unknown = [name for name in hostnames.names(found) if not _resolves(name)]
    if unknown:
        return "targets", False, f"{', '.join(unknown)} can't be resolved here: nobody can probe what is declared by it"
    return "targets", True, f"{path} declares {len(found.agents)} agents and {len(found.targets)} targets"


def _resolves(name: str) -> bool:
    from prober import hostnames

    try:
        return bool(hostnames.look_up(name))
    except (OSError, UnicodeError):
        return False


def _chat() -> Line:
    from prober import settings
    from prober.controller import chats

    try:
        return "chat", True, chats.of(settings.load()).sentence
    except ProberError as error:
        return "chat", False, str(error)


def _receivers() -> Line:
    from prober import settings
    from prober.controller import receivers

    try:
        found = receivers.named(settings.load())
    except ProberError as error:
        return "alerts", False, "; ".join(str(error).splitlines())
    told = ", ".join(one.name for one in found)
    return "alerts", True, f"told to {told}; `prober alert test` tries them" if told else "nobody is told; see README"


def _lab() -> Line:
    from prober.lab import sealed

    why = sealed.refusal()
    return "lab", not why, why or "ip and nft are there, and network namespaces may be made"
