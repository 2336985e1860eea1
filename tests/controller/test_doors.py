"""Who may come in by which route."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import HTTPException
from starlette.requests import HTTPConnection

from prober.controller import doors
from prober.controller.access import Identity, Unknown
from prober.controller.doors import caller, is_local, is_local_name, needs


class Centre:
    """Knows one token."""

    def identity(self, token: str | None, local: bool) -> Identity:
        if token is None:
            return Identity("operator" if local else "none")
        if token != "good":
            raise Unknown("this token is not known")
        return Identity("viewer", token_id="01")


def request(client: str | None = "10.0.0.9", **headers: str) -> HTTPConnection:
    class App:
        class State:
            centre = Centre()

        state = State()

    given = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope: dict[str, Any] = {"type": "http", "headers": given, "app": App(), "client": (client, 1) if client else None}
    return HTTPConnection(scope)


@pytest.mark.parametrize("header", ["Basic Zm9v", "Bearer", "Bearer  ", "good", "Bearer bad"])
def test_a_header_that_is_no_good_token_is_refused_even_on_this_machine(header: str) -> None:
    with pytest.raises(HTTPException) as refused:
        caller(request("127.0.0.1", authorization=header))
    assert refused.value.status_code == 401


def test_a_good_token_counts_and_its_role_bounds_it() -> None:
    one = request(authorization="bearer good")
    assert caller(one).role == "viewer"
    assert needs("viewer")(one).token_id == "01"
    with pytest.raises(HTTPException, match="needs the role operator") as refused:
        needs("operator")(one)
    assert refused.value.status_code == 403


def test_who_has_no_token_is_told_to_make_one() -> None:
    with pytest.raises(HTTPException, match="prober token create --role viewer") as refused:
        needs("viewer")(request())
    assert refused.value.status_code == 401
    assert needs("operator")(request("::1")).role == "operator"


@pytest.mark.parametrize("client", [None, "", "127.0.0.1", "127.3.4.5", "::1", "::ffff:127.0.0.1"])
def test_loopback_and_unix_sockets_are_this_machine(client: str | None) -> None:
    assert is_local(request(client))


@pytest.mark.parametrize("client", ["10.0.0.9", "::ffff:10.0.0.9", "2001:db8::1", "localhost", "testclient"])
def test_everything_else_is_elsewhere(client: str) -> None:
    assert not is_local(request(client))


@pytest.mark.parametrize("header", sorted(one.decode() for one in doors.FORWARDED))
def test_what_a_proxy_on_this_machine_hands_on_is_elsewhere(header: str) -> None:
    assert not is_local(request("127.0.0.1", **{header: "10.0.0.9"}))
    assert is_local(request("127.0.0.1"))


@pytest.mark.parametrize("host", ["localhost", "LocalHost:8080", "127.0.0.1", "[::1]", "[::1]:80", "", "prober"])
def test_names_of_this_machine(host: str) -> None:
    assert is_local_name(host)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "10.1.2.3", "[2001:db8::1]:80", "127.1"])
def test_names_of_others(host: str) -> None:
    assert not is_local_name(host)


def test_a_route_finds_its_controller() -> None:
    assert isinstance(doors.centre_of(request()), Centre)  # type: ignore[arg-type]
