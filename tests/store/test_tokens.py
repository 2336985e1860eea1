"""Tokens at rest."""

from __future__ import annotations

import pytest

from prober.errors import StoreUnavailable
from prober.store.engine import Store
from prober.store.tokens import Token, add_token, get_token, list_tokens, revoke_token

FIRST = Token("a1", "f" * 64, "agent", "lb", "lb-zone", 5)
SECOND = Token("b2", "e" * 64, "viewer", None, None, 9)


def test_a_token_comes_back_as_it_was_kept(store: Store) -> None:
    add_token(store, SECOND)
    add_token(store, FIRST)
    assert get_token(store, "a1") == FIRST
    assert get_token(store, "zz") is None
    assert list_tokens(store) == [FIRST, SECOND]


def test_no_two_tokens_share_a_secret(store: Store) -> None:
    add_token(store, FIRST)
    with pytest.raises(StoreUnavailable):
        add_token(store, Token("c3", FIRST.hash, "admin", None, None, 5))


def test_a_token_is_revoked_once_and_keeps_when(store: Store) -> None:
    add_token(store, FIRST)
    assert revoke_token(store, "a1", 50)
    assert not revoke_token(store, "a1", 60)
    assert not revoke_token(store, "zz", 60)
    found = get_token(store, "a1")
    assert found is not None
    assert found.revoked_ns == 50
