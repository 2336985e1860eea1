"""A status that still stands is given again; who asks is looked at each time, and what changed is told at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from starlette.types import Message, Receive, Scope, Send

from prober.controller import access, monitor
from prober.controller.quick import Quick
from prober.errors import StoreUnavailable
from prober.surfaces import status
from prober.surfaces.status import HEALTH_JSON
from tests.controller.centres import Controller, controller

NAME = "/status/firewall-to-ingress"


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Controller]:
    with controller(tmp_path) as one:
        one.judge_all()
        yield one


@pytest.fixture
def reckoned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the statuses that were really reckoned; a moment lasts for ever."""
    names: list[str] = []
    answer = status.answer
    monkeypatch.setattr(monitor.status, "answer", lambda name, *more: names.append(name) or answer(name, *more))
    monkeypatch.setattr("prober.controller.quick.MOMENT", 1e9)
    return names


def test_it_is_reckoned_once_for_all_who_ask_at_the_same_time(running: Controller, reckoned: list[str]) -> None:
    answers = [running.client.get(NAME) for _ in range(5)]
    assert reckoned == ["firewall-to-ingress"]
    assert {one.content for one in answers} == {answers[0].content} and answers[0].json()["status"] == "pass"
    assert [dict(one.headers) | {"date": ""} for one in answers] == [dict(answers[0].headers) | {"date": ""}] * 5
    assert answers[0].headers["cache-control"] == "no-store" and answers[0].headers["x-content-type-options"]
    head = [running.client.head(NAME) for _ in range(2)]
    assert [(one.status_code, one.content) for one in head] == [(200, b"")] * 2


@pytest.mark.parametrize(("status", "made"), [(200, 1), (404, 8)])
def test_who_asks_while_it_is_being_made_waits_for_it(running: Controller, status: int, made: int) -> None:
    """What came to nothing is asked by each itself."""
    asked, told = [], []

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])
        number = len(asked)
        await asyncio.sleep(0.01)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"%d" % number})

    async def together() -> None:
        quick = Quick(route)
        app = SimpleNamespace(state=SimpleNamespace(centre=running.centre))
        scope = {
            "type": "http", "method": "GET", "path": NAME, "headers": [], "client": ("127.0.0.1", 40000), "app": app,
        }  # fmt: skip

        async def send(message: Message) -> None:
            told.append(message)

        await asyncio.gather(*(quick(scope, receive=send, send=send) for _ in range(8)))

    asyncio.run(together())
    bodies = [one["body"] for one in told if one["type"] == "http.response.body"]
    assert (len(asked), len(bodies), len(set(bodies))) == (made, 8, made)


def test_what_is_judged_is_told_at_once(running: Controller, reckoned: list[str]) -> None:
    assert running.client.get(NAME).status_code == 200
    running.misroute()
    assert [running.client.get(NAME).status_code for _ in range(2)] == [503, 503]
    assert len(reckoned) == 2


def test_other_forms_and_other_names_are_other_answers(running: Controller, reckoned: list[str]) -> None:
    for _ in range(2):
        assert running.client.get(NAME, headers={"Accept": HEALTH_JSON}).headers["content-type"] == HEALTH_JSON
        assert running.client.get(NAME).headers["content-type"] == "application/json"
        assert running.client.get("/status").json()["name"] == "all"
    assert len(reckoned) == 3


def test_an_error_is_said_anew_each_time(running: Controller) -> None:
    answers = [running.client.get("/status/nobody") for _ in range(2)]
    assert [one.status_code for one in answers] == [404, 404]


def test_who_may_not_ask_is_told_nothing_that_others_were_told(tmp_path: Path) -> None:
    with controller(tmp_path, anonymous="none") as one:
        one.judge_all()
        one.misroute()
        tokens = {role: access.create(one.centre.store, role=role) for role in ("viewer", "monitor")}
        told = {
            role: one.client.get(NAME, headers={"Authorization": f"Bearer {token}"}) for role, token in tokens.items()
        }
        assert told["viewer"].json()["culprit"] and not told["monitor"].json()["culprit"]
        assert "10.19" not in json.dumps(told["monitor"].json())
        assert [one.client.get(NAME).status_code for _ in range(2)] == [401, 401]
        wrong = one.client.get(NAME, headers={"Authorization": "Bearer prb_x.y"})
        assert wrong.status_code == 401


def test_a_token_that_cannot_be_looked_up_is_no_mistake_of_the_controllers(tmp_path: Path) -> None:
    with controller(tmp_path) as one:
        with one.centre.store.begin() as connection:
            connection.exec_driver_sql("DROP TABLE tokens")
        answer = one.client.get("/status", headers={"Authorization": "Bearer prb_0123456789ab.x"})
        assert (answer.status_code, answer.json()["detail"]) == (503, StoreUnavailable("").outward)
