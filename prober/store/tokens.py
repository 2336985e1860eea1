"""Who may call. Only a hash of each secret is kept."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from prober.store.engine import Store
from prober.store.tables import keys, tokens


class Token(msgspec.Struct, frozen=True):
    """One token. ``hash``: SHA-256 of its secret in hex; ``role``: see `prober.controller.access`.

    An agent's is good until ``expires_ns`` (None: for ever), and once: see `prober.store.keys`.
    """

    id: str
    hash: str
    role: str
    agent: str | None
    zone: str | None
    created_ns: int
    revoked_ns: int | None = None
    expires_ns: int | None = None
    used_ns: int | None = None


def add_token(store: Store, token: Token) -> None:
    """Keeps a new token."""
    with store.begin() as connection:
        connection.execute(sa.insert(tokens).values(**msgspec.structs.asdict(token)))


def get_token(store: Store, token_id: str) -> Token | None:
    """The token with this id, revoked or not."""
    with store.read() as connection:
        row = connection.execute(sa.select(tokens).where(tokens.c.id == token_id)).one_or_none()
    return None if row is None else Token(**row._mapping)


def good_tokens(store: Store) -> set[str]:
    """The ids of all that are not revoked."""
    with store.read() as connection:
        return set(connection.execute(sa.select(tokens.c.id).where(tokens.c.revoked_ns.is_(None))).scalars())


def list_tokens(store: Store) -> list[Token]:
    """Every token, oldest first."""
    with store.read() as connection:
        found = connection.execute(sa.select(tokens).order_by(tokens.c.created_ns, tokens.c.id))
        return [Token(**row._mapping) for row in found]


def revoke_token(store: Store, token_id: str, now_ns: int) -> bool:
    """The token is good for nothing from now on, and neither is the key that was enrolled with it; False when there is
    no such token, or it was revoked before."""
    with store.begin() as connection:
        was_good = _revoke(connection, tokens, tokens.c.id == token_id, now_ns) == 1
        _revoke(connection, keys, keys.c.token == token_id, now_ns)
        return was_good


def revoke_agent(store: Store, agent: str, now_ns: int) -> int:
    """The same of all that this agent has: its key, and every token made for it. How many of them were good."""
    with store.begin() as connection:
        mine = _revoke(connection, tokens, tokens.c.agent == agent, now_ns)
        return mine + _revoke(connection, keys, keys.c.agent == agent, now_ns)


def _revoke(connection: sa.Connection, table: sa.Table, those: sa.ColumnElement[bool], now_ns: int) -> int:
    """Tokens first, as enrolment has it: who waits for one of them here sees the key that came with it."""
    good = sa.and_(those, table.c.revoked_ns.is_(None))
    return connection.execute(sa.update(table).where(good).values(revoked_ns=now_ns)).rowcount
