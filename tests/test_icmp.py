"""ICMP errors, in both families."""

from __future__ import annotations

import pytest

from prober import icmp
from prober.icmp import Error
from prober.probe import Kind
from tests.stories import LB, THERE, story


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("3/0 of SYN-ACK from 10.0.0.1", Error.NO_ROUTE), ("3/1 of SYN-ACK from 10.0.0.1 after 9", Error.REFUSES),
        ("3/1 of SYN-ACK from 10.0.0.1 after 3070", Error.NO_HOST), ("3/3 of SYN-ACK from 10.0.0.1", Error.REJECTED),
        ("3/4 of SYN-ACK from 10.0.0.1", Error.OTHER), ("11/0 of SYN-ACK from 10.0.0.1", Error.LOOP),
        ("11/1 of SYN-ACK from 10.0.0.1", Error.OTHER), ("12/0 of SYN-ACK from 10.0.0.1", Error.OTHER),
        ("1/0 of SYN-ACK from fd00::1", Error.NO_ROUTE), ("1/3 of SYN-ACK from fd00::1 after 3070", Error.NO_HOST),
        ("3/0 of SYN-ACK from fd00::1", Error.LOOP), ("2/0 of SYN-ACK from fd00::1", Error.OTHER),
        ("1/1 of SYN-ACK from fd00::1", Error.REJECTED), ("1/4 of SYN-ACK from fd00::1", Error.REJECTED),
    ],
)  # fmt: skip
def test_icmp_numbers_by_family(said, means):
    o = story(f"{THERE}node1 << ICMP {said}")
    assert icmp.meaning(o, o.seen[-1]) == means


@pytest.mark.parametrize(
    ("after", "meaning"), [(0.2, Error.REFUSES), (1000.5, Error.REFUSES), (1300, Error.NO_HOST), (3050, Error.NO_HOST)]
)
def test_an_error_that_quotes_the_reset_of_a_probe_given_up_came_at_once(after: float, meaning: Error):
    """A router's limit may let the error about the RST through and not the one about the SYN, a second before."""
    sent = "firewall >> SYN after 0.1\nfirewall >> own RST after 1000"
    o = story(f"{sent}\nfirewall << ICMP 3/1 of SYN from {LB} after {after}")
    assert icmp.meaning(o, o.saw(Kind.ICMP_SYN)[0]) == meaning
