"""Alerts as Alertmanager's ``POST /api/v2/alerts`` takes them (prometheus/alertmanager, api/v2/openapi.yaml).

Its labels are an alert's identity: they say only what stays as long as it is open, and everything else is annotations.
It forgets alerts when it restarts and takes one that nobody repeats for over at ``endsAt``, so whoever sends them
repeats them, those among them that were closed a moment ago, as Prometheus does (rules/alerting.go).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prober.alert import Alert, Severity
from prober.surfaces.alerting import document, ending, headline
from prober.surfaces.stamps import stamp

REPEAT = 60.0
"""Seconds after which everything is sent again."""
LASTS = 4 * REPEAT
"""Seconds after which an open alert that nobody repeats is over for Alertmanager; Prometheus' own factor."""
REPEATED = 15 * 60.0
"""Seconds for which a closed alert is repeated; Prometheus' own (``resolvedRetention``)."""

NAMES = {"incident": "ProberIncident", "burn": "ProberBudgetBurns", "test": "ProberTest"}


def body(alerts: Iterable[Alert], now: float) -> list[dict[str, Any]]:
    """What is posted. An alert that became more severe is another one to Alertmanager: the one before ends."""
    posted = []
    for one in alerts:
        posted += [_entry(one, worn, one.opened, min(now, one.closed or now)) for worn in one.worn]
        ends = now + LASTS if one.closed is None else one.closed
        posted.append(_entry(one, one.severity, one.opened, ends))
    return posted


def _entry(alert: Alert, severity: Severity, starts: float, ends: float) -> dict[str, Any]:
    entry = {
        "labels": labels(alert, severity), "annotations": _annotations(alert),
        "startsAt": stamp(starts), "endsAt": stamp(max(starts, ends)),
    }  # fmt: skip
    return entry | ({"generatorURL": alert.link} if alert.link else {})


def labels(alert: Alert, severity: Severity) -> dict[str, str]:
    """The identity; their names are of ``[a-zA-Z_][a-zA-Z0-9_]*``, whatever targets.yaml calls its own."""
    told = {"alertname": NAMES[alert.kind], "severity": severity, "prober_alert": alert.id}
    objective = document(alert)["objective"]
    return told | ({"objective": objective} if objective else {})


def _annotations(alert: Alert) -> dict[str, str]:
    told = document(alert)
    words = {name: told[name] for name in ("label", "cause", "confidence", "culprit", "next_step")}
    words |= {"summary": told["title"], "description": told["sentence"], "zones": ", ".join(told["zones"])}
    words |= {"cells": str(alert.cells) if alert.cells else "", "state": headline(alert).partition(":")[0]}
    return {name: word for name, word in (words | {"closed_because": ending(alert)}).items() if word}
