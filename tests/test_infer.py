"""A target that nobody watches: the matrix says which way, or nothing; never surer than inferred."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def blamed(label: Label, what: str = "node2 routes 10.19.0.0/16 via 10.224.0.23", kind: str = "route",
           cause: Cause | None = Cause.R1B, confidence: Confidence = Confidence.PROVEN) -> Verdict:  # fmt: skip
    return Verdict(label, confidence, "it is so.", cause, Culprit(kind, "node19", what))


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


@pytest.mark.parametrize("what", ["node2 routes 10.99.0.0/16 via 10.224.0.23", "node2 routes 0.0.0.0/0 via 10.224.0.1"])
def test_a_route_that_does_not_cover_the_prober_or_covers_everybody_says_nothing(what):
    elsewhere = ("lb", "vm", blamed(Label.RETURN_PATH_MISROUTE, what))
    assert said(elsewhere, *OTHERS).label == Label.UNKNOWN


def test_a_wrong_route_is_not_blamed_where_nobody_else_reaches_the_target():
    assert said(MISROUTE, ("lb", "ingress", NOT_KNOWN)).label == Label.UNKNOWN


def test_a_declared_block_over_the_prober_is_inferred_to_be_the_culprit():
    verdict = said(*OTHERS, blocks=(("node19", "10.19.0.0/16"),))
    assert (verdict.label, str(verdict.culprit)) == (
        Label.RETURN_PATH_MISROUTE, "node19: pod block 10.19.0.0/16 covers 10.19.0.4",
    )  # fmt: skip
    assert said(*OTHERS, blocks=(("node19", "10.20.0.0/16"),)).label == Label.UNKNOWN
    assert said(blocks=(("node19", "10.19.0.0/16"),)).label == Label.UNKNOWN


def test_what_another_source_was_told_of_the_same_target_holds_here():
    told = ("lb", "ingress", blamed(Label.INGRESS_DROP, "ICMP 3/0", "hop", Cause.F3, Confidence.INFERRED))
    assert (said(told).label, said(told).cause) == (Label.INGRESS_DROP, Cause.F3)
    assert said(told, ("vm", "ingress", WELL)).label == Label.UNKNOWN
    assert said(told, ("vm", "ingress", blamed(Label.RETURN_PATH_LOSS))).label == Label.UNKNOWN


@pytest.mark.parametrize("label", [Label.INGRESS_DROP, Label.RETURN_PATH_LOSS])
def test_failing_at_the_whole_zone_it_fails_here_as_there(label):
    there = ("firewall", "pod2", blamed(label, "saw it last", "hop", Cause.F1))
    assert said(there, *OTHERS).label.direction == label.direction
    assert said(there, ("firewall", "pod3", WELL), *OTHERS).label.direction == label.direction, "pod3 is in no zone"
    assert said(there).label == Label.UNKNOWN


def test_nobody_reaches_it_not_even_its_own_zone():
    zones = ZONES | {"ingress": "nodes"}
    cells = [Neighbour("vm", "ingress", NOT_KNOWN), Neighbour("lb", "ingress", NOT_KNOWN)]
    fit = [Neighbour(name, "node2", WELL) for name in ("vm", "lb", "firewall")]
    o = failed()
    assert infer(o, classify(o), Context((*cells, *fit), zones)).label == Label.INGRESS_DROP
    for less in (fit[1:], fit[:2]):
        assert infer(o, classify(o), Context((*cells, *less), zones)).label == Label.UNKNOWN, "who asks may be ill"
    assert infer(o, classify(o), Context((*cells, *fit), ZONES)).label == Label.UNKNOWN, "a route back may be gone"


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
