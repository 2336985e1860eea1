"""Addresses as two columns, whatever the family."""

from __future__ import annotations

import ipaddress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober import segment
from prober.ledger import ROW
from prober.report import OUTCOME
from prober.segment import SEGMENT
from prober.sighting import SIGHTING

MAPPED = ipaddress.ip_network("::ffff:0:0/96")
ADDRESSES = st.ip_addresses().filter(lambda one: one.version == 4 or one not in MAPPED)


@given(ADDRESSES)
def test_an_address_comes_back_from_its_columns(address):
    assert segment.address(*segment.pair(address)) == address


def test_an_ipv4_address_is_the_mapped_one():
    assert segment.pair("10.19.0.4") == (0, 0xFFFF_0A13_0004)
    assert segment.pair("::ffff:10.19.0.4") == segment.pair("10.19.0.4")


@given(st.lists(ADDRESSES, max_size=5))
def test_many_addresses_are_the_same_pairs(addresses):
    hi, lo = segment.columns(addresses)
    assert [segment.address(*one) for one in zip(hi, lo, strict=True)] == addresses


def test_columns_hold_the_highest_address():
    hi, lo = segment.columns(["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"])
    assert (int(hi[0]), int(lo[0])) == (2**64 - 1, 2**64 - 1)


def test_the_family_is_told_by_the_destination():
    batch = segment.empty(4)
    batch["dst_hi"], batch["dst_lo"] = segment.columns(["10.0.0.1", "fd00::1", "::1", "255.255.255.255"])
    assert segment.is_ipv4(batch).tolist() == [True, False, False, True]


def test_an_empty_batch_is_a_batch():
    assert len(segment.empty()) == 0
    assert segment.is_ipv4(segment.empty()).tolist() == []
    assert [len(one) for one in segment.columns([])] == [0, 0]


@pytest.mark.parametrize(("value", "text"), [(0, ""), (0x02AB, "00:00:00:00:02:ab"), (2**48 - 1, "ff:ff:ff:ff:ff:ff")])
def test_a_mac_is_written_as_people_write_it(value, text):
    assert segment.mac_text(value) == text


def test_flags_are_named_in_the_order_people_say_them():
    assert segment.flags_text(segment.SYN | segment.ACK) == "SYN,ACK"
    assert segment.flags_text(segment.RST | segment.ACK) == "RST,ACK"
    assert segment.flags_text(0) == ""
    assert segment.flags_text(np.uint8(0xC2)) == "SYN"


SPANS = {
    "a segment in a sighting": (SEGMENT, SIGHTING, ("src_hi", "vni"), ("src_hi", "vni")),
    "a SYN's four-tuple": (SEGMENT, ROW, ("src_hi", "dport"), ("src_hi", "dport")),
    "the one it left with": (SIGHTING, ROW, ("src_hi", "dport"), ("left_src_hi", "left_dport")),
    "an outcome": (ROW, OUTCOME, ("probe", "rtt_ns"), ("probe", "rtt_ns")),
}


@pytest.mark.parametrize("what", SPANS)
def test_columns_that_are_copied_as_one_lie_the_same_in_both(what):
    one, other, these, those = SPANS[what]
    source, copy = np.zeros(3, one), np.zeros(3, other)
    source.view(np.uint8)[:] = np.random.default_rng(7).integers(0, 2, source.nbytes)
    segment.span(copy, *those)[:] = segment.span(source, *these)
    names = [list(dtype.names)[dtype.names.index(a) : dtype.names.index(b) + 1]
             for dtype, (a, b) in ((one, these), (other, those))]  # fmt: skip
    assert [name.removeprefix("left_") for name in names[1]] == names[0]
    for name, copied in zip(*names, strict=True):
        assert (copy[copied] == source[name]).all()
