"""What is shipped for Prometheus and Grafana: every rule has its case, every query an answer from a real Prometheus."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from ruamel.yaml import YAML

from prober.report import Held
from prober.slo import THRESHOLDS
from prober.surfaces import metrics
from tests.controller.centres import Controller, controller
from tests.receiving import free_port, process, server, until

DEPLOY = Path(__file__).parent.parent / "deploy"
RULES, CASES = DEPLOY / "prometheus/rules.yml", DEPLOY / "prometheus/rules_test.yml"
DASHBOARD = json.loads((DEPLOY / "grafana/prober.json").read_text(encoding="utf-8"))

needs_prometheus = pytest.mark.skipif(
    not shutil.which("prometheus") or not shutil.which("promtool"),
    reason="Prometheus is not installed: apt-get install prometheus",
)


def queries() -> dict[str, str]:
    """Every query of the dashboard, by its panel's title."""
    return {
        f"{panel['title']}, {target['refId']}": target["expr"]
        for panel in DASHBOARD["panels"]
        for target in panel.get("targets", [])
    }


def rules() -> list[dict[str, Any]]:
    groups = YAML(typ="safe", pure=True).load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def promtool(*words: str | Path) -> None:
    done = subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_prometheus
def test_promtool_takes_the_rules_and_each_does_what_its_case_says() -> None:
    promtool("check", "rules", "--lint-fatal", RULES)
    promtool("test", "rules", CASES)


def test_every_rule_has_a_case_and_words_for_the_night() -> None:
    cases = CASES.read_text()
    for rule in rules():
        assert f'alertname="{rule["alert"]}"' in cases, f"{rule['alert']} has no case in {CASES.name}"
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["labels"]["severity"] in ("critical", "error", "warning")


def test_the_rules_burn_at_the_thresholds_of_the_code() -> None:
    found = [re.findall(r'window="(\w+)"}\) >= ([\d.]+)', rule["expr"]) for rule in rules()]
    told = [(float(pair[0][1]), pair[0][0], pair[1][0]) for pair in found if pair]
    assert tuple(told) == THRESHOLDS


def known() -> set[str]:
    """The names of all families that a controller ever shows."""
    sources = Path(metrics.__file__).read_text()
    counted = {f"{name}_total" for name in re.findall(r'_counter\(\s*"(prober_\w+)"', sources)}
    return counted | set(re.findall(r'_gauge\(\s*"(prober_\w+)"', sources)) | {"prober_build_info"}


@pytest.mark.parametrize("query", [*queries().values(), *(rule["expr"] for rule in rules())])
def test_every_name_is_one_that_a_controller_shows(query: str) -> None:
    assert set(re.findall(r"\bprober_\w+", query)) <= known()


def test_panels_have_places_and_numbers_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        here = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not here & taken
        assert place["x"] + place["w"] <= 24
        taken |= here


class Prometheus:
    """The real one."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, query: str) -> list[Any]:
        """The samples now. Fails where Prometheus finds anything wrong with the query."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": query}, trust_env=False)
        assert answer.is_success, f"{query}: {answer.text}"
        found: list[Any] = answer.json()["data"]["result"]
        return found

    def rules(self) -> dict[str, str]:
        """What became of the last evaluation of each rule: ``ok`` or what went wrong."""
        groups = httpx.get(f"{self.url}/api/v1/rules", trust_env=False).json()["data"]["groups"]
        return {rule["name"]: rule.get("lastError") or rule["health"] for group in groups for rule in group["rules"]}


def troubled(one: Controller) -> None:
    """A controller that has something to tell in every family."""
    centre, at = one.centre, int(one.centre.wall())
    one.judge_all(age=-600)  # nobody asks again: these must not grow stale while Prometheus is looked at
    one.misroute(age=-600)
    one.flip("firewall", "ingress", "return-path-misroute")
    for name in centre.desk.tally.ledger.objectives:
        centre.desk.tally.ledger.count(name, at, 9, 10)
    centre.fleet.held["node1"] = Held(7, 4096, memory=True)
    centre.fleet.let_go["node2"] = 3
    centre.fleet.detours.via["lb"] = "node1"
    centre.fleet.detours.relayed["lb"] = 4
    centre.fleet.detours.forged["node1"] = 1


@pytest.fixture(scope="module", params=["each pair", "pairs of zones"])
def prometheus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A real Prometheus that scrapes a real controller, of a small fleet and of one that is shown by zones."""
    folder = tmp_path_factory.mktemp("prometheus")
    defaults = metrics.render.__defaults__
    if request.param == "pairs of zones":
        metrics.render.__defaults__ = ("", 0)
    try:
        with server() as hook, controller(folder, webhook=hook.url) as one:
            troubled(one)
            hook.wait(1)
            config = folder / "prometheus.yml"
            scrape = {"job_name": "prober", "static_configs": [{"targets": [one.url.removeprefix("http://")]}]}
            every = {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "1s"}
            config.write_text(json.dumps({"global": every, "scrape_configs": [scrape], "rule_files": [str(RULES)]}))
            port = free_port()
            words = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
                     f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip
            with process(words, f"http://127.0.0.1:{port}/-/ready", folder / "prometheus.log") as url:
                found = Prometheus(url)
                until(lambda: found.ask("count_over_time(prober_build_info[1m]) > 4"), 30, "nothing was scraped")
                until(lambda: set(found.rules().values()) != {"unknown"}, 30, "no rule was evaluated")
                yield found
    finally:
        metrics.render.__defaults__ = defaults


PER_PAIR_ONLY = {"Slowest pairs, A": "the median of many medians says nothing"}


@needs_prometheus
@pytest.mark.parametrize("panel", queries())
def test_every_query_of_the_dashboard_is_answered(prometheus: Prometheus, panel: str) -> None:
    query = queries()[panel].replace("$__rate_interval", "10s").replace("$objective", ".*")
    assert "$" not in query, "a variable that this test does not know"
    by_zones = prometheus.ask("prober_series_per_pair")[0]["value"][1] == "0"
    found = prometheus.ask(query)
    assert bool(found) is not (by_zones and panel in PER_PAIR_ONLY), f"{panel}: {query}"


@needs_prometheus
def test_variables_have_values(prometheus: Prometheus) -> None:
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            name, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()  # type: ignore[union-attr]
            assert all(sample["metric"][label] for sample in prometheus.ask(name))
            assert prometheus.ask(name)


@needs_prometheus
def test_every_rule_is_evaluated_without_an_error(prometheus: Prometheus) -> None:
    assert set(prometheus.rules().values()) == {"ok"}


@needs_prometheus
def test_what_fails_and_what_burns_is_pending_or_firing(prometheus: Prometheus) -> None:
    def told() -> set[str]:
        return {sample["metric"]["alertname"] for sample in prometheus.ask("ALERTS")}

    until(lambda: {"ProberPairsFail", "ProberBudgetBurns", "ProberAgentSilent"} <= told(), 20)
    assert "ProberAbsent" not in told()
