"""A target declared by its host name is pinned to one of its addresses, or refused in a sentence."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from prober import hostnames
from prober.errors import ConfigInvalid
from prober.targets import parse

DEMO = Path(__file__).parents[1] / "targets.yaml"


def test_host_names_are_pinned_once_to_an_address_that_policy_permits() -> None:
    text = DEMO.read_text(encoding="utf-8").replace("address: 10.4.76.34", "hostname: ingress.example.org")
    answers = [ipaddress.ip_address(one) for one in ("2001:db8::1", "192.0.2.1", "10.4.76.34")]
    assert hostnames.pin(parse(text), lambda name: list(answers)).target("ingress").address == answers[2]
    with pytest.raises(ConfigInvalid, match="ingress.example.org is 2001:db8::1, port 8080, which lies outside"):
        hostnames.pin(parse(text), lambda name: list(answers[:2]))
    with pytest.raises(ConfigInvalid, match="target ingress: ingress.example.org has no address"):
        hostnames.pin(parse(text), lambda name: [])


def test_a_name_that_resolves_to_loopback_is_refused_by_the_real_resolver() -> None:
    text = DEMO.read_text(encoding="utf-8").replace("address: 10.4.76.34", "hostname: localhost")
    with pytest.raises(ConfigInvalid, match="target ingress: localhost is .*, which is a loopback address"):
        hostnames.pin(parse(text))
