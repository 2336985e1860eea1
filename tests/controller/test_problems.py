"""Whatever goes wrong is an RFC 9457 document with one sentence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from prober.controller.access import Unknown
from prober.controller.intake import Busy
from prober.controller.stranger import NoReport
from prober.errors import ConfigInvalid, ProberError, Refused, StoreFull, StoreUnavailable
from tests.controller.centres import Controller, controller


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
        str(error) if status != 500 else "something went wrong here; the controller's log says what"
    )
    assert ("retry-after" in answer.headers) == (status in (429, 503, 507))
