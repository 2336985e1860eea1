"""All commands in one table; what they do is in the files beside this one."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from prober import __version__
from prober.cli import alerting, auditing, configured, labs, looking, output, processes

app = typer.Typer(
    name="prober", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Which way did the handshake die, who is the culprit, and the packets that prove it.",
)  # fmt: skip


def _version(asked: bool) -> None:
    if asked:
        output.line(f"prober {__version__}")
        raise typer.Exit


@app.callback()
def prober(
    _: Annotated[
        bool, typer.Option("--version", help="print the version and leave", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Which way did the handshake die, who is the culprit, and the packets that prove it."""
    if any(name.upper().startswith("PROBER_") for name in os.environ):
        processes.say_strangers()


app.command(short_help="Check targets.yaml; every mistake has its line and its cure.")(configured.check)
app.command()(configured.plan)
app.command()(processes.controller)
app.command()(processes.agent)
app.command()(looking.run)
app.command()(looking.matrix)
app.command(short_help="A pair's ladder: which packet was seen where; the verdict.")(looking.why)
app.command()(looking.diff)
app.command()(looking.slo)
app.command(short_help="Who reports, who is silent, and what agents say of themselves.")(looking.agents)
app.command()(labs.replay)
app.command(short_help="What this host lacks for an agent, a controller or a lab.")(processes.doctor)

audit = typer.Typer(invoke_without_command=True)
audit.callback()(auditing.audit)
audit.command("log")(auditing.log)
app.add_typer(audit, name="audit", short_help="Overlaps in the address plan, and how many blocks are left.")

lab = typer.Typer(no_args_is_help=True, help="Incidents on the real kernel, in closed throw-away namespaces.")
lab.command("list")(labs.list_)
lab.command("run")(labs.run)
lab.command("demo", short_help="The incident, live: healthy, broken, named, healed.")(labs.demo)
lab.command("up", short_help="Build an incident's network with prober in it; Ctrl-C ends it.")(labs.up)
lab.command("break")(labs.break_)
lab.command("heal")(labs.heal)
lab.command("record", short_help="Run incidents and keep what the agents reported.")(labs.record)
app.add_typer(lab, name="lab")

token = typer.Typer(no_args_is_help=True, help="Tokens for agents and people.")
token.command("create")(configured.token_create)
token.command("list", short_help="The tokens, and the agents' keys that came with them.")(configured.token_list)
token.command("revoke", short_help="Make a token, or an agent's key, worthless at once.")(configured.token_revoke)
app.add_typer(token, name="token")

alert = typer.Typer(no_args_is_help=True, help="Who is told when something fails.")
alert.command("test", short_help="Send a trial alert to every receiver, opened and resolved.")(alerting.trial)
app.add_typer(alert, name="alert")

db = typer.Typer(no_args_is_help=True, help="The database.")
db.command("upgrade")(configured.db_upgrade)
app.add_typer(db, name="db")

config = typer.Typer(no_args_is_help=True, help="How this process would run.")
config.command("show")(configured.config_show)
app.add_typer(config, name="config")
