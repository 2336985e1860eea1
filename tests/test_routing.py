"""Routes, as agents tell them."""

from __future__ import annotations

import pytest

from prober import facts, routing
from prober.report import Route
from prober.verdict import Cause
from tests.stories import LB, RIGHT, THERE, story


@pytest.mark.parametrize(
    ("route", "cause"),
    [
        (Route(type="blackhole", prefix="10.0.0.0/8", error="EINVAL"), Cause.R6), (Route(type="prohibit"), Cause.R6),
        (Route(type="", error="ENETUNREACH"), Cause.R2), (Route(type="", error="ENODEV"), None), (RIGHT, None),
        (Route(type="", error="EINVAL"), None),
    ],
)  # fmt: skip
def test_a_route_refuses_only_where_the_kernel_says_so(route, cause):
    assert routing.refuses(route) == cause


@pytest.mark.parametrize(
    ("prefix", "wider"),
    [("10.19.0.0/16", True), ("10.19.0.0/24", False), ("10.19.0.4/32", False), ("0.0.0.0/0", False), ("", False),
    ("fd00::/8", False)],
)  # fmt: skip
def test_a_route_is_wider_than_the_probers_own_network(prefix, wider):
    assert routing.wider_than_home(story(THERE), Route(prefix=prefix)) is wider


def test_behind_a_nat_the_probers_network_says_nothing_of_the_route():
    o = story(f"node1 << SYN from {LB}")
    assert facts.asked_from(o) == LB and not routing.wider_than_home(o, Route(prefix="10.0.0.0/8"))


def test_a_multipath_route_names_every_hop_it_knows():
    assert routing.owners(story(""), Route(via="10.224.0.1,10.224.0.23,10.224.0.5")) == ("node19", "node2")
