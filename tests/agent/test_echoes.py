"""Copies of answers: only for a SYN that came in lately, and only so many."""

from __future__ import annotations

import numpy as np
import pytest

from prober import probe, segment
from prober.agent.echoes import MEMORY_NS, MOST, MOST_COPIES, Echoes
from prober.probe import Kind
from prober.report import MOST_COPIED, Echo
from prober.segment import ACK, IN, OUT, SYN
from prober.sighting import SIGHTING, Where, sightings

KEY = b"k" * 16
US, THEM = "10.4.76.34", "10.19.0.4"


def came(number: int, at_ns: int = 0, rows: int = 1) -> np.ndarray:
    """SYNs with the ids from `number` on, as the tap recognised them."""
    batch = segment.empty(rows)
    for name, address in (("src", THEM), ("dst", US)):
        batch[f"{name}_hi"], batch[f"{name}_lo"] = segment.pair(address)
    batch["sport"], batch["dport"], batch["way"], batch["time_ns"] = 61440, 8080, IN, at_ns
    seen, _ = sightings(probe.ask(np.arange(number, number + rows, dtype=np.uint32), KEY, batch), (KEY,), frozenset())
    return seen


def test_a_copy_goes_back_where_its_syn_came_from_and_is_known_for_a_copy_everywhere() -> None:
    one = Echoes()
    one.hear(came(7))
    copies, refused = one.segments([Echo(7, [1, 2, 64])], 1)
    assert refused == []
    assert [str(segment.address(row["src_hi"], row["src_lo"])) for row in copies] == [US] * 3
    assert [str(segment.address(row["dst_hi"], row["dst_lo"])) for row in copies] == [THEM] * 3
    assert copies["ttl"].tolist() == [1, 2, 64]
    assert set(copies["flags"].tolist()) == {SYN | ACK}
    assert set(copies["ack"].tolist()) == {8}
    assert (copies["sport"][0], copies["dport"][0]) == (8080, 61440)
    seen, _ = sightings(copies, (KEY,), frozenset())
    assert seen["kind"].tolist() == [Kind.ECHO] * 3
    assert seen["probe"].tolist() == [7] * 3
    assert seen["sealed"].all()
    assert (seen["seq"] & 0xFF).tolist() == [1, 2, 64]
    assert len(set(seen["seq"].tolist())) == 3
    copies["icmp_type"] = 11
    assert sightings(copies, (KEY,), frozenset())[0]["kind"].tolist() == [Kind.ICMP_ECHO] * 3


def test_an_answer_of_the_kernels_own_is_no_copy() -> None:
    one = Echoes()
    one.hear(came(7))
    copies, _ = one.segments([Echo(7, [64])], 1)
    copies["tsval"] = 12345
    assert sightings(copies, (KEY,), frozenset())[0]["kind"].tolist() == [Kind.SYN_ACK]


@pytest.mark.parametrize("ttls", [[], [0], [65], [1] * (MOST_COPIES + 1)])
def test_what_makes_no_sense_is_refused(ttls: list[int]) -> None:
    one = Echoes()
    one.hear(came(7))
    copies, refused = one.segments([Echo(7, ttls)], 1)
    assert (len(copies), len(refused)) == (0, 1)


def test_nothing_is_sent_for_a_syn_that_did_not_come_or_came_long_ago() -> None:
    one = Echoes()
    one.hear(came(7))
    assert "no SYN of probe 0x00000008" in one.segments([Echo(8, [1])], 1)[1][0]
    assert one.segments([Echo(7, [1])], MEMORY_NS + 1)[1] != []


@pytest.mark.parametrize("changed", [{"way": OUT}, {"kind": Kind.SYN_ACK}, {"sealed": False}, {"where": Where.POD}])
def test_only_a_sealed_syn_that_came_in_counts(changed: dict[str, int]) -> None:
    one, rows = Echoes(), came(7)
    for name, value in changed.items():
        rows[name] = value
    one.hear(rows)
    assert len(one.segments([Echo(7, [1])], 1)[0]) == 0


def test_one_order_has_only_so_many_copies() -> None:
    one = Echoes()
    one.hear(came(0, rows=20))
    copies, refused = one.segments([Echo(number, [64] * MOST_COPIES) for number in range(20)], 1)
    assert len(copies) == MOST_COPIED
    assert len(refused) == 20 - MOST_COPIED // MOST_COPIES


def test_its_memory_is_bounded() -> None:
    one = Echoes()
    for turn in range(20):
        one.hear(came(turn * 1000, rows=1000))
    assert sum(map(len, one._seen)) <= MOST
    assert len(one.segments([Echo(19_999, [1])], 1)[0]) == 1
    assert len(one.segments([Echo(0, [1])], 1)[0]) == 0
    assert np.zeros(0, SIGHTING).dtype == one._seen[0].dtype
    assert ACK
