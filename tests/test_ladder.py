"""The ladder: columns, and steps in the handshake's order whatever the clocks say."""

from __future__ import annotations

import json

from prober import ladder
from prober.classify import classify
from prober.handshake import State
from tests.stories import AND_BACK, HOST, INCIDENT, LB, NODE1, WRONG, story


def shown(o):
    return [(step["packet"], step["column"], step["to"], step["place"], step["state"]) for step in ladder.steps(o)]


def test_a_healthy_handshake_goes_there_and_back():
    assert shown(story(AND_BACK, State.ANSWERED)) == [
        ("SYN", "firewall", "node1", "A's NIC out", "seen"),
        ("SYN", "node1", None, "B's NIC in", "seen"),
        ("SYN", "node1", None, "B's pod in", "seen"),
        ("SYN-ACK", "node1", None, "B's pod out", "seen"),
        ("SYN-ACK", "node1", "firewall", "B's NIC out", "seen"),
        ("SYN-ACK", "firewall", None, "A's NIC in", "seen"),
    ]


def test_the_incident_ends_at_the_witness():
    steps = shown(story(INCIDENT, routes=(WRONG,)))
    assert steps[-3:] == [
        ("SYN-ACK", "node1", "node19", "B's NIC out", "seen"),
        ("SYN-ACK", "node19", None, "node19's NIC in", "seen"),
        ("SYN-ACK", "firewall", None, "A's NIC in", "not seen"),
    ]


def test_columns_are_the_ends_first_then_whoever_saw_it():
    o = story(INCIDENT + "lb << SYN", dst=LB, through=("lb",))
    roles = [(column["id"], column["role"]) for column in ladder.columns(o)]
    assert roles == [("firewall", "prober"), ("lb", "backend"), ("node1", "responder"), ("node19", "witness")]


def test_a_target_that_nobody_watches_has_its_column_all_the_same():
    o = story("firewall >> SYN", responders=())
    assert {step["column"] for step in ladder.steps(o)} <= {column["id"] for column in ladder.columns(o)}
    assert ("SYN", "ingress", None, "B's NIC in", "not watched") in shown(o)


def test_a_place_nobody_saw_is_drawn_where_it_belongs():
    assert [step[3:] for step in shown(story(HOST, dst=NODE1))] == [
        ("A's NIC out", "seen"), ("B's NIC in", "seen"), ("B's stack took it", "not seen"), ("B's NIC out", "not seen"),
        ("A's NIC in", "not seen"),
    ]  # fmt: skip


def test_no_step_is_shown_before_its_cause_though_a_clock_is_wrong():
    text = AND_BACK.replace("node1 << SYN\n", "node1 << SYN after -4\n")
    times = [step["at_ms"] for step in ladder.steps(story(text, State.ANSWERED))]
    assert times == sorted(times)


def test_the_closing_rst_comes_last():
    assert shown(story("firewall >> own RST\n" + AND_BACK, State.ANSWERED))[-1][0] == "RST"


def test_the_evidence_holds_each_frame_and_each_blank_place():
    o = story(INCIDENT)
    rows = ladder.evidence(o)
    assert [row["packets"][0]["hex"] for row in rows[:6]] == [one.frame.hex() for one in o.seen]
    assert ("A's NIC in", "not seen") in [(row["place"], row["state"]) for row in rows]


def test_a_verdict_as_the_api_shows_it():
    told = ladder.verdict_document(classify(story(INCIDENT, routes=(WRONG,))))
    assert (told["label"], told["cause"], told["confidence"]) == ("return-path-misroute", "R1b", "proven")
    assert told["cause_title"] == "another node's pod block covers the prober's address"
    assert json.dumps(told)


def test_the_probers_own_node_stands_beside_it_and_its_silence_is_shown():
    names = {"10.5.12.20": "caller", NODE1: "node1"}
    o = story("caller >> SYN\nnode2/pod >> SYN", source="caller", src="10.5.12.20", names=names, home="node2")
    assert [column["id"] for column in ladder.columns(o)] == ["caller", "node2", "node1"]
    assert ("SYN", "node2", None, "A's node out", "not seen") in shown(o)


def test_what_an_agent_inside_the_pod_did_not_see_stands_in_its_column():
    o = story(HOST + "\nnode1/pod << SYN\napp/pod << SYN", responders=("node1", "app"), inner="app")
    assert ("SYN", "app", None, "B's stack took it", "not seen") in shown(o)
    assert ("SYN-ACK", "app", None, "B's pod out", "not seen") in shown(o)


def test_what_is_sent_again_is_caught_again_and_neither_is_drawn_under_the_other():
    again = "\n".join(f"{line} after 1013" for line in INCIDENT.strip().splitlines() if "SYN-ACK" in line)
    rows = ladder.steps(story(f"{INCIDENT}\n{again}\n", routes=(WRONG,)))
    answers = [(row["place"], (row["at_ms"] or 0.0) > 1000.0) for row in rows if row["packet"] == "SYN-ACK"]
    once = ["B's pod out", "B's NIC out", "node19's NIC in"]
    assert answers == [*((place, False) for place in once), *((place, True) for place in once), ("A's NIC in", False)]
