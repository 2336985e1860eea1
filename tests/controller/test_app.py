"""The application as a whole: the page and nothing else of its folder, the guard, and the description of the API."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from prober.controller import access, documents, openapi
from prober.surfaces import manual, page
from tests.controller.centres import Controller, controller

ROOT = Path(__file__).parents[2]
EXAMPLES = int(os.environ.get("PROBER_EXAMPLES", "4"))
"""Of each operation in each role; `make fuzz` asks for a thousand."""
CHECKS = [
    schemathesis.checks.not_a_server_error, status_code_conformance, content_type_conformance,
    response_schema_conformance,
]  # fmt: skip


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    with controller(tmp_path_factory.mktemp("app")) as one:
        yield one


def test_the_page_and_its_files_are_served_with_their_policy(running: Controller) -> None:
    for path in ("/", *(f"/assets/{name}" for name in page.ASSETS)):
        answer = running.client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-security-policy"] == page.CSP
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert running.client.head(path).status_code == 200


def test_the_description_is_a_page_for_people_too(running: Controller) -> None:
    answer = running.client.get("/api/v1/docs")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"] == manual.CSP
    assert answer.text == manual.render(running.client.get("/api/v1/openapi.json").json())
    assert 'href="/api/v1/docs"' in running.client.get("/").text


@pytest.mark.parametrize(
    "name",
    ["__init__.py", "index.html", "..%2f__init__.py", "%2e%2e/pen.py", "", "__pycache__", "main.js%00", "MAIN.JS"],
)
def test_nothing_else_of_the_pages_folder_is_served(running: Controller, name: str) -> None:
    answer = running.client.get(f"/assets/{name}")
    assert answer.status_code == 404
    assert "import" not in answer.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:8080", "[2001:db8::1]:80"])
def test_a_name_that_is_not_this_machines_is_refused_on_loopback(running: Controller, host: str) -> None:
    assert running.client.get("/api/v1/matrix", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:80", "127.0.0.1:1", "[::1]:8080", "127.8.8.8", "prober"])
def test_this_machines_names_are_answered(running: Controller, host: str) -> None:
    assert running.client.get("/api/v1/matrix", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_sites_page_changes_nothing(running: Controller, site: str) -> None:
    headers = {"Sec-Fetch-Site": site}
    assert running.client.post("/api/v1/runs", json={}, headers=headers).status_code == 403
    assert running.client.delete("/api/v1/runs/x", headers=headers).status_code == 403
    assert running.client.get("/api/v1/matrix", headers=headers).status_code == 200


def test_a_reload_is_for_admins_and_a_bad_document_keeps_the_good_one(tmp_path: Path) -> None:
    document = tmp_path / "targets.yaml"
    document.write_text((ROOT / "targets.yaml").read_text())
    with controller(tmp_path, document) as one:
        admin = {"Authorization": f"Bearer {access.create(one.centre.store, 'admin')}"}
        assert one.client.post("/-/reload").status_code == 401
        document.write_text("zones: [{name: firewall, cidr: 10.19.0.0/24}]")
        answer = one.client.post("/-/reload", headers=admin)
        assert (answer.status_code, one.centre.reload_ok) == (422, False)
        assert "targets.yaml:1" in answer.json()["detail"]
        assert len(one.centre.desk.matrix.cells) > 40
        document.write_text((ROOT / "targets.yaml").read_text().replace("every: 1s", "every: 2s"))
        assert one.client.post("/-/reload", headers=admin).status_code == 200
        assert one.centre.reload_ok
        assert {cell.every for cell in one.centre.desk.matrix.cells.values()} == {2.0}


def test_readyz_says_when_judging_has_stopped_or_the_store_takes_nothing(running: Controller) -> None:
    assert (
        running.client.get("/readyz").json() | {"status": "pass", "why": None} == running.client.get("/readyz").json()
    )
    running.centre.behind.trouble = "the database is away"
    answer = running.client.get("/readyz")
    running.centre.behind.trouble = None
    assert (answer.status_code, answer.json()["why"]) == (503, "the database is away")
    assert running.client.get("/livez").status_code == 200


def test_the_committed_description_of_the_api_is_the_applications_own() -> None:
    told = "run: .venv/bin/python -m prober.controller.openapi > openapi.json"
    assert (ROOT / "openapi.json").read_text() == openapi.text(), told


def test_every_operation_has_a_name_and_problems_as_errors(running: Controller) -> None:
    paths = running.client.get("/api/v1/openapi.json").json()["paths"]
    operations = [one for path, methods in paths.items() if path.startswith("/api/v1") for one in methods.values()]
    names = [one["operationId"] for one in operations]
    assert len(names) == len(set(names)) >= 14
    for one in operations:
        assert "application/problem+json" in one["responses"]["4XX"]["content"], one["operationId"]


def test_every_json_answer_of_the_api_has_an_example_that_fits(running: Controller) -> None:
    paths = running.client.get("/api/v1/openapi.json").json()["paths"]
    told = [
        (method, path, content["application/json"])
        for path, methods in paths.items()
        for method, one in methods.items()
        for content in (answer.get("content", {}) for answer in one["responses"].values())
        if path.startswith("/api/v1") and "application/json" in content
    ]
    assert len(told) >= 12
    for method, path, content in told:
        assert "example" in content, f"{method} {path}"
        model = getattr(documents, content["schema"]["$ref"].rpartition("/")[2])
        model.model_validate(content["example"])


def test_what_monitors_read_is_described_as_it_is_sent(running: Controller) -> None:
    paths = running.client.get("/api/v1/openapi.json").json()["paths"]
    for path in ("/status", "/metrics", "/probe?target=ingress", "/probe", "/livez", "/readyz"):
        answer = running.client.get(path)
        told = paths[path.partition("?")[0]]["get"]["responses"][str(answer.status_code)]["content"]
        assert answer.headers["content-type"].partition(";")[0] in told, path


@pytest.mark.parametrize("role", ["nobody", *access.ROLES])
def test_no_input_that_fits_the_description_gets_an_answer_that_does_not(running: Controller, role: str) -> None:
    running.judge_all(age=-3600.0)  # fresh for as long as it takes: a stale pair's status is 503, and no fault
    started = running.client.post("/api/v1/runs", json={"from": ["firewall"], "to": ["ingress"]}).json()["id"]
    running.client.delete(f"/api/v1/runs/{started}")
    token = "no-token" if role == "nobody" else access.create(running.centre.store, role)
    schema = schemathesis.openapi.from_url(f"{running.url}/api/v1/openapi.json")
    schema = schema.exclude(path_regex="/events$")
    tried = set()
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=EXAMPLES, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy())
        def call(case: schemathesis.Case) -> None:
            tried.add(case.operation.label)
            case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, checks=CHECKS)

        call()
    assert len(tried) == 24
