"""What every receiver is told of an alert: in words, as a document, as a headline that a person reads at night."""

from __future__ import annotations

from typing import Any

from prober.alert import FORGOTTEN, MERGED, UNDECLARED, Alert
from prober.surfaces.answer import Answer
from prober.surfaces.glyphs import shown
from prober.surfaces.stamps import stamp

_OVER = {
    MERGED: "it turned out to be a part of another alert",
    UNDECLARED: "nobody asks these paths any more",
    FORGOTTEN: "nothing is known of it any more",
}


def headline(alert: Alert) -> str:
    """``Resolved after 4 min: …``, or how bad it is and what."""
    if alert.closed is None:
        return f"{alert.severity.capitalize()}: {alert.title}"
    return f"Resolved after {lasted(alert.closed - alert.opened)}: {alert.title}"


def lasted(seconds: float) -> str:
    """90.0 -> ``90 s``, 600.0 -> ``10 min``, 10,000.0 -> ``2.8 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def ending(alert: Alert) -> str:
    """Why it is over; '' where that goes without saying."""
    return _OVER.get(alert.because, "") if alert.closed is not None else ""


def answer(alert: Alert) -> Answer:
    """The alert as chats are told it."""
    told = [headline(alert) + ".", alert.sentence if alert.closed is None else ""]
    if why := ending(alert):
        told.append(f"{why[0].upper()}{why[1:]}.")
    return Answer(
        " ".join(one for one in told if one), confidence=alert.confidence, culprit=alert.culprit,
        next_step=alert.next_step if alert.closed is None else "", link=alert.link, note=f"Alert {alert.id}",
    )  # fmt: skip


def document(alert: Alert) -> dict[str, Any]:
    """The alert as programs read it: every key always there, None for what is not known; names fit to be shown."""
    return {
        "id": alert.id, "kind": alert.kind, "state": alert.state, "revision": alert.revision,
        "severity": alert.severity, "title": shown(alert.title), "sentence": shown(alert.sentence),
        "label": alert.label or None, "cause": alert.cause or None, "confidence": alert.confidence or None,
        "culprit": shown(alert.culprit) or None, "next_step": shown(alert.next_step) or None,
        "objective": shown(alert.objective) or None, "zones": [shown(one) for one in alert.zones],
        "cells_total": alert.cells, "cells_failing": alert.failing, "opened_at": stamp(alert.opened),
        "closed_at": None if alert.closed is None else stamp(alert.closed), "closed_because": alert.because or None,
        "link": alert.link or None,
    }  # fmt: skip
