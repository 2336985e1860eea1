"""Where and which way, seen from the host and from the pod."""

from __future__ import annotations

import numpy as np
import pytest

from prober import probe, segment
from prober.probe import Kind
from prober.segment import ACK, IN, OUT, SYN
from prober.sighting import SIGHTING, Where, sightings

KEY = bytes(16)
NIC, VETH = 2, 9
PODS = frozenset({VETH})


def answers(ids, interface=NIC, way=IN):
    batch = segment.empty(len(ids))
    batch["sport"], batch["dport"], batch["flags"] = 80, 61440, SYN | ACK
    batch["ack"], batch["tsecr"] = np.asarray(ids) + 1, probe.seal(np.asarray(ids), KEY)
    batch["interface"], batch["way"], batch["time_ns"], batch["ttl"] = interface, way, 5, 63
    return batch


@pytest.mark.parametrize(
    ("interface", "way", "where", "told"),
    [(NIC, IN, Where.NIC, IN), (NIC, OUT, Where.NIC, OUT), (VETH, OUT, Where.POD, IN), (VETH, IN, Where.POD, OUT)],
)
def test_what_leaves_the_host_by_a_pods_veth_goes_into_the_pod(interface, way, where, told):
    (seen,), _ = sightings(answers([7], interface, way), (KEY,), PODS)
    assert (seen["where"], seen["way"]) == (where, told)


def test_a_sighting_keeps_the_segments_own_columns():
    batch = answers([7])
    seen, _ = sightings(batch, (KEY,), PODS)
    assert (seen["probe"][0], seen["kind"][0], seen["sealed"][0]) == (7, Kind.SYN_ACK, True)
    for name in segment.SEGMENT.names:
        assert seen[name].tolist() == batch[name].tolist()


def test_what_is_no_probes_is_left_out_and_rows_say_which_stayed():
    batch = answers([1, 2, 3, 4])
    batch["tsecr"][1] ^= 1
    batch["dport"][2], batch["flags"][2] = 443, ACK
    seen, rows = sightings(batch, (KEY,), PODS)
    assert rows.tolist() == [0, 3]
    assert seen["probe"].tolist() == [1, 4]


def test_without_pods_everything_is_a_nics():
    seen, _ = sightings(answers([1], VETH, IN), (KEY,), frozenset())
    assert (seen["where"].tolist(), seen["way"].tolist()) == ([Where.NIC], [IN])


def test_nothing_seen_is_an_empty_table_of_the_same_columns():
    seen, rows = sightings(segment.empty(), (KEY,), PODS)
    assert (seen.dtype, len(seen), len(rows)) == (SIGHTING, 0, 0)
