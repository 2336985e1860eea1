"""The ladder of ``prober why``: columns, arrows, and where it died."""

from __future__ import annotations

from prober.surfaces import terminal, terminal_ladder
from tests.surfaces import documents
from tests.surfaces.printing import printed


def test_the_ladder_shows_where_the_reply_went() -> None:
    lines = printed(terminal.ladder(documents.path(documents.incident(), "firewall", "ingress"))).splitlines()
    heads = next(line for line in lines if line.split() == ["firewall", "node1", "node19"])
    prober, responder, witness = (heads.index(name) for name in ("firewall", "node1", "node19"))
    astray = next(line for line in lines if "─ SYN-ACK ─" in line)
    assert (astray[responder], astray[witness - 1 : witness + 1]) == ("├", "▶│")
    assert next(line for line in lines if "✗ NIC in · not seen" in line).index("✗") == prober
    assert next(line for line in lines if "◌ NIC out · unwatched" in line).index("◌") == prober
    assert next(line for line in lines if "● caught here · eth0" in line).index("●") == witness
    assert lines[0] == "firewall → ingress   ↰ return-path misroute  · proven"


def test_the_ladder_says_what_to_do() -> None:
    text = printed(terminal.ladder(documents.path(documents.incident(), "firewall", "ingress")))
    flat = " ".join(text.split())
    assert documents.SENTENCE in flat
    assert "culprit node19: node1 routes 10.19.0.0/16 via 10.224.0.23 (node19)" in flat
    assert "cause R1b · another node's pod block covers the prober's address" in flat
    assert "missing firewall's own stack was not watched" in flat
    assert "next Take node19 out (kubectl delete node node19)" in flat
    assert "history 03:12:05 UTC return-path misroute · proven" in flat


def test_an_arrow_that_nobody_saw_arrive_ends_in_a_cross() -> None:
    path = documents.path(documents.healthy(), "firewall", "ingress")
    steps = path["ladder"]["steps"][:3]
    steps[2] = steps[2] | {"state": "not seen", "at_ms": None, "interface": None}
    text = printed(terminal.ladder(path | {"ladder": path["ladder"] | {"steps": steps}}))
    assert "─✗│" in text and "▶" not in text


def test_the_ladder_says_what_was_tried() -> None:
    tried = [
        {"name": "many flows", "state": "finished", "result": "72 handshakes from 24 source ports: all failed"},
        {"name": "sweep of the way back", "state": "running", "result": ""},
    ]
    path = documents.path(documents.incident(), "firewall", "ingress") | {"experiments": tried}
    flat = " ".join(printed(terminal.ladder(path)).split())
    assert "tried many flows: 72 handshakes from 24 source ports: all failed sweep of the way back: under way" in flat


def test_a_path_without_evidence_still_says_its_sentence() -> None:
    path = documents.path(documents.healthy(), "firewall", "ingress")
    path |= {"ladder": {"columns": [], "steps": []}, "evidence": [], "history": []}
    assert "firewall → ingress: healthy." in printed(terminal.ladder(path))


def test_a_place_is_said_as_its_own_column_says_it() -> None:
    places = ("A sent", "A's NIC out", "B's pod in", "B's node NIC in")
    assert [terminal_ladder.where(one, "responder") for one in places] == ["sent", "NIC out", "pod in", "NIC in"]
    assert terminal_ladder.where("node19's NIC in", "witness") == "caught here"
    assert terminal_ladder.where("node19's NIC out", "witness") == "NIC out"


def test_an_arrow_over_an_unwatched_end_is_dotted() -> None:
    path = documents.path(documents.healthy(), "firewall", "ingress")
    steps = path["ladder"]["steps"][:3]
    steps[2] = steps[2] | {"state": "not watched", "at_ms": None, "interface": None}
    text = printed(terminal.ladder(path | {"ladder": path["ladder"] | {"steps": steps}}))
    assert "┄ SYN ┄" in text
    assert "◌ NIC in · unwatched" in text


def test_an_arrow_of_which_nothing_more_is_known_claims_no_arrival() -> None:
    path = documents.path(documents.healthy(), "firewall", "ingress")
    steps = path["ladder"]["steps"][:2]
    text = printed(terminal.ladder(path | {"ladder": path["ladder"] | {"steps": steps}}))
    assert "┄ SYN ┄" in text


def test_five_columns_still_fit_into_eighty_cells() -> None:
    path = documents.path(documents.incident(), "firewall", "ingress")
    path["ladder"]["columns"] += [{"id": "node2", "role": "witness"}, {"id": "a-rather-long-name", "role": "backend"}]
    lines = printed(terminal.ladder(path)).splitlines()
    assert max(map(len, lines)) <= 80
    assert any("a-rather-l…" in line for line in lines)
