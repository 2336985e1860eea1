"""Rules that can't lie: one verdict each, no quarrel about the direction, and evidence hidden never makes it surer."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from prober.classify import BEFORE, RULES, Rule, classify, not_enough
from prober.facts import Reached, reached
from prober.observation import Observation
from prober.verdict import Label, Verdict
from tests.anything import AGENTS, observations
from tests.stories import hide, overlook, rank

MANY = settings(max_examples=300, deadline=None)


def speaking(o: Observation) -> list[tuple[Rule, Verdict]]:
    """Every rule that has something to say, in order."""
    told = ((rule, rule(o)) for rule in RULES[reached(o)])
    return [(rule, verdict) for rule, verdict in told if verdict is not None]


@given(observations())
@MANY
def test_the_first_rule_that_speaks_is_the_one_verdict(o):
    told = speaking(o)
    assert classify(o) == (told[0][1] if told else not_enough(o))


@given(observations())
@MANY
def test_rules_that_blame_different_directions_speak_together_only_where_their_order_has_a_reason(o):
    (first, said), *others = speaking(o) or [(not_enough, not_enough(o))]
    for rule, verdict in others:
        if {said.label, verdict.label}.isdisjoint({Label.UNKNOWN}) and said.label.direction != verdict.label.direction:
            assert (first.__name__, rule.__name__) in BEFORE, (said.sentence, verdict.sentence)


def test_the_reasons_are_of_rules_that_stand_in_that_order():
    for before, after in BEFORE:
        assert any([before, after] == [r.__name__ for r in rules if r.__name__ in (before, after)]
                   for rules in RULES.values())  # fmt: skip


@given(observations(), AGENTS)
@MANY
def test_a_silent_agent_never_makes_it_surer(o, agent):
    assert rank(hide(o, agent)) <= rank(o), (classify(o), classify(hide(o, agent)))


@given(observations(), st.integers(0, 9))
@MANY
def test_a_packet_less_never_makes_it_surer(o, which):
    if which < len(o.seen):
        assert rank(overlook(o, which)) <= rank(o), (classify(o), classify(overlook(o, which)))


@given(observations(), st.integers(0, 2))
@MANY
def test_a_route_less_never_makes_it_surer(o, which):
    fewer = msgspec.structs.replace(o, routes=o.routes[:which] + o.routes[which + 1 :])
    assert rank(fewer) <= rank(o), (classify(o), classify(fewer))


AGAINST = ("IpOutNoRoutes", "Ip6OutNoRoutes", "TcpExtIPReversePathFilter")


@given(observations())
@MANY
def test_no_counters_never_make_it_surer(o):
    """But for those by which a way back was missing: that they stood still is a fact as well."""
    left = {name: moved for name, moved in o.counters.items() if name in AGAINST}
    assert rank(msgspec.structs.replace(o, counters=left)) <= rank(o)


@given(observations())
@MANY
def test_no_past_never_makes_it_surer(o):
    bare = msgspec.structs.replace(o, usual=None)
    assert rank(bare) <= rank(o), (classify(o), classify(bare))


@given(observations(), AGENTS)
@MANY
def test_hiding_an_agent_never_turns_a_return_fault_into_a_forward_one(o, agent):
    """What an answer showed is never taken for a SYN that was lost, as long as any packet of the answer is left."""
    less = hide(o, agent)
    if reached(less) == reached(o) == Reached.ANSWER:
        assert classify(less).label.direction in ("return", "unknown")
