"""Alerts as tests need them."""

from __future__ import annotations

from typing import Any

from prober.alert import Alert

HOSTILE = 'a<!channel> & "b" \u202e\x1b[31m {{ .x }} \ud800'
"""A name that every format has its own trouble with."""


def incident(**given: Any) -> Alert:
    """An open incident's alert."""
    told: dict[str, Any] = {
        "id": "3f2a0b1c4d5e6f70", "kind": "incident", "severity": "critical",
        "title": "return-path-misroute: node19, 4 paths", "sentence": "4 paths fail by node19.",
        "opened": 1_700_000_000.0,
        "label": "return-path-misroute", "cause": "R1b", "confidence": "proven", "culprit": "node19: node1 routes …",
        "next_step": "Take node19 out.", "cells": 4, "failing": 3, "zones": ("firewall", "pods"),
        "link": "https://prober.example/#/incident/3f2a0b1c4d5e6f70",
    }  # fmt: skip
    return Alert(**(told | given))


def resolved(**given: Any) -> Alert:
    """The same, ten minutes later."""
    return incident(**({"closed": 1_700_000_600.0, "because": "healed", "failing": 0, "revision": 2} | given))


def hostile(**given: Any) -> Alert:
    """One whose every word came from somebody who meant harm."""
    words = ("title", "sentence", "culprit", "next_step", "objective")
    return incident(zones=(HOSTILE,), **(dict.fromkeys(words, HOSTILE) | given))
