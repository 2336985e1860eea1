"""What an observation holds, and sightings in words."""

from __future__ import annotations

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from prober import observation as ob
from prober import segment
from prober.observation import Observation
from prober.probe import Kind
from prober.segment import IN, OUT
from prober.sighting import SIGHTING, Where
from tests.stories import AND_BACK, POD, sighting, story


def test_witnesses_are_neither_ends_nor_the_declared_balancer():
    o = story(AND_BACK + "lb << SYN-ACK\nnode19 << SYN-ACK\nnode2 >> SYN-ACK", through=("lb",))
    assert [one.agent for one in o.witnesses(Kind.SYN_ACK)] == ["node19"]


def test_a_row_in_words():
    row = np.zeros(1, SIGHTING)
    row["src_hi"], row["src_lo"] = segment.pair("fd00::1")
    row["dst_hi"], row["dst_lo"] = segment.pair(POD)
    row["kind"], row["where"], row["way"], row["flags"], row["ttl"] = Kind.SYN_ACK, Where.POD, OUT, 0x12, 63
    row["sport"], row["dport"], row["neighbour"] = 8080, 61440, 0x0200_0000_0001
    one = ob.seen("node1", row.tolist()[0], "veth1", b"frame", 1.23456)
    assert one.text() == "SYN,ACK [fd00::1]:8080 > 10.4.76.34:61440 ttl 63"
    assert (one.neighbour, one.after_ms, one.frame, one.interface) == ("02:00:00:00:00:01", 1.235, b"frame", "veth1")


def test_an_icmp_error_in_words():
    assert sighting("node1 << ICMP 3/1 of SYN-ACK from 10.224.0.23").text() == "ICMP 3/1 from 10.224.0.23"


def test_saw_asks_by_agent_way_and_place():
    o = story(AND_BACK)
    assert [one.agent for one in o.saw(Kind.SYN, way=IN, where=Where.NIC)] == ["node1"]
    assert len(o.saw(Kind.SYN, Kind.SYN_ACK)) == 6 and o.saw(Kind.SYN, by="node19") == ()


@given(st.lists(st.sampled_from([*AND_BACK.split("\n    ")[1:], "node19 << SYN-ACK"]), unique=True))
def test_an_observation_survives_json(lines):
    o = story("\n".join(lines))
    assert msgspec.json.decode(msgspec.json.encode(o), type=Observation) == o
