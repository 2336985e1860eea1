"""HEAD of whatever answers to GET, over a real connection: GET's status and headers, and never a body."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from prober.controller import access, streams
from tests.controller.centres import Controller, controller

VARYING = ("date", "content-length")
"""Ages grow between the two requests, and a figure with them."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    with controller(tmp_path_factory.mktemp("heads")) as one:
        one.judge_all()
        one.client.headers["Authorization"] = f"Bearer {access.create(one.centre.store, 'admin')}"
        yield one


def readable(running: Controller) -> list[str]:
    """Every path that the API's description says GET of, with names that are there; and the page's, outside of it."""
    started = running.client.post("/api/v1/runs", json={"from": ["firewall"], "to": ["ingress"]}).json()["id"]
    names = {"source": "firewall", "target": "ingress", "run_id": started, "form": "svg", "incident_id": "1"}
    names["name"] = "firewall-to-ingress"
    described = running.client.get("/api/v1/openapi.json").json()["paths"]
    found = [path.format(**names) for path, methods in described.items() if "get" in methods]
    return [*(path for path in found if not path.endswith("/events")), "/", "/assets/main.js", "/api/v1/openapi.json"]


def test_head_answers_as_get_does_without_a_body(running: Controller) -> None:
    paths = readable(running)
    assert len(paths) >= 20
    for path in paths:
        head, get = running.client.head(path), running.client.get(path)
        assert (head.status_code, head.content) == (get.status_code, b""), path
        told = [{key: value for key, value in one.headers.items() if key not in VARYING} for one in (head, get)]
        assert told[0] == told[1], path
        assert ("content-length" in head.headers) == ("content-length" in get.headers), path


def test_head_of_a_stream_is_over_with_its_headers(running: Controller, monkeypatch: pytest.MonkeyPatch) -> None:
    lines, ended = streams._lines, []

    async def watched(*given: Any) -> AsyncIterator[str]:
        try:
            async for line in lines(*given):
                yield line
        finally:
            ended.append(True)

    monkeypatch.setattr(streams, "_lines", watched)
    began = time.monotonic()
    answer = running.client.head("/api/v1/events")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")
    while not ended:
        assert time.monotonic() < began + 5, "the stream goes on for nobody"
        time.sleep(0.01)


@pytest.mark.parametrize("path", ["/-/reload", "/agent/v1/reports"])
def test_what_does_not_answer_to_get_does_not_answer_to_head(running: Controller, path: str) -> None:
    answer = running.client.head(path)
    assert (answer.status_code, answer.headers["allow"], answer.content) == (405, "POST", b"")


@pytest.mark.parametrize("path", ["/api/v1/matrix", "/status", "/"])
def test_another_method_is_told_both(running: Controller, path: str) -> None:
    answer = running.client.put(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.json()["detail"].endswith("GET, HEAD")


def test_the_description_says_each_operation_once(running: Controller) -> None:
    described = running.client.get("/api/v1/openapi.json").json()["paths"]
    assert not [path for path, methods in described.items() if "head" in methods]


def test_head_is_refused_as_get_is(running: Controller) -> None:
    answer = running.client.head("/api/v1/matrix?sorce=firewall")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
