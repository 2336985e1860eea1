"""Alerts as events of PagerDuty's Events API v2 (developer.pagerduty.com, "Send an alert event", "PD-CEF").

A ``dedup_key`` makes a repeated trigger the same alert, and a resolve end it.
"""

from __future__ import annotations

from typing import Any

from prober.alert import Alert
from prober.surfaces.alerting import document, headline
from prober.surfaces.glyphs import shown
from prober.surfaces.stamps import stamp

SUMMARY = 1024
"""Characters that a summary may have."""


def event(alert: Alert, key: str) -> dict[str, Any]:
    """The event for the integration with this routing `key`."""
    told: dict[str, Any] = {"routing_key": key, "dedup_key": f"prober-{alert.id}"}
    if alert.closed is not None:
        return told | {"event_action": "resolve"}
    linked = {"client": "prober", "client_url": alert.link} if alert.link else {"client": "prober"}
    return told | linked | {"event_action": "trigger", "payload": _payload(alert)}


def _payload(alert: Alert) -> dict[str, Any]:
    summary = shown(f"{headline(alert)}. {alert.sentence}")
    payload = {
        "summary": summary if len(summary) <= SUMMARY else summary[: SUMMARY - 1] + "…",
        "source": shown(alert.culprit.partition(":")[0] or alert.objective or "prober"),
        "severity": alert.severity, "timestamp": stamp(alert.opened), "custom_details": document(alert),
    }  # fmt: skip
    zones = ", ".join(document(alert)["zones"])
    optional = {"component": shown(alert.objective), "group": zones, "class": alert.label}
    return payload | {name: word for name, word in optional.items() if word}
