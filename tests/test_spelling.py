"""How a setting's value is written, and how it is shown again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from prober.spelling import Secret, Span, Words, bare, listener, read, told

WAIT = Annotated[Span, Meta(ge=1.0, le=1e9)]


def test_a_listener_is_a_host_and_port_or_a_socket_path() -> None:
    assert listener("127.0.0.1:8080") == ("127.0.0.1", 8080)
    assert listener("[::1]:0") == ("::1", 0)
    assert listener("unix:/run/p.sock") == Path("/run/p.sock")
    for bad in ("", "unix:", ":80", "::1:80", "a b:80", "h:80x"):
        with pytest.raises(ValueError, match="write HOST:PORT or unix:PATH"):
            listener(bad)


def test_several_values_stand_with_commas_between() -> None:
    assert read("a, b,,c ", Annotated[Words, Meta()]) == ("a", "b", "c")
    assert told(("a", "b", "c")) == "a, b, c"


@given(st.integers(1, 10_000), st.sampled_from("smhd"))
def test_a_length_of_time_that_is_shown_reads_back_the_same(number: int, unit: str) -> None:
    seconds = read(f"{number}{unit}", WAIT)
    assert read(told(seconds), WAIT) == pytest.approx(seconds, rel=1e-5)


def test_what_does_not_fit_is_said_with_what_would() -> None:
    with pytest.raises(ValueError, match=r"^soon does not fit; write 1s to 11574.1d, as 15m, 6h or 30d$"):
        read("soon", WAIT)


def test_an_address_is_shown_without_what_may_be_secret() -> None:
    assert bare("postgresql://prober:s3c@ret@db/prober") == "postgresql://prober:********@db/prober"
    assert bare("https://chat.example/hook?key=s3cret") == "https://chat.example/hook?********"
    assert told(("https://chat.example/s3cret",), whole=False) == "https://chat.example/********"
    assert told(Secret("s3cret")) == "********"
