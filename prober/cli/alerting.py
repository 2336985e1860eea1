"""The flags that name who is told of alerts, and the command that tries them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from prober.cli import output
from prober.errors import ConfigInvalid

PublicUrl = Annotated[str | None, output.setting("public_url", "this controller's address in links that people click")]
Alertmanager = Annotated[
    list[str] | None, output.setting("alertmanager", "Alertmanager that is sent alerts; several are fine")
]
Webhook = Annotated[list[str] | None, output.setting("webhook", "address of your own that alerts are posted to")]
WebhookSecretFile = Annotated[
    Path | None, output.setting("webhook_secret_file", "file with what signs posts to a webhook")
]
PagerdutyKeyFile = Annotated[
    Path | None, output.setting("pagerduty_key_file", "file with a key of PagerDuty's Events API v2")
]
SlackAlertsUrlFile = Annotated[
    Path | None, output.setting("slack_alerts_url_file", "file with a Slack incoming webhook's address")
]


def given(
    public_url: str | None, alertmanager: list[str] | None, webhook: list[str] | None,
    webhook_secret_file: Path | None, pagerduty_key_file: Path | None, slack_alerts_url_file: Path | None,
) -> dict[str, Any]:  # fmt: skip
    """The flags as `prober.settings.load` takes them."""
    return {
        "public_url": public_url, "alertmanager": tuple(alertmanager) if alertmanager else None,
        "webhook": tuple(webhook) if webhook else None, "webhook_secret_file": webhook_secret_file,
        "pagerduty_key_file": pagerduty_key_file, "slack_alerts_url_file": slack_alerts_url_file,
    }  # fmt: skip


def trial(
    public_url: PublicUrl = None,
    alertmanager: Alertmanager = None,
    webhook: Webhook = None,
    webhook_secret_file: WebhookSecretFile = None,
    pagerduty_key_file: PagerdutyKeyFile = None,
    slack_alerts_url_file: SlackAlertsUrlFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> int:
    """Send a trial alert, opened and resolved at once, to every receiver; a line for each says what came of it.

    Leaves with 0 when all took both, with 3 otherwise.
    """
    import asyncio

    from prober import settings
    from prober.controller import receivers
    from prober.controller.delivery import attempt

    flags = given(public_url, alertmanager, webhook, webhook_secret_file, pagerduty_key_file, slack_alerts_url_file)
    chosen = settings.load(**flags)
    named = receivers.named(chosen)
    if not named:
        raise ConfigInvalid(
            "nobody is told of alerts: name a receiver with --alertmanager, --webhook, --pagerduty-key-file or "
            "--slack-alerts-url-file, or as PROBER_… in the environment"
        )
    rows = [(one.name, why) for one, why in zip(named, asyncio.run(attempt(named, chosen.public_url)), strict=True)]
    if as_json:
        output.data([{"receiver": name, "ok": not why, "why": why} for name, why in rows])
    else:
        for name, why in rows:
            output.line(f"✗ {why}" if why else f"✓ {name} took a trial alert")
    return 3 if any(why for _, why in rows) else 0
