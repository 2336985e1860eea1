"""What Slack checks of a message before it takes it, read from its reference of blocks and of ``response_url``."""

from __future__ import annotations

import re
from typing import Any

KNOWN = {"response_type", "replace_original", "delete_original", "text", "blocks", "thread_ts"}
CONTROL = re.compile(r"<(?!https?://)[^>]*>?")
"""Anything in angle brackets that is no plain link: a mention, a channel, ``<!here>`` or a broken bracket."""


def broken_rules(message: dict[str, Any]) -> list[str]:
    """Why Slack would refuse the message, or do with it what nobody meant."""
    wrong = [f"unknown key {key}" for key in message.keys() - KNOWN]
    if message.get("response_type") not in ("in_channel", "ephemeral"):
        wrong.append("response_type")
    return wrong + _said(message)


def broken_post(message: dict[str, Any], addressed: set[str]) -> list[str]:
    """The same of a method of the Web API; `addressed` are the keys that say where the message goes."""
    wrong = [f"unknown key {key}" for key in message.keys() - addressed - {"text", "blocks"}]
    wrong += [f"no {key}" for key in addressed if message.get(key) in (None, "")]
    return wrong + _said(message)


def _said(message: dict[str, Any]) -> list[str]:
    wrong = []
    if not str(message.get("text", "")).strip():
        wrong.append("no text for notifications")
    wrong += _text(message.get("text", ""), 40_000, "text")
    blocks = message.get("blocks", [])
    if len(blocks) > 50:
        wrong.append(f"{len(blocks)} blocks")
    return wrong + [reason for block in blocks for reason in _block(block)]


def _block(block: dict[str, Any]) -> list[str]:
    if block["type"] == "section":
        return _object(block["text"], "section")
    if block["type"] == "context":
        found = block["elements"]
        wrong = [] if 1 <= len(found) <= 10 else [f"{len(found)} elements in a context"]
        return wrong + [reason for one in found for reason in _object(one, "context")]
    return [f"block type {block['type']}"]


def _object(text: dict[str, Any], where: str) -> list[str]:
    wrong = [] if text["type"] == "mrkdwn" else [f"{where}: type {text['type']}"]
    wrong += [] if text.get("verbatim") is True else [f"{where}: Slack would look for links and names by itself"]
    if not 1 <= len(text["text"]) <= 3000:
        wrong.append(f"{where}: {len(text['text'])} characters")
    return wrong + _text(text["text"], 3000, where)


def _text(text: str, most: int, where: str) -> list[str]:
    wrong = [f"{where}: {len(text)} characters"] if len(text) > most else []
    wrong += [f"{where}: control sequence {found}" for found in CONTROL.findall(text)]
    wrong += [f"{where}: bare ampersand"] if re.search(r"&(?!(amp|lt|gt);)", text) else []
    return wrong
