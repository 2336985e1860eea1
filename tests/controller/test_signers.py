"""Whose signature counts, for how long, and once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.fleet.world import enrolled
from prober import signature
from prober.agent.credential import Credential
from prober.controller import access, signers
from prober.controller.access import REMEMBERED_SECONDS, Unknown
from prober.controller.signers import Signers
from prober.errors import StoreUnavailable
from prober.signature import DIGEST, INPUT, SIGNATURE, WINDOW, Signed
from prober.store import keys, schema
from prober.store.engine import Store, open_store

PATH, AT = "/agent/v1/reports", 1_700_000_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    url = f"sqlite:///{tmp_path}/prober.sqlite"
    schema.upgrade(url)
    opened = open_store(url)
    yield opened
    opened.close()


def request(of: Credential, body: bytes = b"a report", created: int = AT) -> tuple[Signed, str, str]:
    headers = of.signed(PATH, body, created)
    return signature.read(headers[INPUT], headers[SIGNATURE]), PATH, headers[DIGEST]


def check(one: Signers, *what: Any, **given: Any) -> None:
    asyncio.run(one.check(*what, **given))


def test_what_an_agent_signs_counts_once_and_what_it_signs_anew_counts_again(store: Store) -> None:
    one, key = Signers(store), enrolled(store, "lb", "front")
    first = request(key)
    check(one, *first, AT, now=1.0)
    with pytest.raises(Unknown, match="this very request came before"):
        check(one, *first, AT + WINDOW, now=1.0 + WINDOW)
    check(one, *request(key), AT, now=1.0)


def test_the_window_is_as_wide_as_it_is_remembered(store: Store) -> None:
    one, key = Signers(store), enrolled(store, "lb", "front")
    early = request(key)
    check(one, *early, AT - WINDOW, now=100.0)
    with pytest.raises(Unknown, match="came before"):
        check(one, *early, AT + WINDOW, now=100.0 + 2 * WINDOW)
    for off in (-WINDOW - 1, WINDOW + 1):
        with pytest.raises(Unknown, match=rf"signed at {AT} and it is {int(AT + off)} here: sign by the clock of the"):
            check(one, *request(key), AT + off, now=200.0)


def test_another_controller_takes_a_repeat_for_the_store_takes_no_report_twice(store: Store) -> None:
    first = request(enrolled(store, "lb", "front"))
    check(Signers(store), *first, AT)
    check(Signers(store), *first, AT)


def test_another_body_path_or_agent_is_not_what_was_signed(store: Store) -> None:
    one, key = Signers(store), enrolled(store, "lb", "front")
    enrolled(store, "vm", "front")
    signed, _, digest = request(key)
    forged = Credential(key.kept)
    forged.kept = type(key.kept)("vm", key.kept.enrolled)
    for what in (
        (signed, "/agent/v1/relayed", digest), (signed, PATH, signature.digest(b"another")), (signed, PATH, ""),
        request(forged),
    ):  # fmt: skip
        with pytest.raises(Unknown, match="is not signed with the key that agent (lb|vm) enrolled"):
            check(one, *what, AT)
    check(one, signed, PATH, digest, AT)


def test_an_agent_that_never_enrolled_is_told_how(store: Store, tmp_path: Path) -> None:
    key = enrolled(store, "lb", "front")
    key.kept.agent = "stranger"
    with pytest.raises(Unknown, match="agent stranger has no key here; enrol it with a new token: prober token create"):
        check(Signers(store), *request(key), AT)


def test_a_revoked_key_is_refused_on_every_controller_within_seconds(store: Store) -> None:
    key, one, other = enrolled(store, "lb", "front"), Signers(store), Signers(store)
    for each in (one, other):
        check(each, *request(key), AT, now=100.0)
        assert each.may_report("lb", now=100.0)
    access.revoke(store, agent="lb")
    for each in (one, other):
        check(each, *request(key), AT, now=100.0 + REMEMBERED_SECONDS - 0.1)
        with pytest.raises(Unknown, match="the key of agent lb was revoked; enrol it with a new token"):
            check(each, *request(key), AT, now=100.0 + REMEMBERED_SECONDS)
        assert not each.may_report("lb", now=100.0 + REMEMBERED_SECONDS)


def test_who_enrolled_elsewhere_is_known_at_once_and_the_key_before_no_more(store: Store) -> None:
    one, before = Signers(store), enrolled(store, "lb", "front")
    check(one, *request(before), AT, now=100.0)
    after, late = enrolled(store, "lb", "front"), enrolled(store, "vm", "front")
    check(one, *request(after), AT, now=101.0)
    check(one, *request(late), AT, now=101.0)
    assert one.may_report("vm", now=101.0)
    with pytest.raises(Unknown, match="is not signed with the key"):
        check(one, *request(before), AT, now=101.0)


def test_a_thousand_agents_are_looked_up_with_one_look(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    several = [enrolled(store, f"agent{number}", "front") for number in range(4)]
    one, looks = Signers(store), list[int]()
    monkeypatch.setattr(signers, "good_keys", lambda of: looks.append(1) or keys.good_keys(of))
    monkeypatch.setattr(signers, "get_key", lambda *_: pytest.fail("each was looked up by itself"))
    for at in (100.0, 104.9, 105.0, 109.9):
        for key in several:
            check(one, *request(key), AT, now=at)
    assert looks == [1, 1]


def test_many_that_come_at_once_make_one_look(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    several = [enrolled(store, f"agent{number}", "front") for number in range(8)]
    one, looks = Signers(store), list[int]()
    monkeypatch.setattr(signers, "good_keys", lambda of: looks.append(1) or keys.good_keys(of))
    monkeypatch.setattr(signers, "get_key", lambda *_: pytest.fail("each was looked up by itself"))

    async def all_at_once() -> None:
        await asyncio.gather(*(one.check(*request(key), AT, now=100.0) for key in several))

    asyncio.run(all_at_once())
    assert looks == [1]


def test_a_key_works_on_for_seconds_while_the_database_is_away(store: Store, tmp_path: Path) -> None:
    one, key = Signers(store), enrolled(store, "lb", "front")
    check(one, *request(key), AT, now=100.0)
    store.close()
    (tmp_path / "prober.sqlite").unlink()
    check(one, *request(key), AT, now=104.9)
    with pytest.raises(StoreUnavailable):
        check(one, *request(key), AT, now=105.0)
