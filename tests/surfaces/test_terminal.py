"""The terminal's renderings, printed by a real rich console into a stream of the encoding asked for."""

from __future__ import annotations

import pytest
from rich.console import RenderableType

from prober.surfaces import terminal
from prober.surfaces.glyphs import LOOKS
from tests.surfaces import documents
from tests.surfaces.printing import printed


def every_drawing() -> dict[str, RenderableType]:
    """One of each."""
    incident = documents.incident()
    return {
        "healthy": terminal.matrix(documents.healthy()),
        "incident": terminal.matrix(incident),
        "labels": terminal.matrix(documents.every_label()),
        "wide": terminal.matrix(documents.grid(5, 40)),
        "ladder": terminal.ladder(documents.path(incident, "firewall", "ingress")),
        "dropped": terminal.ladder(documents.path(incident, "node1", "firewall")),
        "slo": terminal.slo(documents.slos(True)),
        "flips": terminal.flips(documents.flips(True)),
    }


def test_the_incident_reads_as_a_heatmap_with_one_finding() -> None:
    text = printed(terminal.matrix(documents.incident()))
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line[:1].isalpha()}
    assert rows["firewall"] == ["•", "↰", "↰", "•", "•", "•", "↰", "↰", "•"]
    assert rows["node1"] == ["→", "•", "•", "•", "•", "•", "•", "•", "•"]
    assert rows["private"] == ["•", "•"]
    assert " ↰  return-path misroute 4" in text and " •  healthy 59" in text
    flat = " ".join(text.split())
    assert "6 of 65 paths fail: return-path misroute, firewall → node1, node2, ingress, pod2 and 2 other paths" in flat
    assert flat.count("node19, where node1 and node2 route 10.19.0.0/16 via 10.224.0.23 (proven)") == 1


def test_the_legend_names_only_what_is_there() -> None:
    text = printed(terminal.matrix(documents.healthy()))
    assert "✓ All 65 paths are healthy  03:12:07 UTC · oldest cell 0.8 s" in text
    assert not any(look.word in text for look in LOOKS if look.label != "healthy")


def test_names_that_fit_stand_above_their_columns() -> None:
    text = printed(terminal.matrix(documents.healthy()), width=120)
    header = next(line for line in text.splitlines() if "ingress-via-lb" in line)
    assert header.split() == documents.TARGETS


def test_a_wide_matrix_is_drawn_in_blocks() -> None:
    text = printed(terminal.matrix(documents.grid(5, 40)))
    assert sum(line.startswith("node-pool-a-03 ") for line in text.splitlines()) == 3
    assert all(f"svc-{at:02d}.prod" in text for at in range(40))


def test_objectives_never_round_a_miss_up() -> None:
    assert terminal.percent(0.999999) == "99.999 %"
    assert [terminal.percent(share) for share in (1.0, 0.999, 0.5, 0.0)] == ["100 %", "99.9 %", "50 %", "0 %"]
    text = printed(terminal.slo(documents.slos(True)))
    missed = next(line for line in text.splitlines() if "firewall-to-ingress" in line)
    assert missed.split() == [
        "✗",
        "firewall-to-ingress",
        "99.9",
        "%",
        "99.62",
        "%",
        "░" * 10,
        "overspent",
        "2.8×",
        "21.4×",
    ]


def test_an_objective_without_measurements_is_not_met() -> None:
    one = {"name": "new", "availability": 0.99, "attainment": None, "budget_left": None, "burn": {}}
    text = printed(terminal.slo({"slos": [one]}))
    assert "not measured" in text and "✓" not in text


def test_flips_tell_from_what_to_what() -> None:
    lines = printed(terminal.flips(documents.flips(True)), width=120).splitlines()
    assert lines[0].split()[:8] == ["03:12:05", "•", "→", "↰", "firewall", "→", "ingress", "return-path"]
    assert printed(terminal.flips({"flips": []})) == "Nothing has changed\n"


@pytest.mark.parametrize("name", list(every_drawing()))
@pytest.mark.parametrize("width", [60, 80, 200])
def test_nothing_is_wider_than_the_console(name: str, width: int) -> None:
    assert max(map(len, printed(every_drawing()[name], width).splitlines())) <= width


@pytest.mark.parametrize("name", list(every_drawing()))
def test_an_ascii_console_gets_ascii(name: str) -> None:
    assert printed(every_drawing()[name], encoding="ascii").isascii()


def test_ascii_keeps_the_labels_apart() -> None:
    text = printed(terminal.matrix(documents.every_label()), encoding="ascii")
    assert all(f" {look.ascii}  {look.word} " in text for look in LOOKS)
    assert len({look.ascii for look in LOOKS}) == len({look.glyph for look in LOOKS}) == len(LOOKS)


def test_without_colour_there_is_no_escape() -> None:
    assert "\x1b" not in printed(terminal.matrix(documents.incident()))
    assert "\x1b[1;38;2;255;255;255;48;2;213;94;0m ↰ \x1b[0m" in printed(
        terminal.matrix(documents.incident()), colour=True
    )


@pytest.mark.parametrize("evil", ["\x1b[2J\x1b]0;owned\x07", "\u202egnirts", "[red]markup[/red]", "名前" * 30])
def test_names_can_not_touch_the_terminal(evil: str) -> None:
    one = documents.cell(evil, "lb", "target", culprit=evil, sentence=evil)
    document = {"at": documents.AT, "sources": [evil], "targets": ["lb"], "cells": [one]}
    path = documents.path(documents.healthy(), "firewall", "ingress")
    path["verdict"] |= {"sentence": evil, "missing": [evil], "next_step": evil}
    for drawing in (terminal.matrix(document), terminal.ladder(path | {"cell": one})):
        text = printed(drawing)
        assert "\x1b" not in text and "\u202e" not in text and "\x07" not in text
        assert "red" not in evil or "[red]markup[/red]" in text
