"""What the cells beside a failing one say."""

from __future__ import annotations

from prober import beside
from prober.verdict import Label

GOOD, BAD, UNKNOWN = Label.HEALTHY, Label.RETURN_PATH_MISROUTE, Label.UNKNOWN
KEY = ("firewall", "ingress")


def test_the_other_way_round_other_sources_and_other_targets() -> None:
    labels = {
        KEY: BAD, ("node1", "firewall"): Label.INGRESS_DROP, ("lb", "ingress"): GOOD, ("vm", "ingress"): GOOD,
        ("remote", "ingress"): UNKNOWN, ("firewall", "vm"): GOOD, ("firewall", "pod2"): BAD, ("lb", "vm"): BAD,
    }  # fmt: skip
    assert beside.lines(KEY, labels, ["node1"]) == {
        "the other way round": "node1 → firewall is ingress-drop",
        "other sources": "2 of 3 to ingress pass; 1 unknown",
        "other targets": "1 of 2 from firewall pass; failing: pod2 (return-path-misroute)",
    }


def test_a_syn_that_passes_where_the_syn_ack_does_not_is_told() -> None:
    labels = {KEY: BAD, ("node1", "firewall"): GOOD}
    told = beside.shapes(KEY, labels, ["node1"], lost_copies=True)["SYN against SYN-ACK"]
    assert told.startswith("node1's own SYN reaches firewall and its SYN-ACK does not")
    assert beside.shapes(KEY, labels, ["node1"], lost_copies=False) == {}
    assert beside.shapes(KEY, {KEY: BAD, ("node1", "firewall"): BAD}, ["node1"], lost_copies=True) == {}
    assert beside.shapes(KEY, {KEY: BAD}, ["node1"], lost_copies=True) == {}


def test_many_that_fail_are_counted() -> None:
    labels = {(f"s{n}", "ingress"): BAD for n in range(5)}
    told = beside.lines(KEY, labels, [])["other sources"]
    assert told == (
        "0 of 5 to ingress pass; failing: s0 (return-path-misroute), s1 (return-path-misroute),"
        " s2 (return-path-misroute) and 2 more"
    )


def test_of_what_nobody_probes_nothing_is_said_and_the_call_back_is_made_once() -> None:
    assert beside.lines(KEY, {KEY: BAD}, ["node1"]) == {}
    assert beside.one_offs(KEY, {KEY: BAD}, ["node1"]) == [("node1", "firewall")]
    assert beside.one_offs(KEY, {("node1", "firewall"): GOOD}, ["node1"]) == []
    assert beside.one_offs(KEY, {}, ["firewall"]) == []
