"""What PagerDuty checks of an event before it takes it, read from its reference of the Events API v2."""

from __future__ import annotations

from datetime import datetime
from typing import Any

EVENT = {"routing_key", "event_action", "dedup_key", "payload", "images", "links", "client", "client_url"}
PAYLOAD = {"summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"}
SEVERITIES = {"critical", "error", "warning", "info"}


def broken_rules(event: dict[str, Any]) -> list[str]:
    """Why PagerDuty would answer 400."""
    wrong = [f"unknown key {key}" for key in event.keys() - EVENT]
    key = event.get("routing_key", "")
    wrong += [] if len(key) == 32 and key.isalnum() else ["routing_key"]
    action = event.get("event_action")
    wrong += [] if action in ("trigger", "acknowledge", "resolve") else ["event_action"]
    dedup = event.get("dedup_key", "")
    wrong += ["dedup_key"] if len(dedup) > 255 or (action != "trigger" and not dedup) else []
    return wrong + (_payload(event.get("payload") or {}) if action == "trigger" else [])


def _payload(payload: dict[str, Any]) -> list[str]:
    wrong = [f"unknown key payload.{key}" for key in payload.keys() - PAYLOAD]
    wrong += [] if 1 <= len(payload.get("summary", "")) <= 1024 else ["summary"]
    wrong += [] if payload.get("source") else ["source"]
    wrong += [] if payload.get("severity") in SEVERITIES else ["severity"]
    try:
        datetime.fromisoformat(payload.get("timestamp", ""))
    except ValueError:
        wrong.append("timestamp")
    return wrong
