"""Slack's door: who may come in (signed requests), and what a mention says.

The signature is HMAC-SHA256 over the raw body (Slack, "Verifying requests from Slack"). Headers are parsed strictly
before anything is computed, so that no forged one raises; whatever is wrong with a request is one answer, 401.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from starlette.datastructures import Headers

from prober.errors import Refused

WITHIN = 300.0
"""Seconds that a request's stamp may be off, either way."""
FRESH = 600.0
"""Seconds after which an event is too old to be obeyed: for so long it is remembered that it came."""
_SIGNATURE, _STAMP = re.compile(r"v0=[0-9a-f]{64}"), re.compile(r"[0-9]{1,12}")
_EVENT_ID = re.compile(r"[A-Za-z0-9._-]{1,80}")
_LINK = re.compile(r"<(?:https?://|mailto:)[^<>|]*\|([^<>]*)>|<(?:https?://)?([^@#!<>|][^<>|]*)>")
_MENTION = re.compile(r"<@[^<>]*>")  # none reaches over the next bracket: many that nobody closes would take minutes


def signature(headers: Headers) -> tuple[str, str] | None:
    """``(signature, timestamp)`` as Slack sends them, once each and well-formed; None otherwise."""
    signed, stamped = headers.getlist("x-slack-signature"), headers.getlist("x-slack-request-timestamp")
    if len(signed) != 1 or len(stamped) != 1:
        return None
    if not _SIGNATURE.fullmatch(signed[0]) or not _STAMP.fullmatch(stamped[0]):
        return None
    return signed[0], stamped[0]


def sign(secret: str, stamp: str, body: bytes) -> str:
    """The signature of a body: ``v0=`` and hex HMAC-SHA256 of ``v0:stamp:body``."""
    return "v0=" + hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()


def verified(secret: str, given: tuple[str, str] | None, body: bytes, wall: float) -> bool:
    """Whether the body was signed with `secret` less than `WITHIN` from `wall` (Unix seconds)."""
    if given is None or not secret or abs(wall - int(given[1])) > WITHIN:
        return False
    return hmac.compare_digest(sign(secret, given[1], body), given[0])


class Envelope(msgspec.Struct):
    """What the Events API posts (Slack, "Using the Events API"); ``event_time`` in Unix seconds."""

    type: str
    challenge: str = ""
    team_id: str = ""
    event_id: str = ""
    event_time: Annotated[int, msgspec.Meta(ge=0, le=2**40)] = 0
    event: dict[str, Any] = {}
    authorizations: list[dict[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Mention:
    """Somebody called the bot: ``user`` in ``channel``; ``thread`` is the ``ts`` under which the answer belongs."""

    event_id: str
    team: str
    user: str
    channel: str
    thread: str
    text: str


def envelope(body: bytes) -> Envelope:
    """The event as posted. Refused for what is none."""
    try:
        return msgspec.json.decode(body, type=Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refused("this is no event as Slack's Events API posts it") from None


def mention(told: Envelope, wall: float) -> Mention | None:
    """The mention to obey, or None: another event, a bot's own words, or one from more than `FRESH` ago."""
    event = {key: value for key, value in told.event.items() if isinstance(value, str)}
    if told.type != "event_callback" or event.get("type") != "app_mention" or "bot_id" in event:
        return None
    if not _EVENT_ID.fullmatch(told.event_id) or abs(wall - told.event_time) > FRESH:
        return None
    user, channel, ts = event.get("user", ""), event.get("channel", ""), event.get("ts", "")
    if not (user and channel and ts):
        return None
    bots = [str(one.get("user_id")) for one in told.authorizations or () if one.get("is_bot")]
    text = _after_mention(event.get("text", ""), bots)
    return Mention(told.event_id, told.team_id, user, channel, event.get("thread_ts") or ts, text)


def _after_mention(text: str, bots: list[str]) -> str:
    """What was said to the bot: the words after its name, or after the first name where its own is not known."""
    called = next((f"<@{bot}>" for bot in bots if f"<@{bot}>" in text), None)
    found = _MENTION.search(text)
    start = text.index(called) + len(called) if called else found.end() if found else 0
    return plain(_MENTION.sub(" ", text[start:]))


def plain(text: str) -> str:
    """Text as it was typed: Slack makes ``lb.example.org`` a link, and ``>`` an entity (Slack, "Formatting text")."""
    typed = _LINK.sub(lambda found: found[1] or found[2] or "", text)
    return typed.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
