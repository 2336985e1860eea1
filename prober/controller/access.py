"""Tokens and roles: who asks, and what that allows.

A token reads ``prb_ID.SECRET``. The database holds SHA-256 of the secret; 256 random bits need no salt and no slow
hash. viewer < operator < admin; a monitor reads the status endpoints alone. An agent's token opens nothing: it enrols
the agent, once and within the hour (`prober.controller.enrolling`), and from then on the agent signs.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from prober import enrolment
from prober.enrolment import LASTS_NS, PREFIX
from prober.errors import ProberError, Refused
from prober.signature import fingerprint
from prober.store.engine import Store
from prober.store.keys import list_keys
from prober.store.tokens import (
    Token,
    add_token,
    get_token,
    good_tokens,
    list_tokens,
    revoke_agent,
    revoke_token,
)

RANKS = {"none": 0, "monitor": 1, "viewer": 2, "operator": 3, "admin": 4}
"""What each role may includes what the ones before it may."""

ROLES = ("viewer", "monitor", "operator", "admin")
"""What a person asks a token for; ``agent`` comes with a name and a zone."""

REMEMBERED_SECONDS = 5.0
"""A good token is looked up again after this long; so a revoked one is refused within it."""
REMEMBERED_TOKENS = 4096


class Unknown(ProberError):
    """A token that is not, or no longer, good for anything."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks. ``token_id`` is None for a request without a token; ``agent`` and ``zone`` are an agent's."""

    role: str
    agent: str | None = None
    zone: str | None = None
    token_id: str | None = None

    @property
    def name(self) -> str:
        """As the audit log writes it."""
        return self.agent or (f"token {self.token_id}" if self.token_id else f"anonymous {self.role}")


def create(
    store: Store, role: str | None = None, *, agent: str | None = None, zone: str | None = None, now_ns: int = 0
) -> str:
    """A new token for a role, or for an agent in a zone; its secret is told here and never again.

    Raises Refused for anything else.
    """
    if (role is None) == (agent is None):
        raise Refused("a token is for a role or for an agent: write --role ROLE, or --agent NAME --zone ZONE")
    if agent is not None and not (_is_name(agent) and zone and _is_name(zone)):
        raise Refused("an agent's token needs its name and its zone: write --agent NAME --zone ZONE")
    if role is not None and (role not in ROLES or zone):
        what = "--zone goes with --agent" if zone else f"there is no role {role[:40]!r}"
        raise Refused(f"{what}; write --role {'|'.join(ROLES)}, or --agent NAME --zone ZONE")
    token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    made = now_ns or _clock_ns(store)
    expires = made + LASTS_NS if agent is not None else None
    add_token(store, Token(token_id, hashed(secret), role or "agent", agent, zone, made, expires_ns=expires))
    return f"{PREFIX}{token_id}.{secret}"


def _clock_ns(store: Store) -> int:
    with store.read() as connection:
        return store.now_ns(connection)


def _is_name(name: str) -> bool:
    return 0 < len(name) <= 253 and name.isprintable()


def hashed(secret: str) -> str:
    """What is kept of a token's secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _named(token: str) -> str:
    """Its id and its secret's hash, as the database has them; of what is no token another hash."""
    token_id, dot, secret = token.removeprefix(PREFIX).partition(".")
    return f"{token_id}.{hashed(secret)}" if dot and token.startswith(PREFIX) else hashed(token)


_remembered: WeakKeyDictionary[Store, dict[str, tuple[float, Identity]]] = WeakKeyDictionary()
_lists: WeakKeyDictionary[Store, tuple[float, dict[str, Identity]]] = WeakKeyDictionary()


def who(store: Store, token: str, now: float | None = None) -> Identity | None:
    """Whose token this is; None for one that is malformed, unknown or revoked. `now` is monotonic seconds.

    Takes as long for a wrong secret as for an unknown id. Raises StoreUnavailable.
    """
    now = time.monotonic() if now is None else now
    known, name = _remembered.setdefault(store, {}), _named(token)
    until, identity = known.get(name, (0.0, None))
    if identity is not None and until <= now:
        _renew(store, known, now)
        _, identity = known.get(name, (0.0, None))
    if identity is None:
        listed_at, listed = _listed(store, now)
        identity = listed.get(name)
        until = (now if identity is None else listed_at) + REMEMBERED_SECONDS
        identity = identity or _look_up(store, token)
        if identity is not None:
            while len(known) >= REMEMBERED_TOKENS:
                known.pop(next(iter(known)))
            known[name] = (until, identity)
    return identity


def is_remembered(store: Store, token: str) -> bool:
    """Whether `who` says whose this is without a look into the store."""
    until, _ = _remembered.get(store, {}).get(_named(token), (0.0, None))
    return until > time.monotonic()


def _listed(store: Store, now: float) -> tuple[float, dict[str, Identity]]:
    """Whose the good tokens are, by their hashes with the id, and when they were read: a fleet that comes back after a
    restart must not make a look for each. One that is not among them is looked up by itself."""
    at, found = _lists.get(store, (float("-inf"), {}))
    if not 0.0 <= now - at < REMEMBERED_SECONDS:
        good = (one for one in list_tokens(store) if one.revoked_ns is None)
        at, found = now, {f"{one.id}.{one.hash}": Identity(one.role, one.agent, one.zone, one.id) for one in good}
        _lists[store] = at, found
    return at, found


def _renew(store: Store, known: dict[str, tuple[float, Identity]], now: float) -> None:
    """All whose time is up, or soon will be, with one look: a thousand agents must not make a thousand."""
    good, soon = good_tokens(store), now + REMEMBERED_SECONDS / 2
    for name, (until, identity) in list(known.items()):
        if identity.token_id not in good:
            del known[name]
        elif until <= soon:
            known[name] = (now + REMEMBERED_SECONDS, identity)


def _look_up(store: Store, token: str) -> Identity | None:
    found = known(store, token)
    if found is None or found.revoked_ns is not None:
        return None
    return Identity(found.role, found.agent, found.zone, found.id)


def known(store: Store, token: str) -> Token | None:
    """The token whose secret this is, revoked or not."""
    parts = enrolment.parts(token)
    found = get_token(store, parts[0]) if parts else None
    same = hmac.compare_digest(hashed(parts[1] if parts else ""), found.hash if found else hashed(""))
    return found if same else None


def listed(store: Store) -> list[tuple[Token, str, str]]:
    """Every token, with its state in a word (good, used, expired, revoked), and the fingerprint of the key that it
    enrolled and that still counts, or ''."""
    now_ns, found = _clock_ns(store), {key.token: key for key in list_keys(store) if key.revoked_ns is None}
    keys = {token: fingerprint(key.public) for token, key in found.items()}
    return [(one, _state(one, now_ns), keys.get(one.id, "")) for one in list_tokens(store)]


def _state(token: Token, now_ns: int) -> str:
    if token.revoked_ns is not None:
        return "revoked"
    if token.used_ns is not None:
        return "used"
    return "expired" if token.expires_ns is not None and token.expires_ns <= now_ns else "good"


def identify(store: Store, token: str | None, anonymous: str, local: bool) -> Identity:
    """Who asks: by token, or as `anonymous` allows (``auto``: operator on this machine, monitor from elsewhere).

    Raises Unknown for a token that is not good, StoreUnavailable.
    """
    if token is None:
        auto = "operator" if local else "monitor"
        return Identity(auto if anonymous == "auto" else anonymous)
    identity = who(store, token)
    if identity is None:
        raise Unknown("this token is not known, or was revoked; make one with: prober token create")
    return identity


def allows(role: str, needed: str) -> bool:
    """Whether `role` may do what `needed` may. An agent's work is an agent's alone, and all that an agent may do."""
    if "agent" in (role, needed):
        return role == needed
    return RANKS.get(role, 0) >= RANKS[needed]


def revoke(store: Store, token_id: str | None = None, *, agent: str | None = None, now_ns: int = 0) -> None:
    """The token is good for nothing from now on, and neither is the key that came with it; or all that an agent has.
    Elsewhere that is so within `REMEMBERED_SECONDS`. Raises Refused where nothing was good."""
    if (token_id is None) == (agent is None):
        raise Refused("say what to revoke: the ID of a token, or --agent NAME; see: prober token list")
    now_ns = now_ns or _clock_ns(store)
    if token_id is not None and not revoke_token(store, token_id, now_ns):
        raise Refused(f"there is no token {token_id[:40]!r} that could be revoked; see: prober token list")
    if agent is not None and not revoke_agent(store, agent, now_ns):
        raise Refused(f"agent {agent[:80]!r} has no key and no token that could be revoked; see: prober token list")
    _remembered.pop(store, None)
    _lists.pop(store, None)
