"""A probe's identity: hard to forge, easy to recognise."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prober import probe, segment
from prober.probe import Kind
from prober.segment import ACK, FIN, PSH, RST, SYN
from prober.translated import Translated

KEY, OLD, OTHER = bytes(range(16)), b"the key before..", b"somebody else's."
MASK = 2**64 - 1


def siphash(key: bytes, data: bytes) -> int:
    """SipHash-2-4 in plain integers, straight from the paper's section 2."""
    low, high = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    v = [low ^ 0x736F6D6570736575, high ^ 0x646F72616E646F6D, low ^ 0x6C7967656E657261, high ^ 0x7465646279746573]

    def turn(value, bits):
        return (value << bits | value >> (64 - bits)) & MASK

    def rounds(count):
        for _ in range(count):
            v[0], v[2] = (v[0] + v[1]) & MASK, (v[2] + v[3]) & MASK
            v[1], v[3] = turn(v[1], 13) ^ v[0], turn(v[3], 16) ^ v[2]
            v[0] = turn(v[0], 32)
            v[2], v[0] = (v[2] + v[1]) & MASK, (v[0] + v[3]) & MASK
            v[1], v[3] = turn(v[1], 17) ^ v[2], turn(v[3], 21) ^ v[0]
            v[2] = turn(v[2], 32)

    whole = len(data) // 8 * 8
    words = [data[i : i + 8] for i in range(0, whole, 8)] + [data[whole:].ljust(7, b"\0") + bytes([len(data) % 256])]
    for word in words:
        number = int.from_bytes(word, "little")
        v[3] ^= number
        rounds(2)
        v[0] ^= number
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


@pytest.mark.parametrize(
    ("length", "digest"),
    [
        (0, 0x726FDB47DD0E0E31),
        (1, 0x74F839C593DC67FD),
        (7, 0xAB0200F58B01D137),
        (8, 0x93F5F5799A932462),
        (15, 0xA129CA6149BE45E5),
    ],
)
def test_the_plain_siphash_gives_the_authors_own_vectors(length, digest):
    assert siphash(KEY, bytes(range(length))) == digest


def test_the_seal_gives_the_authors_vector_for_eight_bytes():
    message = np.array([int.from_bytes(bytes(range(8)), "little")], np.uint64)
    assert probe.seal(message, KEY).tolist() == [0x9A932462]


@given(st.binary(min_size=16, max_size=16), st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=20))
def test_the_seal_is_siphash_of_the_id_cut_to_32_bits(key, ids):
    expected = [(siphash(key, one.to_bytes(8, "little")) & 0xFFFF_FFFF) or 1 for one in ids]
    assert probe.seal(np.array(ids, np.uint32), key).tolist() == expected


def test_sealing_changes_nothing_of_what_it_is_given():
    ids = np.arange(5, dtype=np.uint64)
    probe.seal(ids, KEY)
    assert ids.tolist() == [0, 1, 2, 3, 4]


def _answers(ids, keys=KEY):
    batch = segment.empty(len(ids))
    batch["sport"], batch["dport"], batch["flags"] = 80, 61440, SYN | ACK
    batch["ack"], batch["tsecr"] = np.asarray(ids, np.uint32) + np.uint32(1), probe.seal(ids, keys)
    return batch


def test_of_a_million_forged_answers_none_is_accepted_and_fast():
    random = np.random.default_rng(7)
    batch = _answers(np.zeros(1_000_000, np.uint32))
    batch["ack"] = random.integers(0, 2**32, len(batch))
    batch["tsecr"] = random.integers(0, 2**32, len(batch))
    batch["tsecr"][: len(batch) // 4] = 0  # a host without timestamps: the prober's own table has the last word
    started = time.perf_counter()
    _, kinds, sealed = probe.recognise(batch, (KEY, OLD))
    assert time.perf_counter() - started < 5
    assert not kinds[batch["tsecr"] != 0].any()
    assert not sealed.any()


def test_genuine_answers_are_all_recognised():
    ids = np.random.default_rng(8).integers(0, 2**32, 10_000).astype(np.uint32)
    again, kinds, sealed = probe.recognise(_answers(ids), (KEY, OLD))
    assert (again == ids).all()
    assert (kinds == Kind.SYN_ACK).all()
    assert sealed.all()


def test_the_key_before_still_counts_and_a_third_does_not():
    ids = np.arange(3, dtype=np.uint32)
    assert probe.recognise(_answers(ids, OLD), (KEY, OLD))[2].all()
    assert not probe.recognise(_answers(ids, OTHER), (KEY, OLD))[1].any()


def test_an_answer_replayed_for_another_probe_is_none():
    batch = _answers(np.array([5], np.uint32))
    batch["ack"] += 1
    assert probe.recognise(batch, (KEY,))[1].tolist() == [Kind.NONE]


def test_the_last_id_wraps_into_acknowledgement_zero():
    batch = _answers(np.array([2**32 - 1], np.uint32))
    assert batch["ack"].tolist() == [0]
    ids, kinds, _ = probe.recognise(batch, (KEY,))
    assert (ids.tolist(), kinds.tolist()) == ([2**32 - 1], [Kind.SYN_ACK])


def test_an_id_is_agent_and_serial_and_a_serial_comes_again_after_a_million():
    assert probe.identity(1, 2) == 0x0010_0002
    assert probe.identity(4095, probe.SERIALS - 1) == 2**32 - 1
    assert probe.identity(3, probe.SERIALS + 5) == probe.identity(3, 5)


def test_the_ports_are_128_outside_linuxs_ephemeral_range_and_known_again():
    assert len(set(probe.PORTS)) == 128
    assert not [port for port in probe.PORTS if 32768 <= port <= 60999]
    every = np.arange(65536, dtype=np.uint16)
    assert np.flatnonzero(probe.is_probe_port(every)).tolist() == list(probe.PORTS)


PROBE, TARGET = 61440, 8080


@pytest.mark.parametrize(
    ("sport", "dport", "flags", "icmp", "kind"),
    [
        (PROBE, TARGET, SYN, 0, Kind.SYN),
        (TARGET, PROBE, SYN | ACK, 0, Kind.SYN_ACK),
        (PROBE, TARGET, ACK, 0, Kind.ACK),
        (PROBE, TARGET, RST, 0, Kind.RST),
        (PROBE, TARGET, RST | ACK, 0, Kind.RST),
        (TARGET, PROBE, RST, 0, Kind.REFUSAL),
        (TARGET, PROBE, RST | ACK, 0, Kind.REFUSAL),
        (PROBE, TARGET, SYN, 3, Kind.ICMP_SYN),
        (PROBE, TARGET, 0, 11, Kind.ICMP_SYN),
        (TARGET, PROBE, SYN | ACK, 3, Kind.ICMP_SYN_ACK),
        (TARGET, PROBE, 0, 11, Kind.ICMP_SYN_ACK),
        (TARGET, 443, ACK, 3, Kind.NONE),
        (TARGET, PROBE, ACK, 0, Kind.CHALLENGE),
        (443, TARGET, SYN, 0, Kind.SYN),
        (TARGET, 443, SYN | ACK, 0, Kind.SYN_ACK),
        (PROBE, TARGET, FIN | ACK, 0, Kind.NONE),
        (443, TARGET, ACK, 0, Kind.NONE),
        (443, TARGET, RST, 0, Kind.RST),
        (TARGET, 443, RST | ACK, 0, Kind.REFUSAL),
        (PROBE, TARGET, SYN | PSH | 0xC0, 0, Kind.SYN),
    ],
)
def test_the_kind_of_a_segment(sport, dport, flags, icmp, kind):
    batch = segment.empty(1)
    batch["sport"], batch["dport"], batch["flags"], batch["icmp_type"] = sport, dport, flags, icmp
    assert Kind(int(probe.kinds(batch)[0])) == kind


@pytest.mark.parametrize(
    ("flags", "icmp", "ahead"), [(SYN, 0, 0), (RST, 0, 1), (ACK, 0, 1), (SYN, 3, 0), (RST, 3, 1), (0, 11, 0)]
)
def test_the_probers_own_segments_carry_the_id_in_their_sequence_number(flags, icmp, ahead):
    rows = segment.empty(1)
    rows["sport"], rows["dport"] = PROBE, TARGET
    asked = probe.ask(np.array([77], np.uint32), KEY, rows)
    asked["seq"] += ahead
    asked["flags"], asked["icmp_type"] = flags, icmp
    ids, kinds, sealed = probe.recognise(asked, (KEY,))
    assert (ids.tolist(), sealed.tolist()) == ([77], [True])
    assert kinds[0] != Kind.NONE


@pytest.mark.parametrize(
    ("flags", "icmp", "kind"),
    [
        (RST | ACK, 0, Kind.REFUSAL),
        (SYN | ACK, 3, Kind.ICMP_SYN_ACK),
        (SYN | ACK, 0, Kind.SYN_ACK),
    ],
)
def test_without_a_timestamp_an_answer_is_kept_and_unsealed(flags, icmp, kind):
    batch = _answers(np.array([9], np.uint32))
    batch["flags"], batch["icmp_type"], batch["tsecr"] = flags, icmp, 0
    ids, kinds, sealed = probe.recognise(batch, (KEY,))
    assert (ids.tolist(), kinds.tolist(), sealed.tolist()) == ([9], [kind], [False])


def test_behind_a_nat_that_changed_the_port_the_seal_alone_tells():
    batch = _answers(np.array([5, 6], np.uint32))
    batch["dport"], batch["tsecr"][1] = 1024, batch["tsecr"][1] ^ 1
    ids, kinds, sealed = probe.recognise(batch, (KEY,))
    assert (ids[0], kinds.tolist(), sealed.tolist()) == (5, [Kind.SYN_ACK, Kind.NONE], [True, False])


def _behind_a_nat(ids):
    """SYNs as they left a NAT that took other ports, and the RSTs that answer them."""
    there = probe.ask(np.array(ids, np.uint32), KEY, segment.empty(len(ids)))
    there["src_lo"], there["dst_lo"], there["sport"], there["dport"] = 1, 2, 1024 + np.arange(len(ids)), 80
    back = segment.empty(len(ids))
    for name, other in (("src_lo", "dst_lo"), ("dst_lo", "src_lo"), ("sport", "dport"), ("dport", "sport")):
        back[name] = there[other]
    back["flags"], back["ack"] = RST | ACK, there["seq"] + np.uint32(1)
    return there, back


def test_behind_such_a_nat_an_rst_counts_only_where_its_syn_was_seen():
    there, back = _behind_a_nat([5, 6, 7, 8])
    back["dst_lo"][1], back["sport"][2], back["ack"][3] = 3, 81, 6
    assert not probe.recognise(back, (KEY,), Translated())[1].any()
    assert not probe.recognise(segment.join([there, back], segment.SEGMENT), (KEY,))[1][4:].any()
    seen = Translated()
    ids, kinds, sealed = probe.recognise(segment.join([there, back], segment.SEGMENT), (KEY,), seen)
    assert kinds.tolist() == [Kind.SYN] * 4 + [Kind.REFUSAL] + [Kind.NONE] * 3
    assert (ids[4], sealed[4:].any()) == (5, False)
    assert probe.recognise(back, (KEY,), seen)[1].tolist() == [Kind.REFUSAL] + [Kind.NONE] * 3


def test_a_forged_syn_makes_no_rst_the_fleets_own():
    there, back = _behind_a_nat([5])
    there["tsval"] ^= 1
    assert not probe.recognise(segment.join([there, back], segment.SEGMENT), (KEY,), Translated())[1].any()


def test_asking_makes_syns_that_carry_their_ids_sealed():
    asked = probe.ask(np.array([1, 2], np.uint32), KEY, segment.empty(2))
    assert asked["flags"].tolist() == [SYN, SYN]
    assert asked["seq"].tolist() == [1, 2]
    assert (asked["tsval"] == probe.seal(np.array([1, 2]), KEY)).all()


def test_nothing_seen_is_nothing_recognised():
    assert [len(column) for column in probe.recognise(segment.empty(), (KEY,))] == [0, 0, 0]


def test_one_probe_of_so_many_is_told_entirely_and_every_target_has_its_turn():
    ids = np.arange(1 << probe.SERIAL_BITS, dtype=np.uint32) + np.uint32(5 << probe.SERIAL_BITS)
    assert probe.is_whole(ids, 1).all()
    chosen = np.flatnonzero(probe.is_whole(ids, 200))
    assert len(chosen) == pytest.approx(len(ids) / 200, rel=0.02)
    for targets in (1000, 200, 128):
        assert len(np.unique(chosen % targets)) == targets
