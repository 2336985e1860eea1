"""One word or number at a time: what it reads to."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober.document import Scalar
from prober.fields import BAD, Kind, Log
from prober.scalars import ADDRESS, AVAILABILITY, HOSTNAME, NETWORK, PORTS, duration, span


def read(kind: Kind, text: str) -> object:
    log = Log("f")
    value = kind.read(Scalar(1, 1, "here", text, True), log)
    assert (value is BAD) == bool(log.mistakes)
    return value if value is not BAD else log.mistakes[0].what


@pytest.mark.parametrize(("text", "share"), [("99.9%", 0.999), ("99.95 %", 0.9995), ("0.999", 0.999), (".5", 0.5)])
def test_an_availability_is_a_share_or_a_percentage(text: str, share: float) -> None:
    assert read(AVAILABILITY, text) == share


@pytest.mark.parametrize("text", ["0", "1", "1.0", "100%", "99.9", "-1", "nan", "1e-3"])
def test_an_availability_outside_0_to_1_is_a_mistake(text: str) -> None:
    assert isinstance(read(AVAILABILITY, text), str)


def test_ports_are_one_or_a_range() -> None:
    assert read(PORTS, "80") == range(80, 81)
    assert read(PORTS, "8000-8001") == range(8000, 8002)
    for bad in ("0", "80-", "-80", "80-70000", "a-b", "1-2-3", "８０"):
        assert isinstance(read(PORTS, bad), str), bad


def test_networks_and_addresses_are_of_both_families() -> None:
    assert read(NETWORK, "2001:db8::/64") == ipaddress.ip_network("2001:db8::/64")
    assert read(NETWORK, "10.1.2.3") == ipaddress.ip_network("10.1.2.3/32")
    assert read(NETWORK, "2001:db8::1/64") == "2001:db8::1/64 has host bits set"
    assert read(ADDRESS, "fe80::1%eth0") == "fe80::1%eth0 has a zone index"
    assert read(ADDRESS, "010.1.1.1") == "010.1.1.1 is not an IP address"


@pytest.mark.parametrize("text", ["-a.example", "a..b", "a b", "x" * 64, ".", "1.2.3.4", "a/b", ""])
def test_what_no_name_server_would_answer_for_is_no_host_name(text: str) -> None:
    assert read(HOSTNAME, text) != text or not text


@given(st.floats(0.001, 10_000_000).map(lambda seconds: round(seconds, 3)))
def test_a_duration_that_we_print_reads_back_the_same(seconds: float) -> None:
    assert read(duration(0, 1e9), span(seconds)) == pytest.approx(seconds, rel=1e-5)
