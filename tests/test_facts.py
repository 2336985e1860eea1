"""Facts, one by one."""

from __future__ import annotations

import msgspec
import pytest

from prober import facts
from prober.verdict import Confidence, Culprit, Label
from tests.stories import AND_BACK, NORMAL, RIGHT, THERE, story

WHO = Culprit("hop", "x", "y")


@pytest.mark.parametrize(
    ("text", "culprit", "label", "said"),
    [
        (AND_BACK, WHO, Label.TARGET, "proven"), (AND_BACK, None, Label.TARGET, "likely"),
        (AND_BACK, None, Label.HEALTHY, "proven"), ("firewall >> SYN", WHO, Label.TARGET, "likely"),
        ("node1 << SYN", WHO, Label.TARGET, "likely"), ("", WHO, Label.LOCAL, "likely"),
    ],
)  # fmt: skip
def test_proven_is_said_with_packets_at_both_ends_and_a_culprit_only(text, culprit, label, said):
    assert facts.say(story(text), label, Confidence.PROVEN, "x.", None, culprit).confidence == said


def test_a_place_not_seen_is_no_packet_at_that_end():
    assert not facts.both_ends(story("firewall >> SYN")) and facts.never_arrived(story("firewall >> SYN"))


def test_the_answers_last_place_is_the_nic():
    left = facts.answer_left(story(THERE))
    assert left is not None and left.interface == "eth0"
    assert facts.answer_left(story("node19 >> SYN-ACK")) is None


# -- the ways in and out -----------------------------------------------------------------------------------------


AWAY = "node1 eth0 02:00:00:00:00:01"
OTHER = "02:00:00:00:00:08"


@pytest.mark.parametrize(
    ("came", "left", "entries", "turned", "parted"),
    [
        ("02:00:00:00:00:01", "02:00:00:00:00:01", (AWAY,), False, False),
        ("02:00:00:00:00:01", OTHER, (AWAY,), True, True),
        (OTHER, OTHER, (AWAY,), True, False),
        (OTHER, "02:00:00:00:00:01", (AWAY,), False, True),
        (OTHER, "02:00:00:00:00:01", (f"node1 eth0 {OTHER}",), False, False),
    ],
)
def test_whether_the_answer_took_a_new_way_and_whether_another_than_the_syn(came, left, entries, turned, parted):
    text = THERE.replace("node1 << SYN\n", f"node1 << SYN via {came}\n")
    text = text.replace("node1 >> SYN-ACK\n", f"node1 >> SYN-ACK via {left}\n")
    o = story(text, usual=msgspec.structs.replace(NORMAL, entries=entries), routes=(RIGHT,))
    assert (facts.turned(o), facts.parted(o), facts.came_from(o)) == (turned, parted, came)
    assert not facts.turned(story(text, usual=None)) and not facts.parted(story(text, usual=None)), "nobody knows"


def test_where_a_syn_was_unwrapped_is_where_it_came_in():
    o = story("node1 << SYN within 10.224.0.5>10.224.0.4\nnode1 << SYN on vxlan0", usual=None)
    assert facts.entry(o) == "vxlan0"
    assert [one.outer_src for one in facts.wrapped_syns(o)] == ["10.224.0.5"]
    assert facts.usual_ends(o, "node1") is None
