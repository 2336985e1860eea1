"""What is kept of a probe's sightings, and what is too much."""

from __future__ import annotations

from typing import Any

import pytest

from prober.pending import MOST_COPIES, MOST_ROWS, Pending
from prober.sighting import SIGHTING


def row(**told: Any) -> tuple[str, tuple[Any, ...]]:
    return "node1", tuple(told.get(name, 0) for name in SIGHTING.names or ())


def test_the_same_sighting_again_is_nothing_new() -> None:
    probe = Pending(0.0)
    probe.see(row(ttl=63), "eth0", b"", 1.0)
    probe.fresh = False
    probe.see(row(ttl=63), "eth0", b"", 2.0)
    assert (len(probe.rows), probe.fresh) == (1, False)
    probe.see(row(ttl=62), "eth0", b"", 2.0)
    assert (len(probe.rows), probe.fresh) == (2, True)


def test_a_loop_brings_no_more_than_a_dozen_of_a_kind_at_one_place_and_the_probe_is_known_all_the_same() -> None:
    probe = Pending(0.0)
    for ttl in range(64):
        probe.see(row(ttl=ttl), "eth0", b"", 1.0)
    assert (len(probe.rows), probe.full) == (MOST_COPIES, False)


@pytest.mark.parametrize(("count", "full"), [(MOST_ROWS, False), (MOST_ROWS + 1, True)])
def test_of_a_probe_that_is_sent_again_and_again_no_more_than_so_many_are_kept(count: int, full: bool) -> None:
    probe = Pending(0.0)
    for interface in range(count):
        probe.see(row(interface=interface), "eth0", b"", 1.0)
    assert (len(probe.rows), probe.full) == (MOST_ROWS, full)
