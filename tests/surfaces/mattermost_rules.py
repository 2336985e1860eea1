"""What Mattermost does with a message, as far as it matters here: read from its server's ``CommandResponse`` and from
how it finds mentions (``app/mention_parser_standard.go``: code is left out, backslash escapes are taken out before).
"""

from __future__ import annotations

import re
from typing import Any

KNOWN = {"response_type", "text", "skip_slack_parsing"}
RUNES = 16_383
"""``PostMessageMaxRunesV2``."""
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.DOTALL | re.MULTILINE)
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")


def broken_rules(message: dict[str, Any]) -> list[str]:
    """Why Mattermost would refuse the message, or do with it what nobody meant."""
    wrong = [f"unknown key {key}" for key in message.keys() - KNOWN]
    if message.get("response_type") not in ("in_channel", "ephemeral"):
        wrong.append("response_type")
    if message.get("skip_slack_parsing") is not True:
        wrong.append("Mattermost would read it as Slack does: <!channel> calls everybody")
    text = str(message.get("text", ""))
    wrong += [] if text.strip() else ["no text"]
    wrong += [f"{len(text)} characters"] if len(text) > RUNES else []
    return wrong + [f"calls {found}" for found in calls(text)]


def calls(text: str) -> list[str]:
    """Whom the message would call, and the channels it would link."""
    words = _ESCAPE.sub(r"\1", _CODE.sub(" ", text))
    return re.findall(r"[@~][A-Za-z0-9][A-Za-z0-9._-]*", words)


def seen(text: str) -> str:
    """What a reader sees of escaped text."""
    return _ESCAPE.sub(r"\1", text).replace("\u200b", "")
