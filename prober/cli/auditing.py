"""`prober audit`: the address plan, asking nobody; and `prober audit log`, of a controller: who did what."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from prober.cli import output
from prober.cli.looking import AsJson, Controller, Where

Targets = Annotated[Path | None, output.setting("targets", "the document; targets.yaml by default", "--targets")]


def audit(context: typer.Context, targets: Targets = None, as_json: AsJson = False) -> int:
    """What of the address plan overlaps, and how many blocks each pool has left. Leaves with 1 where that is dangerous.

    Nothing is sent and no controller is asked; `prober audit log` shows who did what.
    """
    if context.invoked_subcommand is not None:
        return 0
    from prober import ondisk, settings
    from prober.audit import audit as audited
    from prober.surfaces import terminal_audit

    found = audited(ondisk.read_targets(targets or settings.load().targets))
    document = {
        "dangerous": found.dangerous,
        "findings": [_finding(one) for one in found.findings],
        "pools": [_room(one) for one in found.rooms],
    }
    if as_json:
        output.data(document)
    else:
        output.out.print(terminal_audit.draw(document))
    return int(found.dangerous)


def _finding(one: Any) -> dict[str, Any]:
    between = [{"sort": it.sort, "name": it.name, "network": str(it.network)} for it in one.between]
    told = {"dangerous": one.dangerous, "sentence": one.sentence, "what": one.what, "right": one.right}
    return told | {"between": between}


def _room(one: Any) -> dict[str, Any]:
    numbers = {key: getattr(one, key) for key in ("pool", "kind", "mask", "blocks", "held", "left", "covers")}
    networks = {key: net and str(net) for key, net in (("last", one.last), ("reaches", one.reaches))}
    return numbers | networks | {"sentence": one.sentence}


def log(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="how many of the newest")] = 50,
    as_json: AsJson = False, controller: Where = None,
) -> int:  # fmt: skip
    """Who did what, newest first. Needs the role admin."""
    document = Controller(controller).get("/api/v1/audit", limit=limit)
    if as_json:
        output.data(document)
        return 0
    for one in document["audit"]:
        output.line(f"{one['at']}  {one['who']}  {one['what']}  {one['detail']}")
    return 0
