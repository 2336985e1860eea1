"""Commands that need no controller: the document, the settings, the database, tokens."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from prober.cli import output
from prober.errors import ConfigInvalid, Refused

AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]
Database = Annotated[str | None, output.setting("database", "sqlite:///PATH or postgresql://…", "--database")]
TargetsFile = Annotated[
    Path | None, typer.Argument(help="PROBER_TARGETS or targets.yaml by default", show_default=False)
]


def check(file: TargetsFile = None, as_json: AsJson = False) -> int:
    """Check targets.yaml: every mistake with its line, what is wrong and what would be right."""
    from dataclasses import asdict

    from prober import ondisk, settings, targets

    path = file or settings.load().targets
    try:
        text = ondisk.read_document(path)
    except ConfigInvalid as error:
        if as_json:
            output.data({"file": str(path), "ok": False, "mistakes": [], "why": str(error)})
        raise
    mistakes = targets.mistakes(text, str(path))
    if as_json:
        output.data({"file": str(path), "ok": not mistakes, "mistakes": [asdict(one) for one in mistakes]})
    if mistakes:
        if not as_json:
            raise ConfigInvalid("\n".join(str(one) for one in mistakes))
        return 4
    if not as_json:
        found = targets.parse(text, str(path))
        output.line(
            f"{path}: fine. {len(found.zones)} zones, {len(found.agents)} agents, {len(found.targets)} targets, "
            f"{len(found.objectives)} objectives.",
        )  # fmt: skip
    return 0


def plan(file: TargetsFile = None, as_json: AsJson = False) -> int:
    """What would be probed and what that costs; nothing is sent."""
    from rich.table import Table

    from prober import ondisk, settings
    from prober import plan as plans

    targets = ondisk.read_targets(file or settings.load().targets)
    cost, pairs = plans.cost(targets), plans.pairs(targets)
    if as_json:
        listed = [{"source": p.source, "target": p.target, "address": str(p.address), "port": p.port, "every": p.every,
                   "flows": p.flows, "timeout": p.timeout} for p in pairs]  # fmt: skip
        output.data({"pairs": cost.pairs, "rounds": targets.rounds,
                     "packets_per_second": cost.packets_per_second, "seconds": cost.seconds,
                     "by_agent": cost.by_agent, "unresolved": cost.unresolved, "plan": listed})  # fmt: skip
        return 0
    table = Table(box=None, pad_edge=False)
    for title in ("source", "targets", "packets/s"):
        table.add_column(title, justify="right" if title == "packets/s" else "left", overflow="fold")
    for agent, packets in cost.by_agent.items():
        names = ", ".join(p.target for p in pairs if p.source == agent)
        table.add_row(agent, names or "–", f"{packets:.0f}")
    output.out.print(table)
    output.line(
        f"{cost.pairs} pairs, {cost.packets_per_second:.0f} packets a second in all; "
        f"every pair is judged within {cost.seconds:.1f} s.",
    )  # fmt: skip
    if cost.unresolved:
        output.line(f"The controller looks up the host names of {', '.join(cost.unresolved)}: not counted here.")
    if targets.rounds > 1:
        output.line(
            f"All at once would cost {cost.packets_per_second * targets.rounds:.0f} packets a second and policy allows"
            f" {targets.policy.max_packets_per_second:.0f}: pairs take turns. Each round asks one of {targets.rounds},"
            f" and all are reached in {targets.rounds} rounds.",
        )  # fmt: skip
    return 0


def token_create(
    agent: Annotated[str | None, typer.Option(help="for this agent")] = None,
    zone: Annotated[str | None, typer.Option(help="the agent's zone")] = None,
    role: Annotated[str | None, typer.Option(help="viewer, monitor, operator or admin")] = None,
    database: Database = None,
) -> int:
    """Make a token and print it, alone, on stdout. Only its hash is kept.

    An agent's enrols that agent once, within the hour; a role's is good until it is revoked.
    """
    from prober import settings
    from prober.controller import access
    from prober.store import audit, schema
    from prober.store.engine import open_store

    if (agent is None) == (role is None):
        raise Refused("a token is for an agent or for a role: --agent NAME --zone ZONE, or --role viewer")
    if agent is not None and zone is None:
        raise Refused(f"say which zone {agent} is in: --zone ZONE")
    url = settings.load(database=database).database_url
    if schema.current(url) is None:
        schema.upgrade(url)  # a database that is new is made
    store = open_store(url)
    try:
        text = access.create(store, role=role, agent=agent, zone=zone)
        audit.note(store, time.time_ns(), "command line", "token create", agent or str(role))
    finally:
        store.close()
    print(text)
    return 0


def token_list(database: Database = None, as_json: AsJson = False) -> int:
    """The tokens there are, and the agents' keys that came with them; never their secrets."""
    from prober import settings
    from prober.controller import access
    from prober.store.engine import open_store

    store = open_store(settings.load(database=database).database_url)
    try:
        rows = access.listed(store)
    finally:
        store.close()
    listed = [
        {
            "id": one.id, "role": one.role, "agent": one.agent, "zone": one.zone, "revoked": one.revoked_ns is not None,
            "state": state, "key": key,
        }
        for one, state, key in rows
    ]  # fmt: skip
    if as_json:
        output.data(listed)
        return 0
    for one in listed:
        told = one["key"] or ("" if one["state"] == "good" else f"({one['state']})")
        line = f"{one['id']}  {one['role']}  {one['agent'] or ''} {told}".rstrip()
        output.line(line)
    return 0


def token_revoke(
    token_id: Annotated[str | None, typer.Argument(help="of a token, and with it the key that it enrolled")] = None,
    agent: Annotated[str | None, typer.Option(help="everything that this agent has: its key, and its tokens")] = None,
    database: Database = None,
) -> int:
    """Make a token worthless at once, and the key that an agent enrolled with it."""
    from prober import settings
    from prober.controller import access
    from prober.store import audit
    from prober.store.engine import open_store

    store = open_store(settings.load(database=database).database_url)
    try:
        access.revoke(store, token_id, agent=agent)
        what = token_id or f"agent {agent}"
        audit.note(store, time.time_ns(), "command line", "token revoke", what)
    finally:
        store.close()
    output.say(f"{what} is revoked")
    return 0


def db_upgrade(database: Database = None) -> int:
    """Bring the database's schema to this version's."""
    from prober import settings
    from prober.store import schema
    from prober.store.url import shown

    url = settings.load(database=database).database_url
    revision = schema.upgrade(url)
    output.say(f"{shown(url)} is at {revision}")
    return 0


def config_show(as_json: AsJson = False) -> int:
    """Each effective setting and where it came from; secrets are masked."""
    from rich.table import Table

    from prober import settings

    rows = settings.effective(settings.load())
    rows += [(variable, "", f"environment, but no setting: {right}") for variable, right in settings.strangers()]
    if as_json:
        output.data([{"name": n, "value": v, "from": w} for n, v, w in rows])
        return 0
    table = Table(box=None, pad_edge=False)
    for title in ("setting", "value", "from"):
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*row)
    output.out.print(table)
    return 0
