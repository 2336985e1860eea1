"""How an agent begins: with a token that is good once, and the public half of a key that it has made itself.

A token reads ``prb_ID.SECRET``: the id names it, the secret is worth what it opens.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

PREFIX = "prb_"
LASTS_NS = 3_600_000_000_000
"""For how long a token for an agent can be used."""
PUBLIC_BYTES = 32
"""Of an Ed25519 key (RFC 8032, 5.1.5)."""
MOST = 1024
"""Bytes of an `Enrolment` at most."""


class Enrolment(msgspec.Struct, frozen=True):
    """This agent signs with the key whose public half this is."""

    agent: Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
    public: Annotated[bytes, msgspec.Meta(min_length=PUBLIC_BYTES, max_length=PUBLIC_BYTES)]


def parts(token: str) -> tuple[str, str] | None:
    """A token's id and its secret; None for what is no token."""
    token_id, dot, secret = token.removeprefix(PREFIX).partition(".")
    named = token_id.isascii() and token_id.isalnum() and len(token_id) <= 32
    return (token_id, secret) if token.startswith(PREFIX) and dot and named and secret else None


def encode(asked: Enrolment) -> bytes:
    """The bytes on the wire (msgpack)."""
    return msgspec.msgpack.encode(asked)


def decode(body: bytes) -> Enrolment:
    """Raises `msgspec.MsgspecError`, or ValueError for a name that is no UTF-8."""
    return msgspec.msgpack.decode(body, type=Enrolment)
