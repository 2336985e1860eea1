"""A report on its way through a peer agent: signed by its own agent, and acknowledged as only the controller can.

The agent whose way to the controller is broken gives its report to a peer as a `Bundle`; the controller's `Receipt`
comes back the same way. Both carry an HMAC-SHA256 (RFC 2104) under a key that this agent and the controllers know and
no other agent does: a peer can read, delay and drop what it hands on, and can neither change it, nor make one up, nor
acknowledge what the controller has not.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Annotated

import msgspec

from prober.report import Question

MOST = 8 * 1024 * 1024 + 1024
"""Bytes of a bundle at most: a report of the largest size that a controller takes, and what is around it."""
MOST_BACK = 512 * 1024
"""Bytes of a receipt at most."""

Name = Annotated[str, msgspec.Meta(max_length=253)]


class Bundle(msgspec.Struct, frozen=True):
    """``body`` is a report of ``agent`` as it would have posted it."""

    agent: Name
    body: bytes
    signature: bytes


class Receipt(msgspec.Struct, frozen=True):
    """The controller's word on one bundle, by the SHA-256 of its body: it is on disk, or ``refused`` for good, and why.

    ``report_every`` and ``questions`` as in orders; what else they hold does not go this way. ``plan_version`` names
    the plan by which this agent is to go: where it goes by that one, it may go on with it.
    """

    agent: Name
    digest: bytes
    report_every: float
    plan_version: str = ""
    refused: str = ""
    questions: list[Question] = []
    signature: bytes = b""


def key_of(secret: bytes, agent: str) -> bytes:
    """This agent's key: 32 bytes. `secret` is the controllers' own."""
    return hmac.digest(secret, b"relay:" + agent.encode(), "sha256")


def seal(agent: str, body: bytes, key: bytes) -> Bundle:
    """The body as a bundle of this agent."""
    return Bundle(agent, body, _bundle_mac(agent, body, key))


def is_genuine(bundle: Bundle, key: bytes) -> bool:
    """Whether who knows this key has made it, and nobody changed it since."""
    return hmac.compare_digest(bundle.signature, _bundle_mac(bundle.agent, bundle.body, key))


def acknowledge(
    bundle: Bundle, key: bytes, report_every: float, plan_version: str = "", refused: str = "",
    questions: Sequence[Question] = (),
) -> Receipt:  # fmt: skip
    """The controller's word on this bundle."""
    told = Receipt(bundle.agent, _digest(bundle.body), report_every, plan_version, refused, list(questions))
    return msgspec.structs.replace(told, signature=_receipt_mac(told, key))


def is_for(receipt: Receipt, bundle: Bundle, key: bytes) -> bool:
    """Whether a controller has said this, and of this bundle."""
    same = receipt.agent == bundle.agent and hmac.compare_digest(receipt.digest, _digest(bundle.body))
    return hmac.compare_digest(receipt.signature, _receipt_mac(receipt, key)) and same


def _bundle_mac(agent: str, body: bytes, key: bytes) -> bytes:
    return hmac.digest(key, msgspec.msgpack.encode(("bundle", agent, _digest(body))), "sha256")


def _receipt_mac(receipt: Receipt, key: bytes) -> bytes:
    unsigned = msgspec.structs.replace(receipt, signature=b"")
    return hmac.digest(key, msgspec.msgpack.encode(("receipt", unsigned)), "sha256")


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def encode(message: Bundle | Receipt) -> bytes:
    """The bytes on the wire (msgpack)."""
    return msgspec.msgpack.encode(message)


def decode_bundle(body: bytes) -> Bundle:
    """Raises `msgspec.MsgspecError`."""
    return msgspec.msgpack.decode(body, type=Bundle)


def decode_receipt(body: bytes) -> Receipt:
    """Raises `msgspec.MsgspecError`."""
    return msgspec.msgpack.decode(body, type=Receipt)
