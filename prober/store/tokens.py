"""Who may call. Only a hash of each secret is kept."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from prober.store.engine import Store
from prober.store.tables import tokens


class Token(msgspec.Struct, frozen=True):
    """One token. ``hash``: SHA-256 of its secret in hex; ``role``: see `prober.controller.access`."""

    id: str
    hash: str
    role: str
    agent: str | None
    zone: str | None
    created_ns: int
    revoked_ns: int | None = None


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


def agents_with_tokens(store: Store) -> set[str]:
    """The names of agents that have a token that is not revoked."""
    mine = sa.select(tokens.c.agent).distinct().where(tokens.c.agent.is_not(None), tokens.c.revoked_ns.is_(None))
    with store.read() as connection:
        return set(connection.execute(mine).scalars())


def list_tokens(store: Store) -> list[Token]:
    """Every token, oldest first."""
    with store.read() as connection:
        found = connection.execute(sa.select(tokens).order_by(tokens.c.created_ns, tokens.c.id))
        return [Token(**row._mapping) for row in found]


def revoke_token(store: Store, token_id: str, now_ns: int) -> bool:
    """The token is good for nothing from now on; False when there is none, or it was revoked before."""
    good = sa.and_(tokens.c.id == token_id, tokens.c.revoked_ns.is_(None))
    with store.begin() as connection:
        return connection.execute(sa.update(tokens).where(good).values(revoked_ns=now_ns)).rowcount == 1
