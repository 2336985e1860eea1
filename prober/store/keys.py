"""The agents' public keys, and the one way by which a key comes in: with a token that is used up."""

from __future__ import annotations

from enum import Enum

import msgspec
import sqlalchemy as sa

from prober.enrolment import Enrolment
from prober.signature import fingerprint
from prober.store.engine import Store
from prober.store.tables import audit, keys, tokens
from prober.store.tokens import Token


class Key(msgspec.Struct, frozen=True):
    """One agent's. ``public``: 32 bytes; ``token``: the id of the token that it was enrolled with."""

    agent: str
    zone: str
    public: bytes
    token: str
    enrolled_ns: int
    revoked_ns: int | None = None


class Spent(Enum):
    """Why a token is good for nothing any more."""

    REVOKED = "revoked"
    USED = "used"
    EXPIRED = "expired"


def enrol(store: Store, token: Token, asked: Enrolment, now_ns: int = 0) -> Key | Spent:
    """Takes the key and uses the token up, both or neither; of two at once one is first.

    The same key with the same token again changes nothing and is as good: its answer may have been lost. `token` is
    the agent's own; whether its secret was known is not asked here. `now_ns`: the database's clock where left out.
    """
    with store.begin() as connection:
        now = now_ns or store.now_ns(connection)
        good = sa.and_(
            tokens.c.id == token.id, tokens.c.agent == asked.agent, tokens.c.used_ns.is_(None),
            tokens.c.revoked_ns.is_(None), sa.or_(tokens.c.expires_ns.is_(None), tokens.c.expires_ns > now),
        )  # fmt: skip
        if connection.execute(sa.update(tokens).where(good).values(used_ns=now)).rowcount == 1:
            made = Key(asked.agent, token.zone or "", asked.public, token.id, now)
            _put(store, connection, made)
            return made
        return _before(connection, token, asked)


def _put(store: Store, connection: sa.Connection, made: Key) -> None:
    """In the place of the key that this agent had."""
    values = msgspec.structs.asdict(made)
    row = store.insert(keys).values(values)
    connection.execute(row.on_conflict_do_update(index_elements=["agent"], set_=values))
    detail = f"{made.agent} in {made.zone}, key {fingerprint(made.public)}"
    who = f"token {made.token}"
    connection.execute(sa.insert(audit).values(at_ns=made.enrolled_ns, who=who, what="enrol", detail=detail))


def _before(connection: sa.Connection, token: Token, asked: Enrolment) -> Key | Spent:
    """The key that came with this token before, where it is the one that is asked for."""
    found = connection.execute(sa.select(tokens.c.used_ns, tokens.c.revoked_ns).where(tokens.c.id == token.id)).one()
    if found.revoked_ns is not None:
        return Spent.REVOKED
    if found.used_ns is None:
        return Spent.EXPIRED
    row = connection.execute(sa.select(keys).where(keys.c.agent == asked.agent)).one_or_none()
    had = None if row is None else Key(**row._mapping)
    same = had is not None and (had.token, had.public, had.revoked_ns) == (token.id, asked.public, None)
    return had if had is not None and same else Spent.USED


def get_key(store: Store, agent: str) -> Key | None:
    """This agent's key, revoked or not."""
    with store.read() as connection:
        row = connection.execute(sa.select(keys).where(keys.c.agent == agent)).one_or_none()
    return None if row is None else Key(**row._mapping)


def good_keys(store: Store) -> dict[str, bytes]:
    """The public keys of all agents whose key is not revoked."""
    good = sa.select(keys.c.agent, keys.c.public).where(keys.c.revoked_ns.is_(None))
    with store.read() as connection:
        return {row.agent: row.public for row in connection.execute(good)}


def list_keys(store: Store) -> list[Key]:
    """Every key, by its agent's name."""
    with store.read() as connection:
        return [Key(**row._mapping) for row in connection.execute(sa.select(keys).order_by(keys.c.agent))]
