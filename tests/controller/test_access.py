"""Tokens and roles."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prober.controller import access
from prober.controller.access import Identity, Unknown, allows, create, identify, revoke, who
from prober.errors import Refused, StoreUnavailable
from prober.store import schema, tokens
from prober.store.engine import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/prober.sqlite"
    schema.upgrade(url)
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.mark.parametrize("role", access.ROLES)
def test_a_token_for_a_role_says_who_asks(store: Store, role: str) -> None:
    token = create(store, role)
    assert who(store, token) == Identity(role, None, None, token.removeprefix("prb_").partition(".")[0])


def test_an_agents_token_carries_its_name_and_zone(store: Store) -> None:
    found = who(store, create(store, agent="node1", zone="nodes"))
    assert found is not None
    assert (found.role, found.agent, found.zone) == ("agent", "node1", "nodes")


def test_the_database_never_sees_the_secret(store: Store, tmp_path: Path) -> None:
    secret = create(store, "admin").partition(".")[2]
    store.close()
    assert not any(secret.encode() in file.read_bytes() for file in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "a token is for a role or for an agent"),
        ({"role": "admin", "agent": "a", "zone": "z"}, "a token is for a role or for an agent"),
        ({"role": "root"}, "there is no role 'root'; write --role viewer|monitor|operator|admin"),
        ({"role": "agent"}, "there is no role 'agent'"),
        ({"role": "viewer", "zone": "z"}, "--zone goes with --agent"),
        ({"agent": "a"}, "an agent's token needs its name and its zone"),
        ({"agent": "", "zone": "z"}, "an agent's token needs its name and its zone"),
        ({"agent": "a\nb", "zone": "z"}, "an agent's token needs its name and its zone"),
    ],
)
def test_a_token_for_anything_else_is_refused(store: Store, asked: dict[str, str], said: str) -> None:
    with pytest.raises(Refused) as refused:
        create(store, **asked)
    assert str(refused.value).startswith(said)
    assert tokens.list_tokens(store) == []


def test_a_token_that_is_changed_anywhere_is_nobodys(store: Store) -> None:
    token = create(store, "viewer")
    for at in range(len(token)):
        other = "a" if token[at] != "a" else "b"
        assert who(store, token[:at] + other + token[at + 1 :]) is None
    for wrong in ("", "prb_", token[:-1], token + "a", " " + token, token.replace(".", ""), "Bearer " + token):
        assert who(store, wrong) is None


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet=st.characters(), max_size=200))
def test_any_text_is_nobodys_token_and_raises_nothing(store: Store, text: str) -> None:
    assert who(store, text) is None
    assert who(store, f"prb_{text}") is None


def test_a_revoked_token_is_nobodys_at_once(store: Store) -> None:
    token = create(store, "viewer")
    found = who(store, token)
    assert found is not None
    assert found.token_id
    revoke(store, found.token_id)
    assert who(store, token) is None
    with pytest.raises(Refused, match="that could be revoked"):
        revoke(store, found.token_id)


def test_a_token_revoked_by_another_process_is_refused_within_seconds(store: Store) -> None:
    token = create(store, "viewer")
    found = who(store, token, now=100.0)
    assert found is not None
    assert found.token_id
    tokens.revoke_token(store, found.token_id, 1)
    assert who(store, token, now=104.9) == found
    assert who(store, token, now=105.0) is None


def test_a_fleet_that_comes_back_is_looked_up_with_one_look(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [create(store, agent=f"node{n}", zone="nodes") for n in range(3)]
    looks = []
    monkeypatch.setattr(access, "list_tokens", lambda of: looks.append(1) or tokens.list_tokens(of))
    assert [who(store, token, now=100.0 + n).agent for n, token in enumerate(made)] == ["node0", "node1", "node2"]
    assert looks == [1]
    assert who(store, made[0] + "a", now=103.0) is None and who(store, made[0].partition(".")[2], now=103.0) is None
    assert who(store, late := create(store, "viewer"), now=104.0) == Identity(
        "viewer", token_id=late.removeprefix("prb_").partition(".")[0]
    ), "one made since is looked up by itself"


def test_a_token_that_was_listed_and_revoked_elsewhere_is_refused_within_seconds(store: Store) -> None:
    first, second = create(store, "viewer"), create(store, "viewer")
    assert who(store, first, now=100.0) is not None
    tokens.revoke_token(store, second.removeprefix("prb_").partition(".")[0], 1)
    assert who(store, second, now=104.9) is not None
    assert who(store, second, now=105.0) is None


def test_a_thousand_tokens_are_looked_up_again_with_one_look(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made = [create(store, "viewer") for _ in range(3)]
    found = [who(store, token, now=100.0 + later) for later, token in enumerate(made)]
    looks = []
    monkeypatch.setattr(access, "good_tokens", lambda of: looks.append(1) or tokens.good_tokens(of))
    monkeypatch.setattr(access, "get_token", lambda *_: pytest.fail("each was looked up by itself"))
    assert [who(store, token, now=105.0) for token in made] == found
    assert [who(store, token, now=109.9) for token in made] == found
    assert looks == [1]
    assert found[1] and found[1].token_id
    tokens.revoke_token(store, found[1].token_id, 1)
    assert who(store, made[0], now=110.0) == found[0]
    monkeypatch.undo()
    assert who(store, made[1], now=110.0) is None


def test_a_good_token_works_on_for_seconds_while_the_database_is_away(store: Store, tmp_path: Path) -> None:
    token = create(store, "monitor")
    found = who(store, token, now=100.0)
    store.close()
    for file in tmp_path.iterdir():
        file.unlink()
    assert who(store, token, now=104.0) == found
    with pytest.raises(StoreUnavailable):
        who(store, token, now=200.0)


def test_no_more_tokens_are_remembered_than_the_limit(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "REMEMBERED_TOKENS", 3)
    for token in [create(store, "viewer") for _ in range(6)]:
        assert who(store, token)
    assert len(access._remembered[store]) == 3


def test_without_a_token_the_machine_itself_operates_and_others_monitor(store: Store) -> None:
    assert identify(store, None, "auto", local=True) == Identity("operator")
    assert identify(store, None, "auto", local=False) == Identity("monitor")
    assert identify(store, None, "none", local=True) == Identity("none")
    assert identify(store, None, "viewer", local=False) == Identity("viewer")


def test_a_wrong_token_is_worse_than_none(store: Store) -> None:
    with pytest.raises(Unknown, match="not known, or was revoked"):
        identify(store, "prb_x.y", "auto", local=True)


def test_what_each_role_may() -> None:
    may = {
        role: [needed for needed in ("monitor", "viewer", "operator", "admin", "agent") if allows(role, needed)]
        for role in ("none", "monitor", "viewer", "operator", "admin", "agent", "forged")
    }
    assert may == {
        "none": [],
        "monitor": ["monitor"],
        "viewer": ["monitor", "viewer"],
        "operator": ["monitor", "viewer", "operator"],
        "admin": ["monitor", "viewer", "operator", "admin"],
        "agent": ["agent"],
        "forged": [],
    }
