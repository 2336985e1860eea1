"""Alerts for a program of one's own, by the Standard Webhooks specification (standardwebhooks.com, 1.0.0).

``webhook-id`` is the same however often a message is tried, so that a receiver knows one it has; ``webhook-signature``
is HMAC-SHA256 over ``id.timestamp.body``, with libraries for it in most languages.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json

from prober.alert import Alert
from prober.surfaces.alerting import document
from prober.surfaces.stamps import stamp

PREFIX = "whsec_"


def body(alert: Alert) -> bytes:
    """``{"type": "prober.alert.opened", "timestamp": …, "data": {…}}``; when it was opened or closed."""
    at = alert.opened if alert.closed is None else alert.closed
    told = {"type": f"prober.alert.{alert.state}", "timestamp": stamp(at), "data": document(alert)}
    return json.dumps(told, ensure_ascii=False).encode()


def headers(alert: Alert, content: bytes, now: float, secret: bytes = b"") -> dict[str, str]:
    """The message's identity and, with a `secret`, its signature."""
    name, seconds = f"{alert.id}.{alert.revision}", str(int(now))
    told = {"content-type": "application/json", "webhook-id": name, "webhook-timestamp": seconds}
    return told | ({"webhook-signature": sign(secret, name, seconds, content)} if secret else {})


def sign(secret: bytes, name: str, seconds: str, content: bytes) -> str:
    """``v1,`` and the base64 of the MAC."""
    mac = hmac.new(secret, f"{name}.{seconds}.".encode() + content, hashlib.sha256).digest()
    return "v1," + base64.b64encode(mac).decode()


def secret_of(word: str) -> bytes:
    """``whsec_BASE64`` is what the base64 says, anything else is itself. Raises ValueError for base64 that is none."""
    if not word.startswith(PREFIX):
        return word.encode()
    try:
        return base64.b64decode(word.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"what follows {PREFIX} is no base64") from error
