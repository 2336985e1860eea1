"""An incident in one sentence: its culprit, what it breaks, what to do."""

from __future__ import annotations

from typing import Any

from prober.surfaces.incidents import lines, summary
from tests.surfaces import documents

ZONES = {"firewall": "firewall", "node1": "nodes", "node2": "nodes", "ingress": "pods", "pod2": "pods"}


def failing(**given: Any) -> list[Any]:
    cells = [one for one in documents.incident()["cells"] if one["label"] != "healthy"]
    return [{**one, "next_step": f"look at {one['target']}", **given} for one in cells]


def test_the_incident_names_its_culprit_and_what_to_do() -> None:
    said = summary(failing(), ZONES)
    assert (said.label, said.cause, said.confidence) == ("return-path-misroute", "R1b", "proven")
    assert (said.element, said.kind, said.route) == ("node19", "node", "10.19.0.0/16 via 10.224.0.23")
    assert said.sentence.startswith("node19, where node1 and node2 route 10.19.0.0/16 via 10.224.0.23 (proven): ")
    assert said.sentence.endswith("ingress drop on node1, node2 → firewall.")
    assert said.next_step.startswith("look at ")
    assert said.zones == ["firewall", "nodes", "pods"]


def test_cells_that_name_no_culprit_are_counted_beside_it() -> None:
    more = documents.cell("lb", "vm", "return-path-loss") | {"next_step": ""}
    assert "; beside it 1 other path, without" in summary([*failing(), more], ZONES).sentence
    assert "; beside it 2 other paths, without" in summary([*failing(), more, more | {"target": "pod2"}], {}).sentence


def test_the_surest_cell_speaks_for_the_others() -> None:
    cells = failing(confidence="likely")
    cells[1] |= {"confidence": "proven", "culprit": cells[0]["culprit"], "next_step": "the surest"}
    said = summary(cells, ZONES)
    assert (said.confidence, said.next_step) == ("proven", "the surest")


def test_one_cell_without_a_culprit_is_an_incident_too() -> None:
    said = summary([documents.cell("lb", "vm", "target", confidence=None) | {"next_step": ""}], {})
    assert (said.culprit, said.kind, said.zones) == (None, "pair", [])
    assert said.sentence == "lb → vm: target."


def test_open_ones_are_a_line_each_and_many_are_counted() -> None:
    one, _ = documents.incidents(True)
    assert lines([one]) == ["Incident 19ff, open since 2026-11-23 03:10 UTC: node19, return-path misroute on 6 paths"]
    part = one | {"cells_failing": 2, "element": "x\u202e"}
    assert lines([part])[0].endswith("x\ufffd, return-path misroute on 2 of 6 paths")
    assert lines([one] * 8)[-1] == "and 3 more open incidents"
    assert lines([]) == []
