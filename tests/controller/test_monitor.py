"""``/status``, ``/metrics``, ``/probe``, ``/livez`` and ``/readyz`` of a whole controller, as monitors call them."""

from __future__ import annotations

import ipaddress
import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from prober.controller import access
from tests.controller.centres import Controller, controller

CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
UPTIME_KUMA = "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.5"
ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+|[0-9a-f]*::[0-9a-f]*")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    with controller(tmp_path_factory.mktemp("controller")) as one:
        yield one


@pytest.fixture
def running(shared: Controller) -> Controller:
    """A controller whose every pair has just been judged healthy."""
    shared.judge_all()
    return shared


@pytest.fixture(scope="module")
def shared_public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    with controller(tmp_path_factory.mktemp("public"), anonymous="monitor") as one:
        yield one


@pytest.fixture
def public(shared_public: Controller) -> Controller:
    """A controller as somebody without a token sees it from elsewhere."""
    shared_public.judge_all()
    return shared_public


def status(running: Controller, path: str = "/status", **headers: str) -> tuple[int, dict[str, object]]:
    answer = running.client.get(path, headers=headers)
    return answer.status_code, answer.json()


def test_all_healthy_passes_with_flat_json(running: Controller) -> None:
    code, document = status(running)
    assert (code, document["status"], document["reason"], document["pairs_failed"]) == (200, "pass", "passing", 0)
    assert document["pairs_total"] == len(running.centre.desk.matrix.cells)
    assert all(not isinstance(value, dict | list) for value in document.values())


def test_the_incident_turns_its_objective_red_and_the_heal_green_again(running: Controller) -> None:
    path = "/status/firewall-to-ingress"
    codes = [running.client.head(path).status_code]
    running.misroute()
    codes.append(running.client.head(path).status_code)
    code, document = status(running, path)
    assert (code, document["label"], document["cause"]) == (503, "return-path-misroute", "R1b")
    assert "10.19.0.0/16 via 10.224.0.23" in str(document["culprit"])
    running.judge("firewall", "ingress")
    codes.append(running.client.head(path).status_code)
    assert codes == [200, 503, 200]


def test_one_failing_pair_of_many_fails_the_whole_and_leaves_other_objectives_alone(running: Controller) -> None:
    running.misroute()
    code, document = status(running)
    assert (code, document["pairs_failed"], document["source"]) == (503, 1, "firewall")
    assert str(document["sentence"]).startswith(f"1 of {document['pairs_total']} pairs fail: firewall → ingress")
    assert status(running, "/status/remote-to-ingress")[0] == 200


def test_a_path_has_a_status_of_its_own(running: Controller) -> None:
    running.misroute()
    assert status(running, "/status/firewall/ingress")[0] == 503
    assert status(running, "/status/lb/ingress")[0] == 200


def test_a_detour_warns_and_answers_200(running: Controller) -> None:
    running.judge("firewall", "ingress", "detour")
    code, document = status(running)
    assert (code, document["status"], document["pairs_warned"], document["pairs_failed"]) == (200, "warn", 1, 0)


AROUND_40 = pytest.approx(40.0, abs=0.4)
"""It gets older while it is asked for."""


def test_stale_fails_with_its_own_reason(running: Controller) -> None:
    running.judge("firewall", "ingress", age=40)
    code, document = status(running, "/status/firewall/ingress")
    assert (code, document["status"], document["reason"], document["age_seconds"]) == (503, "fail", "stale", AROUND_40)
    assert document["sentence"] == "firewall → ingress is stale: it was judged last 40 s ago."
    assert status(running)[1]["age_seconds"] == AROUND_40


def test_what_was_never_judged_fails(tmp_path: Path) -> None:
    with controller(tmp_path) as fresh:
        code, document = status(fresh, "/status/firewall/ingress")
    assert (code, document["reason"], document["age_seconds"]) == (503, "stale", None)


def test_unknown_fails_with_its_own_reason(running: Controller) -> None:
    running.judge("firewall", "ingress", "unknown")
    code, document = status(running)
    assert (code, document["reason"], document["pairs_unknown"], document["pairs_failed"]) == (503, "unknown", 1, 1)


@pytest.mark.parametrize("accept", [CHROME, UPTIME_KUMA, "*/*", "", "application/json"])
def test_json_is_answered_whatever_is_accepted_first(running: Controller, accept: str) -> None:
    answer = running.client.get("/status", headers={"accept": accept})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


def test_health_json_is_answered_where_accept_names_it(running: Controller) -> None:
    answer = running.client.get("/status", headers={"accept": "application/health+json, */*;q=0.1"})
    assert answer.headers["content-type"] == "application/health+json"
    assert answer.json()["status"] == "pass"


def test_head_has_the_headers_of_get_and_no_body(running: Controller) -> None:
    head, get = running.client.head("/status"), running.client.get("/status")
    assert head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]
    assert head.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("label", ["return-path-misroute", "detour", "unknown", "intermittent", "target"])
@pytest.mark.parametrize("path", ["/status", "/status/firewall-to-ingress", "/status/firewall/ingress"])
def test_without_a_token_no_address_is_told(public: Controller, path: str, label: str) -> None:
    public.judge("firewall", "ingress", label)
    body = public.client.get(path).text
    assert not ADDRESS.search(body), body
    assert "firewall → ingress" in json.loads(body)["sentence"]
    assert json.loads(body)["culprit"] is None


def test_a_viewers_token_brings_the_whole_sentence_and_a_monitors_does_not(public: Controller) -> None:
    public.misroute()
    tokens = {role: access.create(public.centre.store, role) for role in ("viewer", "monitor")}
    told = {
        role: status(public, "/status/firewall/ingress", Authorization=f"Bearer {token}")[1]
        for role, token in tokens.items()
    }
    assert "10.224.0.23" in str(told["viewer"]["sentence"])
    assert "10.224.0.23" in str(told["viewer"]["culprit"])
    assert not ADDRESS.search(json.dumps(told["monitor"]))


def test_where_nobody_may_come_without_a_token_monitors_need_one(tmp_path: Path) -> None:
    with controller(tmp_path, anonymous="none") as closed:
        for path in ("/status", "/status/firewall-to-ingress", "/status/nonsense", "/metrics", "/probe"):
            answer = closed.client.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
            assert "firewall" not in answer.text
        assert closed.client.get("/livez").status_code == 200


@pytest.mark.parametrize("name", ["nonsense", "firewall/nonsense", "ingress/firewall", "a/b/c", "%00", "%2e%2e%2fetc"])
def test_an_unknown_name_is_404_and_names_what_exists(public: Controller, name: str) -> None:
    answer = public.client.get(f"/status/{name}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "firewall-to-ingress" in answer.json()["detail"]
    assert answer.json()["objectives"][0] == "firewall-to-ingress"
    assert public.client.head(f"/status/{name}").status_code == 404


@pytest.mark.parametrize("path", ["/status", "/status/firewall-to-ingress", "/metrics", "/livez", "/readyz"])
def test_what_a_monitor_adds_for_itself_changes_nothing(running: Controller, path: str) -> None:
    assert running.client.get(f"{path}?_=1764394296&sorce=firewall").status_code == 200


def test_a_filter_of_probe_that_is_misspelt_lets_no_failure_pass(running: Controller) -> None:
    running.misroute()
    answer = running.client.get("/probe?target=ingress&sorce=node1&debug=true")
    assert (answer.status_code, "probe_success 0" in answer.text) == (200, True)


def test_a_red_matrix_never_fails_livez_and_readyz(running: Controller) -> None:
    running.judge_all("ingress-drop")
    assert running.client.get("/status").status_code == 503
    for path in ("/livez", "/readyz"):
        assert running.client.get(path).status_code == 200
        assert running.client.head(path).status_code == 200


def test_a_reload_changes_what_objectives_mean(tmp_path: Path) -> None:
    document = tmp_path / "targets.yaml"
    source = Path("targets.yaml").read_text()
    document.write_text(source)
    with controller(tmp_path, document) as running:
        running.judge_all()
        assert status(running, "/status/firewall-to-ingress")[0] == 200
        document.write_text(source.replace("name: firewall-to-ingress", "name: renamed"))
        assert running.client.post("/-/reload", headers=_admin(running)).status_code == 200
        assert status(running, "/status/firewall-to-ingress")[0] == 404
        assert status(running, "/status/renamed")[0] == 200
        document.write_text("nonsense: 1")
        assert running.client.post("/-/reload", headers=_admin(running)).status_code == 422
        assert "prober_config_last_reload_success 0.0" in running.client.get("/metrics").text


def _admin(running: Controller) -> dict[str, str]:
    return {"Authorization": f"Bearer {access.create(running.centre.store, 'admin')}"}


# -- /probe: blackbox_exporter's contract ------------------------------------------------------------------------


def probe(running: Controller, query: str, **headers: str) -> httpx.Response:
    return running.client.get(f"/probe?{query}", headers=headers)


def test_probe_succeeds_for_a_healthy_pair(running: Controller) -> None:
    answer = probe(running, "target=ingress&module=tcp_connect&source=firewall")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "probe_success 1.0" in answer.text
    assert "probe_duration_seconds 0.00031" in answer.text
    assert 'prober_verdict{cause="",label="healthy"} 1.0' in answer.text


def test_probe_answers_200_where_the_probe_fails(running: Controller) -> None:
    running.misroute()
    answer = probe(running, "target=ingress&module=prober&source=firewall")
    assert answer.status_code == 200
    assert "probe_success 0.0" in answer.text
    assert "probe_duration_seconds 1.0" in answer.text
    assert 'prober_verdict{cause="R1b",label="return-path-misroute"} 1.0' in answer.text


def test_probe_without_a_source_fails_when_any_agent_fails(running: Controller) -> None:
    assert "probe_success 1.0" in probe(running, "target=ingress").text
    running.misroute()
    assert "probe_success 0.0" in probe(running, "target=ingress").text


def test_probe_of_a_stale_pair_fails(running: Controller) -> None:
    running.judge("firewall", "ingress", age=40)
    answer = probe(running, "target=ingress&source=firewall")
    assert "probe_success 0.0" in answer.text
    assert "prober_probe_age_seconds 40" in answer.text


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("target=ingress&module=http_2xx", 'Unknown module "http_2xx"'),
        ("module=prober", "Target parameter is missing"),
        ("target=&module=prober", "Target parameter is missing"),
        ("target=10.4.76.34&module=prober", "No declared pair is 10.4.76.34"),
        ("target=ingress&source=nobody", "No declared pair is nobody → ingress"),
    ],
)
def test_probe_refuses_what_it_cannot_ask_with_400_in_plain_text(
    running: Controller, query: str, sentence: str
) -> None:
    answer = probe(running, query)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert answer.text.startswith(sentence)


@pytest.mark.parametrize(("timeout", "code"), [("10", 200), ("9.5", 200), ("soon", 500), ("nan", 500), ("-1", 500)])
def test_probe_reads_the_scrape_timeout_header(running: Controller, timeout: str, code: int) -> None:
    headers = {"X-Prometheus-Scrape-Timeout-Seconds": timeout}
    assert running.client.get("/probe?target=ingress", headers=headers).status_code == code


# -- Prometheus itself --------------------------------------------------------------------------------------------


@pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed: apt install prometheus")
def test_a_real_prometheus_scrapes_it(running: Controller, tmp_path: Path) -> None:
    running.misroute(age=-60.0)  # fresh for longer than Prometheus takes to start
    where = running.url.removeprefix("http://")
    config = tmp_path / "prometheus.yml"
    config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": [
        {"job_name": "prober", "static_configs": [{"targets": [where]}]},
        {"job_name": "probe", "metrics_path": "/probe", "params": {"module": ["tcp_connect"], "source": ["firewall"],
         "target": ["ingress"]}, "static_configs": [{"targets": [where]}]},
    ]}))  # fmt: skip
    with httpx.Client(trust_env=False) as client, _prometheus(config, tmp_path) as url:
        state = _asked(client, url, 'prober_cell_state{source="firewall",target="ingress"}')
        assert state == {"label": "return-path-misroute"}
        assert _asked(client, url, 'up{job="prober"} == 1') is not None
        assert _asked(client, url, "probe_success == 0") is not None
        assert _asked(client, url, 'prober_agent_age_seconds{agent="node1"} == Inf') is not None


class _prometheus:  # noqa: N801  # a context manager, named as what it runs
    """Debian's Prometheus over this configuration, on a free port, with its data in `folder`."""

    def __init__(self, config: Path, folder: Path) -> None:
        self.port = _free_port()
        listen = f"--web.listen-address=127.0.0.1:{self.port}"
        words = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}", listen]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def __enter__(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(20)


def _free_port() -> int:
    import socket

    with socket.create_server((str(ipaddress.ip_address("127.0.0.1")), 0)) as bound:
        return int(bound.getsockname()[1])


def _asked(client: httpx.Client, url: str, query: str) -> dict[str, str] | None:
    """The labels (but source, target, instance, job) of the query's one series, once there is one."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            found = client.get(f"{url}/api/v1/query", params={"query": query}).json()["data"]["result"]
        except (httpx.HTTPError, KeyError, ValueError):
            found = []
        if found:
            hidden = ("source", "target", "instance", "job", "__name__")
            return {key: value for key, value in found[0]["metric"].items() if key not in hidden}
        time.sleep(0.2)
    return None
