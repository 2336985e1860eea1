"""A target that nobody watches: the matrix says which way, or nothing; never surer than inferred."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prober.byway import Reading
from prober.classify import classify
from prober.handshake import State
from prober.infer import Context, Neighbour, infer, wanted
from prober.observation import Observation
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict
from tests.anything import observations
from tests.stories import hide, story

ZONES = {"ingress": "pods", "pod2": "pods", "firewall": "firewall", "vm": "nodes", "lb": "lb", "node1": "nodes",
         "node2": "nodes"}  # fmt: skip
WELL = Verdict(Label.HEALTHY, Confidence.INFERRED, "it answers.")
NOT_KNOWN = Verdict(Label.UNKNOWN, Confidence.AMBIGUOUS, "no.", missing=("x",))


def failed() -> Observation:
    """firewall → ingress; the SYN left, no answer came, and nobody stands at ingress."""
    return hide(story("firewall >> SYN", State.TIMED_OUT), "node1")


def said(*cells: tuple[str, str, Verdict], blocks: tuple[tuple[str, str], ...] = ()) -> Verdict:
    nets = tuple((name, ipaddress.ip_network(block)) for name, block in blocks)
    o = failed()
    return infer(o, classify(o), Context(tuple(Neighbour(*one) for one in cells), ZONES, nets))


def blamed(label: Label, what: str = "node2 routes 10.19.0.0/16 via 10.224.0.99", kind: str = "route",
           cause: Cause | None = Cause.R1B, confidence: Confidence = Confidence.PROVEN) -> Verdict:  # fmt: skip
    return Verdict(label, confidence, "it is so.", cause, Culprit(kind, "node2", what))


MISROUTE = ("firewall", "pod2", blamed(Label.RETURN_PATH_MISROUTE))
OTHERS = (("lb", "ingress", WELL), ("vm", "ingress", WELL))


def test_with_nothing_around_it_stays_unknown():
    assert said().label == Label.UNKNOWN
    assert said(*OTHERS).label == Label.UNKNOWN, "one pair alone fits a filter either way"


def test_a_wrong_route_over_the_prober_that_is_known_elsewhere_is_inferred_here():
    verdict = said(MISROUTE, *OTHERS)
    assert (verdict.label, verdict.confidence, verdict.cause) == (
        Label.RETURN_PATH_MISROUTE,
        Confidence.INFERRED,
        "R1b",
    )
    assert "lb, vm still reach ingress" in verdict.sentence and verdict.missing
    astray = ("node2", "firewall", blamed(Label.INGRESS_DROP, cause=Cause.F9))
    assert said(astray, *OTHERS).label == Label.RETURN_PATH_MISROUTE


@pytest.mark.parametrize("what", ["node2 routes 10.99.0.0/16 via 10.224.0.99", "node2 routes 0.0.0.0/0 via 10.224.0.1"])
def test_a_route_that_does_not_cover_the_prober_or_covers_everybody_says_nothing(what):
    elsewhere = ("lb", "vm", blamed(Label.RETURN_PATH_MISROUTE, what))
    assert said(elsewhere, *OTHERS).label == Label.UNKNOWN


def test_a_wrong_route_is_not_blamed_where_nobody_else_reaches_the_target():
    assert said(MISROUTE, ("lb", "ingress", NOT_KNOWN)).label == Label.UNKNOWN


@pytest.mark.parametrize("what", ["node2 routes 10.19.0.0/16 via 10.224.0.23", "node2 routes blackhole 10.19.0.0/16"])
def test_who_stands_at_the_wrong_routes_end_and_caught_no_answer_says_that_there_may_have_been_none(what):
    """Two causes on one pair: a filter stops the SYN, and the way back is wrong as well; node19 would have seen it."""
    elsewhere = ("firewall", "node2", blamed(Label.RETURN_PATH_MISROUTE, what))
    assert said(elsewhere, *OTHERS).label == Label.UNKNOWN


def test_a_wrong_route_or_a_block_is_not_blamed_where_a_target_beside_it_answers_the_prober():
    answers = ("firewall", "pod2", WELL)
    elsewhere = ("firewall", "node2", blamed(Label.RETURN_PATH_MISROUTE))
    assert said(elsewhere, *OTHERS).label == Label.RETURN_PATH_MISROUTE
    assert said(elsewhere, answers, *OTHERS).label == Label.UNKNOWN, "only some nodes have that route"
    block = (("node19", "10.19.0.0/16"),)
    assert said(answers, *OTHERS, blocks=block).label == Label.UNKNOWN, "a block that nobody routes harms nobody"


@pytest.mark.parametrize("cause", [Cause.R9, Cause.R1C])
def test_another_host_with_the_probers_address_takes_all_its_answers_or_is_not_blamed(cause):
    doubled = ("firewall", "node2", blamed(Label.RETURN_PATH_MISROUTE, "two hosts have it", "host", cause))
    verdict = said(doubled, *OTHERS)
    assert (verdict.label, verdict.cause) == (Label.RETURN_PATH_MISROUTE, cause)
    assert said(doubled).label == Label.UNKNOWN, "nobody reaches it: it may be down"
    assert said(doubled, ("firewall", "vm", WELL), *OTHERS).label == Label.UNKNOWN, "some answers do arrive"
    others = ("lb", "node2", doubled[2])
    assert said(others, *OTHERS).label == Label.UNKNOWN, "that is about another prober's address"


def test_a_declared_block_over_the_prober_is_inferred_to_be_the_culprit():
    fails = ("firewall", "pod2", NOT_KNOWN)
    verdict = said(fails, *OTHERS, blocks=(("node19", "10.19.0.0/16"),))
    assert (verdict.label, str(verdict.culprit)) == (
        Label.RETURN_PATH_MISROUTE, "node19: pod block 10.19.0.0/16 covers 10.19.0.4",
    )  # fmt: skip
    assert said(fails, *OTHERS, blocks=(("node19", "10.20.0.0/16"),)).label == Label.UNKNOWN
    assert said(fails, blocks=(("node19", "10.19.0.0/16"),)).label == Label.UNKNOWN
    assert said(*OTHERS, blocks=(("node19", "10.19.0.0/16"),)).label == Label.UNKNOWN, "one pair alone may be filtered"


def quoted(o: Observation) -> Verdict:
    """What is said of a probe that was told why by a router; nobody watches its target."""
    return classify(hide(o, "node1"))


def test_what_another_source_was_told_of_the_same_target_holds_here():
    why = quoted(story("firewall >> SYN\nfirewall << ICMP 3/0 of SYN from 10.224.1.1", State.TIMED_OUT))
    told = ("lb", "ingress", why)
    assert (said(told).label, said(told).cause) == (Label.INGRESS_DROP, Cause.F3)
    assert said(told, ("vm", "ingress", WELL)).label == Label.UNKNOWN
    assert said(told, ("vm", "ingress", blamed(Label.RETURN_PATH_LOSS))).label == Label.UNKNOWN


@pytest.mark.parametrize(
    "seen",
    [blamed(Label.INGRESS_DROP, "SYN out of the pod, nothing out of the node", "node", Cause.F10),
     blamed(Label.TARGET, "refuses", "host", Cause.T1)],
    ids=["a policy of the other's own node", "an RST, which every SYN gets"],
)  # fmt: skip
def test_what_stops_the_other_source_alone_or_would_have_spoken_here_too_says_nothing(seen):
    assert said(("lb", "ingress", seen)).label == Label.UNKNOWN


@pytest.mark.parametrize("label", [Label.INGRESS_DROP, Label.RETURN_PATH_LOSS])
def test_failing_at_the_whole_zone_it_fails_here_as_there(label):
    there = ("firewall", "pod2", blamed(label, "saw it last", "hop", Cause.F1))
    assert said(there, *OTHERS).label.direction == label.direction
    assert said(there, ("firewall", "pod3", WELL), *OTHERS).label.direction == label.direction, "pod3 is in no zone"
    assert said(there).label == Label.UNKNOWN


def no_arp(address: str) -> Verdict:
    return blamed(Label.LOCAL, f"next hop {address} (FAILED)", "hop", Cause.L3, Confidence.LIKELY)


def test_a_target_whose_own_link_asks_for_it_in_vain_is_down():
    asked, reaches = ("vm", "ingress", no_arp("10.4.76.34")), ("vm", "node2", WELL)
    verdict = said(asked, reaches)
    assert (verdict.label, verdict.cause) == (Label.INGRESS_DROP, Cause.F6)
    assert said(asked).label == Label.UNKNOWN, "who asks may itself be cut off"
    assert said(asked, reaches, ("lb", "ingress", WELL)).label == Label.UNKNOWN, "it answers somebody"
    assert said(("vm", "ingress", no_arp("10.224.0.1")), reaches).label == Label.UNKNOWN, "that is vm's router"


def test_a_target_that_is_silent_to_everybody_may_be_filtered_full_or_without_a_way_back():
    """A host firewall, a full accept queue and a pod without a default route look alike to all who ask, on the target's
    own link as well; even where every one of them reaches others."""
    silent = [(name, "ingress", NOT_KNOWN) for name in ("vm", "lb", "node1")]
    fit = [(name, "node2", WELL) for name in ("vm", "lb", "node1", "firewall")]
    assert said(*silent, *fit).label == Label.UNKNOWN


def test_a_host_that_takes_nothing_from_the_prober_and_one_that_sends_it_nothing_look_alike():
    """The firewall fails at a node and at its pods, others do not, and it reaches the next node: a host firewall there,
    or its way back. From everywhere else both look like this."""
    cells = [("firewall", "node1", NOT_KNOWN), ("firewall", "node2", WELL), ("vm", "node1", WELL)]
    assert said(*cells, *OTHERS).label == Label.UNKNOWN


def test_a_pass_that_is_not_fresh_does_not_read_as_none():
    """What is asked and has no cell of this time may well pass; then neither rule holds."""
    o, cells = failed(), (Neighbour("firewall", "node2", blamed(Label.RETURN_PATH_MISROUTE)), *OTHERS)
    nets = [Neighbour(*one) for one in cells]
    asked = {("firewall", "node2"), ("firewall", "pod2"), ("lb", "ingress"), ("vm", "ingress")}
    assert infer(o, classify(o), Context(tuple(nets), ZONES, (), asked - {("firewall", "pod2")})).cause == Cause.R1B
    assert infer(o, classify(o), Context(tuple(nets), ZONES, (), asked)).label == Label.UNKNOWN
    down = (Neighbour("vm", "ingress", no_arp("10.4.76.34")), Neighbour("vm", "node2", WELL))
    assert infer(o, classify(o), Context(down, ZONES, (), {("vm", "ingress")})).cause == Cause.F6
    assert infer(o, classify(o), Context(down, ZONES, (), asked)).label == Label.UNKNOWN, "lb may reach it"


def test_what_the_targets_host_said_of_its_way_back_is_inferred_and_no_more():
    culprit = Culprit("route", "10.224.0.4", "no way to 10.19.0.4")
    told = Reading(Label.RETURN_PATH_LOSS, Cause.R2, culprit, "it has no way", "look there", ("ICMP 3/0",))
    o = failed()
    verdict = infer(o, classify(o), Context((), ZONES, told=told))
    assert (verdict.label, verdict.confidence, verdict.cause) == (
        Label.RETURN_PATH_LOSS, Confidence.INFERRED, Cause.R2,
    )  # fmt: skip
    assert verdict.missing == classify(o).missing and "it has no way" in verdict.sentence
    answered = story("firewall >> SYN\nfirewall << SYN-ACK", State.ANSWERED)
    assert infer(answered, classify(answered), Context((), ZONES, told=told)).label.passes


VERDICTS = st.sampled_from([
    WELL, NOT_KNOWN, MISROUTE[2], blamed(Label.INGRESS_DROP, "ICMP 3/0", "hop", Cause.F3),
    blamed(Label.RETURN_PATH_LOSS, "saw it last", "hop", Cause.R5), blamed(Label.TARGET, "RST", "host", Cause.T1),
])  # fmt: skip
CELLS = st.lists(
    st.builds(Neighbour, st.sampled_from(list(ZONES)), st.sampled_from(list(ZONES)), VERDICTS), max_size=12
)


@given(observations(), CELLS)
@settings(max_examples=400, deadline=None)
def test_it_is_inferred_at_most_and_only_of_a_target_that_nobody_watches(o, cells):
    before = classify(o)
    after = infer(o, before, Context(tuple(cells), ZONES))
    if after != before:
        assert wanted(o, before) and after.confidence == Confidence.INFERRED and not after.label.passes
        assert after.missing == before.missing
