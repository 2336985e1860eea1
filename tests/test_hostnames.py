"""A target declared by its host name is pinned to one of its addresses that policy permits."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from prober import hostnames, plan
from prober.address import Address
from prober.targets import Targets, parse

DEMO = Path(__file__).parents[1] / "targets.yaml"
NAME = "ingress.example.org"


@pytest.fixture
def declared() -> Targets:
    return parse(DEMO.read_text(encoding="utf-8").replace("address: 10.4.76.34", f"hostname: {NAME}"))


def addresses(*texts: str) -> list[Address]:
    return [ipaddress.ip_address(one) for one in texts]


def test_a_name_is_pinned_to_an_address_that_policy_permits(declared: Targets) -> None:
    assert hostnames.names(declared) == [NAME]
    found = addresses("2001:db8::1", "192.0.2.1", "10.4.76.34")
    pinned, wrong = hostnames.pin(declared, {NAME: found})
    assert (pinned.target("ingress").address, wrong) == (found[2], [])
    forbidden, wrong = hostnames.pin(declared, {NAME: found[:2]})
    assert forbidden == declared
    assert wrong == [f"target ingress: {NAME} is 192.0.2.1, port 8080, which lies outside policy.allow"]
    assert hostnames.pin(declared, {}) == (declared, [])


def test_of_many_it_is_the_one_before_and_else_the_lowest_in_whatever_order_they_come(declared: Targets) -> None:
    found = addresses("10.4.76.40", "10.4.76.36", "10.4.76.38")
    first, _ = hostnames.pin(declared, {NAME: found})
    assert first.target("ingress").address == found[1]
    later, _ = hostnames.pin(declared, {NAME: [*addresses("10.4.76.35"), *found]}, first)
    assert later.target("ingress").address == found[1]
    gone, _ = hostnames.pin(declared, {NAME: found[::2]}, first)
    assert gone.target("ingress").address == found[2]


def test_loopback_is_refused_by_whatever_name(declared: Targets) -> None:
    local = hostnames.look_up("localhost")
    _, [why] = hostnames.pin(declared, {NAME: local})
    assert why.startswith(f"target ingress: {NAME} is ") and "which is a loopback address" in why


def test_what_has_no_address_yet_is_a_cell_that_nobody_asks(declared: Targets) -> None:
    cells = {key[:2] for key in plan.cells(declared)}
    assert ("firewall", "ingress") in cells and ("ingress", "ingress") not in cells
    assert "ingress" not in {one.target for one in plan.pairs(declared)}
    assert {one.key for one in plan.pairs(declared)} == {key for key in cells if key[1] != "ingress"}
    sources, names, every = plan.periods(declared)
    found = {(sources[row], names[column]) for row, column in zip(*(every < 1e9).nonzero(), strict=True)}
    assert found == cells
