"""What is handed to a neighbour goes to it, whatever this host's routes say."""

from __future__ import annotations

import errno

import numpy as np

from prober.segment import IN
from prober.wire.neighbour import Neighbour, Neighbours

A, B, FAR = "10.77.0.1", "10.77.0.2", "10.99.0.1"


def test_rows_of_both_families_arrive_whole_past_a_route_that_refuses(cable, probers):
    a, b = cable
    a.run("ip route add blackhole 10.99.0.0/16")
    prober, far = probers(a), probers(b, mute=False)
    name, mac = (
        b.run("ip -br link show type veth").split()[0].split("@")[0],
        b.run("ip -br link show type veth").split()[2],
    )
    mine = a.run("ip -br link show type veth").split()[0].split("@")[0]
    rows = np.concatenate([prober.syns(A, FAR, 80), prober.syns("fd77::1", "fd99::1", 80)])
    assert prober.link.send(rows[:1]).tolist() == [errno.EINVAL]
    sender = Neighbour(a.do(Neighbours), mine, mac)
    assert sender.send(rows).tolist() == [0, 0]
    seen = far.hear_all().segments
    seen = seen[(seen["way"] == IN) & np.isin(seen["seq"], rows["seq"])]
    assert name and (seen["seq"] == rows["seq"]).all()
    for field in ("src_lo", "dst_lo", "sport", "dport", "flags", "ttl", "tsval"):
        assert (seen[field] == rows[field]).all(), field
    sender.interface = "nosuch0"
    assert sender.send(rows[:1]).tolist() == [errno.ENODEV]
    sender.door.close()
