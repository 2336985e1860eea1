"""What an agent hands over when it enrols, and the token it does it with."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from prober.enrolment import Enrolment, decode, encode, parts


def test_an_enrolment_comes_back_as_it_was_sent() -> None:
    asked = Enrolment("firewall", bytes(range(32)))
    assert decode(encode(asked)) == asked


@pytest.mark.parametrize("asked", [Enrolment("", bytes(32)), Enrolment("a" * 254, bytes(32)), Enrolment("a", b"key")])
def test_a_name_or_a_key_that_is_none_is_refused(asked: Enrolment) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode(encode(asked))


@given(some.binary(max_size=100))
def test_any_bytes_are_an_enrolment_or_refused(body: bytes) -> None:
    try:
        assert len(decode(body).public) == 32
    except (msgspec.MsgspecError, ValueError):
        return


def test_a_token_is_its_id_and_its_secret() -> None:
    assert parts("prb_0123456789ab.secret-_1") == ("0123456789ab", "secret-_1")


@pytest.mark.parametrize("text", ["", "prb_", "prb_a", "prb_a.", "prb_.s", "a.s", "prb_a b.s", "prb_é.s", "x prb_a.s"])
def test_what_is_no_token_has_no_parts(text: str) -> None:
    assert parts(text) is None
