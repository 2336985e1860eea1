"""The exposition: accepted by promtool, read back by Prometheus' own parsers, per zone where pairs are too many."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as families

from prober.matrix import Cell, Matrix
from prober.report import Held
from prober.slo import Attainment
from prober.surfaces import metrics
from prober.surfaces.metrics import Reading, Told
from prober.verdict import Cause, Confidence, Label, Verdict

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def cell(source: str, target: str, label: str = "healthy", at: float = 99.0) -> Cell:
    made = Cell(source, target, 1.0)
    cause = Cause.R1B if label == "return-path-misroute" else None
    made.take(1, at, Verdict(Label(label), Confidence.PROVEN, "said", cause), 0.5 if label == "healthy" else None)
    return made


def matrix(*cells: Cell) -> Matrix:
    made = Matrix((one.source, one.target, one.every) for one in cells)
    for one in cells:
        made.cells[one.source, one.target].carry(one)
    return made


def reading() -> Reading:
    cells = (cell("a", "x"), cell("a", "y", "return-path-misroute"), cell("b", "x", at=40.0), Cell("b", "y", 1.0))
    standings = (Attainment("o", 99, 100, 0.99, -9.0, {"5m": 10.0, "1h": 2.0}, 3600.0),
                 Attainment("idle", 0, 0, None, None, {}, 3600.0))  # fmt: skip
    return Reading(
        matrix(*cells), 100.0, standings, {"o": 0.999, "idle": 0.9}, {"a": 0.25, "b": None}, {"healthy": 7},
        {"a": "left", "b": "left", "x": "right", "y": "right"}, "1.2.3", True, 1790000000.0,
    )  # fmt: skip


def samples(text: bytes) -> Samples:
    return {(s.name, frozenset(s.labels.items())): s.value for f in families(text.decode()) for s in f.samples}


def value(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((name, frozenset(labels.items())))


def test_each_pair_has_its_state_age_and_counts() -> None:
    found = samples(metrics.render(reading())[0])
    assert value(found, "prober_cell_state", source="a", target="y", label="return-path-misroute") == 1
    assert value(found, "prober_cell_state", source="b", target="x", label="unknown") == 1
    assert value(found, "prober_cell_age_seconds", source="a", target="x") == 1.0
    assert value(found, "prober_cell_age_seconds", source="b", target="y") == float("inf")
    assert value(found, "prober_rtt_seconds", source="a", target="x") == 0.0005
    assert value(found, "prober_rtt_seconds", source="a", target="y") is None
    assert value(found, "prober_handshakes_total", source="a", target="y", outcome="failed") == 1
    assert value(found, "prober_handshakes_total", source="a", target="y", outcome="answered") == 0


def test_outboxes_are_told() -> None:
    held = {"a": Held(7, 4096, True)}
    told = dataclasses.replace(reading(), held=held, let_go={"a": 3}, doubled={"a": False, "b": True})
    found = samples(metrics.render(told)[0])
    assert value(found, "prober_agent_outbox_reports", agent="a") == 7
    assert value(found, "prober_agent_outbox_bytes", agent="a") == 4096
    assert value(found, "prober_agent_outbox_in_memory", agent="a") == 1
    assert value(found, "prober_agent_reports_let_go_total", agent="a") == 3
    assert [value(found, "prober_agent_doubled", agent=one) for one in "ab"] == [0, 1]


def test_who_reports_through_whom_and_what_was_forged_is_told() -> None:
    found = samples(
        metrics.render(dataclasses.replace(reading(), via={"a": "b"}, relayed={"a": 9}, forged={"b": 2}))[0]
    )
    assert value(found, "prober_agent_detour", agent="a", via="b") == 1
    assert value(found, "prober_agent_reports_relayed_total", agent="a") == 9
    assert value(found, "prober_relay_forged_total", via="b") == 2


def test_objectives_agents_verdicts_and_the_process_are_told() -> None:
    found = samples(metrics.render(reading())[0])
    assert value(found, "prober_objective_attainment_ratio", objective="o") == 0.99
    assert value(found, "prober_objective_attainment_ratio", objective="idle") is None
    assert value(found, "prober_objective_budget_left_ratio", objective="o") == -9.0
    assert value(found, "prober_objective_burn_rate", objective="o", window="5m") == 10.0
    assert value(found, "prober_objective_target_ratio", objective="idle") == 0.9
    assert value(found, "prober_agent_age_seconds", agent="a") == 0.25
    assert value(found, "prober_agent_age_seconds", agent="b") == float("inf")
    assert value(found, "prober_verdicts_total", label="healthy") == 7
    assert value(found, "prober_verdicts_total", label="target") == 0
    assert value(found, "prober_config_last_reload_success") == 1
    assert value(found, "prober_build_info", version="1.2.3") == 1


def test_beyond_the_limit_zone_pairs_take_over_and_no_failure_is_averaged_away() -> None:
    found = samples(metrics.render(reading(), per_pair=3)[0])
    assert not [name for name, labels in found if "source" in dict(labels)]
    assert value(found, "prober_series_per_pair") == 0
    zones = {"source_zone": "left", "target_zone": "right"}
    assert value(found, "prober_zone_cells", **zones, label="return-path-misroute") == 1
    assert value(found, "prober_zone_cells", **zones, label="unknown") == 2
    assert value(found, "prober_zone_age_seconds", **zones) == float("inf")
    assert value(found, "prober_zone_handshakes_total", **zones, outcome="failed") == 1


def test_openmetrics_is_answered_where_it_is_asked_for() -> None:
    body, content_type = metrics.render(reading(), "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert content_type.startswith("application/openmetrics-text")
    names = {family.name for family in open_metrics(body.decode())}  # type: ignore[no-untyped-call]  # no hints there
    assert names >= {"prober_cell_state", "prober_verdicts"}


@pytest.mark.parametrize("accept", ["", "*/*", "text/plain;version=nonsense", "\x00", "application/json", ";;,,=="])
def test_any_other_accept_is_answered_in_the_text_format(accept: str) -> None:
    assert metrics.render(reading(), accept)[1] == "text/plain; version=0.0.4; charset=utf-8"


def test_names_with_quotes_backslashes_and_line_ends_are_read_back_as_they_were() -> None:
    odd = 'a"b\\c\nd'
    found = samples(metrics.render(Reading(matrix(cell(odd, "x")), 100.0))[0])
    assert value(found, "prober_cell_age_seconds", source=odd, target="x") == 1.0


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed: apt install prometheus")
@pytest.mark.parametrize("per_pair", [2500, 0])
def test_promtool_finds_nothing_to_complain_of(per_pair: int) -> None:
    for body in (
        metrics.render(reading(), per_pair=per_pair)[0],
        metrics.probe(reading().matrix.cells.values(), 100.0, 1.0),
    ):
        checked = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)
        assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_probe_counts_the_pairs_of_each_verdict() -> None:
    found = samples(metrics.probe([cell("a", "x"), cell("b", "x"), cell("c", "x", "target")], 100.0, 2.0))
    assert value(found, "probe_success") == 0
    assert value(found, "probe_duration_seconds") == 2.0
    assert value(found, "prober_verdict", label="healthy", cause="") == 2


def test_incidents_receivers_of_alerts_and_how_the_controller_fares_are_told() -> None:
    hook = Told("webhook", "webhook http://h", delivered=5, failed=2, dropped=1, waiting=3, stuck=True)
    given = dataclasses.replace(reading(), incidents=2, told=(hook,), judged=0.1, unwritten=4, holds=False)
    found = samples(metrics.render(given)[0])
    who = {"receiver": "webhook http://h", "kind": "webhook"}
    assert value(found, "prober_incidents_open") == 2
    outcomes = ("delivered", "failed", "dropped")
    assert [value(found, "prober_alert_deliveries_total", **who, outcome=one) for one in outcomes] == [5, 2, 1]
    assert value(found, "prober_alerts_waiting", **who) == 3
    assert value(found, "prober_alert_receiver_stuck", **who) == 1
    assert value(found, "prober_judge_age_seconds") == 0.1
    assert value(found, "prober_store_writes_waiting") == 4
    assert value(found, "prober_controller_holds_lease") == 0
