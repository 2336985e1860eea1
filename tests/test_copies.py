"""Copies of answers: which left, which arrived."""

from __future__ import annotations

import msgspec
import pytest

from prober.copies import FULL, Copies
from prober.flows import Shape, Side
from prober.observation import Seen
from prober.probe import Kind
from prober.segment import ACK, IN, OUT, SYN
from prober.sighting import Where

PORTS = {100 + n: 20480 + n for n in range(16)}


def copy(way: int, agent: str, probe: int, number: int, ttl: int = FULL) -> Seen:
    """A sighting of one copy, with the TTL that it has there."""
    return Seen(
        agent, Kind.ECHO, Where.NIC, way, "eth0", "10.224.0.4", "10.19.0.4", 7007, PORTS[probe], SYN | ACK, ttl,
        number << 8 | FULL, probe + 1,
    )  # fmt: skip


def told(lost: set[int]) -> Copies:
    """Four copies each; those of the `lost` probes never arrive."""
    one = Copies("firewall", PORTS)
    for probe in PORTS:
        for number in range(4):
            one.see(copy(OUT, "node1", probe, number))
            one.see(copy(OUT, "vpc", probe, number, FULL - 1))
            if probe not in lost:
                one.see(copy(IN, "firewall", probe, number, FULL - 2))
    return one


def test_the_same_source_ports_always_are_a_leg() -> None:
    losses = told({100, 105, 109, 111}).losses()
    assert (losses.side, losses.shape, losses.sent, losses.lost) == (Side.BACK, Shape.LEG, 64, 16)
    assert losses.dead == [20480, 20485, 20489, 20491]


def test_none_lost_is_no_leg_and_no_copies_are_nothing() -> None:
    assert told(set()).losses().lost == 0
    assert Copies("firewall", PORTS).losses().shape == Shape.UNSURE


@pytest.mark.parametrize("changed", [{"kind": Kind.SYN_ACK}, {"ack": 9}, {"seq": 3}, {"agent": "vpc"}])
def test_only_copies_of_these_probes_with_their_full_ttl_count_and_only_at_the_ends(changed: dict[str, object]) -> None:
    one = Copies("firewall", PORTS)
    one.see(msgspec.structs.replace(copy(IN, "firewall", 100, 0), **changed))
    assert (one.left, one.arrived) == (set(), set())
