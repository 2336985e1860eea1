"""How far a segment came, and what that adds to a verdict."""

from __future__ import annotations

import pytest

from prober.flows import Side
from prober.trace import LONGEST, Trace, enrich
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

HOPS = {1: "10.61.0.1", 2: "10.60.3.2"}
THERE, BACK = Trace(Side.IN, HOPS), Trace(Side.BACK, {1: "10.62.0.1"}, names={"10.62.0.1": "far"})


def said(label: Label, culprit: Culprit | None = None) -> Verdict:
    return Verdict(label, Confidence.LIKELY, "It is lost.", Cause.F1, culprit, (), "Look.", ("B's NIC in: not seen",))


def test_a_sweep_is_told_by_its_last_hop_or_by_where_it_arrived() -> None:
    assert THERE.result() == (
        "the SYN was last seen alive by 10.60.3.2 (hop 2); on its way: 1 10.61.0.1, 2 10.60.3.2"
    )  # fmt: skip
    assert BACK.result() == "the SYN-ACK was last seen alive by far (10.62.0.1) (hop 1); on its way: 1 far (10.62.0.1)"
    assert Trace(Side.BACK, {}).result() == f"no router answered to a SYN-ACK whose TTL ran out, up to {LONGEST}"
    assert Trace(Side.IN, HOPS, arrived=4).result() == "the SYN arrived with TTL 4, over 1 10.61.0.1, 2 10.60.3.2"


def test_the_verdict_gains_the_hop_and_a_culprit_where_it_had_none() -> None:
    told = enrich(said(Label.INGRESS_DROP), {Side.IN: THERE, Side.BACK: BACK})
    assert told.sentence == "It is lost. A TTL sweep shows the SYN last seen alive by 10.60.3.2 (hop 2 of the way in)."
    assert told.culprit == Culprit("hop", "10.60.3.2", "last seen alive by 10.60.3.2 (hop 2 of the way in)")
    assert told.evidence[-1] == "last seen alive by 10.60.3.2 (hop 2 of the way in)"
    assert told.next_step == "Look at 10.60.3.2 and at what is behind it. Look."
    assert (told.label, told.cause, told.confidence) == (Label.INGRESS_DROP, Cause.F1, Confidence.LIKELY)


def test_a_hop_becomes_more_exact_and_a_route_stays() -> None:
    hop = enrich(said(Label.RETURN_PATH_LOSS, Culprit("hop", "vpc", "saw it last")), {Side.BACK: BACK}).culprit
    assert str(hop) == "vpc: saw it last; last seen alive by far (10.62.0.1) (hop 1 of the way back)"
    route = Culprit("route", "node1", "10.19.0.0/16 via 10.224.0.23")
    assert enrich(said(Label.RETURN_PATH_MISROUTE, route), {Side.BACK: BACK}).culprit == route


@pytest.mark.parametrize(
    ("verdict", "trace"),
    [
        (said(Label.INGRESS_DROP), BACK), (said(Label.RETURN_PATH_LOSS), THERE), (said(Label.HEALTHY), THERE),
        (said(Label.LOCAL), THERE), (said(Label.INGRESS_DROP), Trace(Side.IN, HOPS, arrived=4)),
        (said(Label.INGRESS_DROP), Trace(Side.IN, {})),
        (said(Label.INTERMITTENT, Culprit("hop", "", "way back: a dead leg")), THERE),
    ],
)  # fmt: skip
def test_a_sweep_says_nothing_of_the_other_way_nor_of_what_arrived(verdict: Verdict, trace: Trace) -> None:
    assert enrich(verdict, {trace.side: trace}) == verdict


def test_an_intermittent_cell_gains_the_hop_of_its_own_side() -> None:
    told = enrich(said(Label.INTERMITTENT, Culprit("hop", "", "way in: a dead leg")), {Side.IN: THERE, Side.BACK: BACK})
    assert str(told.culprit) == "way in: a dead leg; last seen alive by 10.60.3.2 (hop 2 of the way in)"
