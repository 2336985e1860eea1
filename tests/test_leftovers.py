"""What earlier probes left at a responder: remembered, told from the later probe's own, and forgotten in time."""

from __future__ import annotations

import pytest

from prober.classify import classify
from prober.handshake import State
from prober.leftovers import in_flow
from prober.probe import Kind
from prober.segment import IN, OUT
from prober.sighting import Where
from prober.verdict import Label
from tests.fleet import PROBE, Agent, ended, play, saw
from tests.stories import sighting, story

HOUR = 3600.0
OLD, LATER = PROBE + 7, 20.0


def same_port_again(closed: bool, bare: bool) -> list[Agent]:
    """A probe whose answer was lost, and ten seconds later one of the same four-tuple that the pod does not answer.

    `closed`: the first one's RST came to the pod. `bare`: the kernel there answered the second with a bare ACK, which
    names the first.
    """
    there = [(10.0, saw(Kind.SYN, IN, 10.0, where, OLD)) for where in (Where.NIC, Where.POD)]
    there += [(10.0, saw(Kind.SYN_ACK, OUT, 10.001, where, OLD)) for where in (Where.POD, Where.NIC)]
    there += [(11.0, saw(Kind.RST, IN, 11.0, where, OLD)) for where in (Where.NIC, Where.POD) if closed]
    there += [(LATER, saw(Kind.SYN, IN, LATER, where)) for where in (Where.NIC, Where.POD)]
    there += [(LATER, saw(Kind.CHALLENGE, OUT, LATER + 0.001, w, OLD)) for w in (Where.POD, Where.NIC) if bare]
    here = [(10.0, saw(Kind.SYN, OUT, 10.0, probe=OLD)), (11.0, ended(State.TIMED_OUT, 10.0, 11.0, OLD))]
    here += [(LATER, saw(Kind.SYN, OUT, LATER)), (LATER + 1.0, ended(State.TIMED_OUT, LATER, LATER + 1.0))]
    here += [(LATER, saw(Kind.CHALLENGE, IN, LATER + 0.002, probe=OLD))] * bare
    return [Agent("firewall", here), Agent("node1", there), Agent("node19")]


@pytest.mark.parametrize("shift", [0.0, HOUR, -HOUR])
@pytest.mark.parametrize(
    ("closed", "bare", "held"),
    [(False, True, 10.0), (False, False, 10.0), (True, True, None), (True, False, None)],
    ids=["open, told", "open, in silence", "closed, told", "closed, in silence"],
)
def test_a_socket_left_there_by_an_earlier_probe_is_remembered_and_its_bare_ack_is_the_later_ones(
    closed: bool, bare: bool, held: float | None, shift: float
):
    agents = same_port_again(closed, bare)
    agents[1].shift = shift
    made = {o.probe: o for o in play(agents, 30.0, twice=True)}
    later = made[PROBE]
    assert later.held == held
    assert [one.agent for one in later.saw(Kind.CHALLENGE)] == ["node1", "node1", "firewall"] * bare
    assert not made[OLD].saw(Kind.CHALLENGE) and classify(made[OLD]).label == Label.RETURN_PATH_LOSS
    verdict = classify(later)
    blamed = "an earlier SYN from source port 61440" in verdict.sentence
    assert (verdict.label, blamed) == (Label.UNKNOWN, bare or not closed)
    assert ("inside pod" in verdict.missing[-1]) == (closed and not bare)


@pytest.mark.parametrize(("later", "held"), [(77.9, 67.9), (78.1, None)])
def test_a_kernel_keeps_a_half_open_socket_for_little_more_than_a_minute(later: float, held: float | None):
    first = [agent.events[:6] for agent in same_port_again(False, False)]
    again = [(later + 1.0, ended(State.TIMED_OUT, later, later + 1.0))]
    agents = [Agent("firewall", first[0][:2] + again), Agent("node1", first[1][:4])]
    made = {o.probe: o for o in play(agents, 85.0)}
    assert made[PROBE].held == held


@pytest.mark.parametrize(
    ("line", "mine"),
    [
        ("node1 << SYN", True), ("node1 << own RST", True), ("firewall << RST", True),
        ("node1 << SYN from 10.9.9.9", False),
        ("node1 << ICMP 3/1 of SYN-ACK from 10.224.0.23", True), ("node1 << SYN-ACK to 10.9.9.9", False),
        ("firewall << ICMP 3/1 of SYN from 10.19.0.1", True), ("firewall << RST from 10.9.9.9", False),
    ],
)  # fmt: skip
def test_an_unsealed_segment_is_this_probes_only_in_its_flow(line, mine):
    o = story("")
    assert in_flow(sighting(line), {(o.asked.src, 61440, o.asked.dst, 8080)}) is mine
