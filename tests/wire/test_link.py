"""Every row of a batch leaves or says why not."""

from __future__ import annotations

import errno
import resource

import numpy as np
import pytest

from prober import segment
from prober.errors import CannotMeasure
from prober.segment import OUT
from prober.wire import privileges
from prober.wire.link import Link

A, B = "10.77.0.1", "10.77.0.2"

REFUSING = [
    ("", errno.ENETUNREACH, errno.ENETUNREACH),
    ("unreachable", errno.EHOSTUNREACH, errno.EHOSTUNREACH),
    ("prohibit", errno.EACCES, errno.EACCES),
    ("blackhole", errno.EINVAL, errno.EINVAL),
]


@pytest.mark.parametrize(("kind", "error", "error6"), REFUSING)
def test_the_route_that_refuses_gives_the_errno(cable, probers, kind, error, error6):
    a, _ = cable
    if kind:
        a.run(f"ip route add {kind} 10.88.0.0/16")
        a.run(f"ip -6 route add {kind} fd88::/64")
    prober = probers(a)
    rows = np.concatenate([prober.syns(A, "10.88.0.1", 80), prober.syns("fd77::1", "fd88::1", 80)])
    assert prober.link.send(rows).tolist() == [error, error6]


def test_an_output_drop_is_eperm_and_stops_no_other_row(cable, probers):
    a, _ = cable
    a.rule("output", "tcp dport 81 drop")
    prober = probers(a)
    rows = prober.syns(A, B, 80, 6)
    rows["dport"][[0, 2, 5]] = 81
    assert prober.link.send(rows).tolist() == [errno.EPERM, 0, errno.EPERM, 0, 0, errno.EPERM]
    left = prober.hear_all().segments
    assert left["seq"][left["way"] == OUT].tolist() == rows["seq"][[1, 3, 4]].tolist()


def test_more_rows_than_one_system_call_takes_arrive_in_order_and_whole(cable, probers):
    a, b = cable
    b.rule("input", "tcp dport 9 drop")
    prober, far = probers(a), probers(b, mute=False)
    rows = prober.syns(A, B, 9, 3000)
    assert not prober.link.send(rows).any()
    seen = far.hear_all().segments
    assert (seen["seq"] == rows["seq"]).all()
    for field in ("src_lo", "dst_lo", "sport", "dport", "flags", "ttl", "tsval", "tsecr"):
        assert (seen[field] == rows[field]).all(), field
    assert far.tap.dropped() == 0


@pytest.mark.parametrize(("family", "source", "target"), [("-4", A, B), ("-6", "fd77::1", "fd77::2")])
def test_policy_rules_by_source_address_are_obeyed(cable, probers, family, source, target):
    """A frame injected below the routing table would leave all the same: a false OK."""
    a, _ = cable
    prober = probers(a)
    assert prober.link.send(prober.syns(source, target, 8080)).tolist() == [0]
    a.run(f"ip {family} rule add from {source} prohibit")
    assert prober.link.send(prober.syns(source, target, 8080)).tolist() == [errno.EACCES]


def test_nothing_to_send_is_nothing_sent(cable, probers):
    prober = probers(cable[0])
    assert len(prober.link.send(segment.empty())) == 0


def test_a_host_out_of_file_descriptors_says_so():
    if not privileges.can_capture():
        pytest.skip("this process may not open raw sockets")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises((OSError, CannotMeasure)) as said:
            Link()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "Too many open files" in str(said.value)
