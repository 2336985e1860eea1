"""Whatever goes wrong is an RFC 9457 document with one sentence."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import structlog

from bench.fleet import postgres
from prober.agent.credential import Credential, Kept, Pair
from prober.controller.access import Unknown
from prober.controller.intake import Busy
from prober.controller.stranger import NoReport
from prober.errors import ConfigInvalid, ProberError, Refused, StoreFull, StoreUnavailable
from prober.store import verdicts
from tests.controller.centres import Controller, Signing, controller


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    with controller(tmp_path_factory.mktemp("problems")) as one:
        yield one


@pytest.mark.parametrize(
    ("method", "path", "status", "word"),
    [
        ("GET", "/nowhere", 404, "/api/v1/docs"),
        ("GET", "/api/v1/matrix/", 404, "nothing at"),
        ("GET", "/api/v2/matrix", 404, "nothing at"),
        ("PUT", "/api/v1/matrix", 405, "GET"),
        ("POST", "/agent/v1/reports/", 404, "nothing at"),
        ("GET", "/agent/v1/reports", 405, "POST"),
        ("GET", "/api/v1/flips?cursor=x", 422, "cursor"),
        ("GET", "/api/v1/flips?limit=0", 422, "limit"),
        ("GET", f"/api/v1/flips?cursor={2**70}", 422, "cursor"),
        (
            "GET",
            "/api/v1/matrix?sorce=firewall",
            422,
            "no parameter of /api/v1/matrix: sorce; there are: source, target, at",
        ),
        ("GET", "/api/v1/flips?limit=1&page=2&%1b=3", 422, "page, \\x1b; there are: cursor, limit"),
        ("GET", "/api/v1/slos?window=1h", 422, "no parameter of /api/v1/slos: window; it has none"),
        ("POST", "/api/v1/runs?from=firewall", 422, "from; it has none"),
        ("DELETE", "/api/v1/runs/nope?force", 422, "force; it has none"),
        ("GET", "/api/v1/runs/nope", 404, "nope"),
        ("GET", "/api/v1/runs/nope/events", 404, "nope"),
    ],
)
def test_every_way_to_ask_wrongly_has_its_sentence(
    running: Controller, method: str, path: str, status: int, word: str
) -> None:
    answer = running.client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    document = answer.json()
    assert (document["status"], document["type"]) == (status, "about:blank")
    assert word in document["detail"]
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/flips?limit=1&page=2"), ("GET", "/api/v1/audit?page=2"), ("GET", "/api/v1/runs/x?page=2"),
        ("GET", "/api/v1/flips?cursor=x"), ("DELETE", "/api/v1/runs/x?force"), ("POST", "/api/v1/runs?from=x"),
        ("POST", "/api/v1/runs"), ("GET", "/api/v1/nowhere?x"),
    ],
)  # fmt: skip
def test_who_may_not_ask_hears_that_first(running: Controller, method: str, path: str) -> None:
    unknown = path.startswith("/api/v1/nowhere")
    for token in ("", "prb_x.y"):
        headers = {"X-Forwarded-For": "192.0.2.1"} | ({"Authorization": f"Bearer {token}"} if token else {})
        answer = running.client.request(method, path, headers=headers)
        assert (answer.status_code, "limit" in answer.text) == (404 if unknown else 401, False)


def test_a_caller_does_not_learn_where_the_database_is_and_the_log_says_all(tmp_path: Path, cluster: str) -> None:
    url = postgres.database(cluster)
    name = url.partition("@/")[2].partition("?")[0]
    with (
        controller(tmp_path, database=f"{url.replace('postgres@', 'postgres:s3cret@')}") as one,
        structlog.testing.capture_logs() as logged,
    ):
        with one.centre.store.begin() as connection:
            for table in ("tokens", "flips", "keys", "verdicts"):
                connection.exec_driver_sql(f"DROP TABLE {table}")
        token = {"Authorization": "Bearer prb_0123456789ab.x"}
        asked: list[tuple[str, dict[str, str]]] = [
            ("/status", token), ("/metrics", token), ("/api/v1/matrix", token), ("/api/v1/flips", {}),
        ]  # fmt: skip
        answers = [one.client.get(path, headers=headers) for path, headers in asked]
        key = Signing(Credential(Kept("lb", Pair.made("t"))))
        answers.append(one.client.post("/agent/v1/reports", content=b"x", auth=key))
        one.centre.behind.add(lambda: verdicts.history(one.centre.store, "a", "b"))
        while one.centre.behind.trouble is None:
            time.sleep(0.02)
        answers.append(one.client.get("/readyz"))
    assert [answer.status_code for answer in answers] == [503] * len(asked) + [503, 503]
    for answer in answers:
        assert not any(word in answer.text for word in (name, cluster, "postgresql", "s3cret", "relation")), answer.text
    assert "s3cret" not in str(logged)
    assert all(f'{name}?host={quote(cluster, safe="")}: relation "{one}"' in str(logged) for one in ("tokens", "flips"))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NoReport("n"), 400), (Refused("r"), 422), (ConfigInvalid("c"), 422), (Busy("b"), 429), (Unknown("u"), 401),
        (StoreUnavailable("s"), 503), (StoreFull("f"), 507), (ProberError("p"), 400), (KeyError("a fault"), 500),
    ],
)  # fmt: skip
def test_every_error_has_its_status(
    running: Controller, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(running.centre.views, "matrix", fail)
    answer = running.client.get("/api/v1/matrix")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["detail"] == (
        error.outward if isinstance(error, ProberError) else "something went wrong here; the controller's log says what"
    )
    assert ("retry-after" in answer.headers) == (status in (429, 503, 507))
