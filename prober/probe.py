"""A probe's identity: how it rides in a SYN and is recognised in whatever comes back.

The id is 32 bits, ``agent number (12) | serial (20)``, and *is* the initial sequence number: it returns as
``ack - 1`` in the SYN-ACK and in a quoted SYN-ACK, through SNAT and DNAT (RFC 9293, 3.4). A serial is not used
again for a million probes, so a late answer never counts for a later question.

TSval carries a 32-bit seal over the id (SipHash-2-4 under the fleet's key) and returns as TSecr (RFC 7323, 3.2):
any agent knows a stray reply for the fleet's own without a table, and nobody forges one blindly (2**-32 a try).
A segment without timestamps (a kernel's RST, a quote cut short) is *unsealed*: it counts only where the
four-tuple of a known probe agrees; where a NAT gave the probe another port, that of a sealed SYN seen by the same tap.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache

import numpy as np

from prober import segment
from prober.segment import ACK, FIN, RST, SYN, Batch
from prober.translated import Translated

SERIAL_BITS = 20
AGENTS = 1 << (32 - SERIAL_BITS)
SERIALS = 1 << SERIAL_BITS

PORTS: tuple[int, ...] = tuple(range(20480, 20544)) + tuple(range(61440, 61504))
"""Source ports of every agent, a low and a high band outside Linux's ephemeral range 32768-60999.

128 of them, so that a target probed once a second is not asked from the same four-tuple within the 63 s
for which its kernel keeps a half-open socket (``tcp_synack_retries`` = 5)."""

PORT_BANDS: tuple[int, ...] = (20480, 61440)
PORT_BAND_SIZE = 64
"""Each band is aligned to its size, so that one mask and two compares in a kernel filter find a probe."""


class Kind(IntEnum):
    """What a segment is in the life of a probe."""

    NONE = 0
    SYN = 1
    SYN_ACK = 2
    ACK = 3
    RST = 4
    """The prober's own RST, which closes what it opened."""
    REFUSAL = 5
    """An RST (or RST,ACK) towards the prober."""
    ICMP_SYN = 6
    """An ICMP error that quotes the prober's segment."""
    ICMP_SYN_ACK = 7
    """An ICMP error that quotes the answer: the return path speaks."""
    ECHO = 8
    """A copy of an answer, which the responder's agent sent: the way back is being swept."""
    ICMP_ECHO = 9
    """An ICMP error that quotes such a copy."""
    CHALLENGE = 10
    """A bare ACK towards the prober: its SYN met a socket that an earlier SYN of the same four-tuple had left there.

    It acknowledges that earlier SYN, whose id and seal it carries (RFC 9293, 3.10.7.4; tcp_check_req,
    net/ipv4/tcp_minisocks.c; tcp_validate_incoming, net/ipv4/tcp_input.c)."""


def identity(agent: int, serial: int) -> int:
    """The id of one agent's `serial`-th probe."""
    return (agent % AGENTS) << SERIAL_BITS | serial % SERIALS


def is_whole(ids: Batch, whole: int) -> Batch:
    """A mask: which of these probes are told entirely where one of so many is; both ends know it from the id.

    A multiplicative hash (Knuth, "The Art of Computer Programming", 6.4): serials that are a round of targets apart
    must not always be chosen together, or the same few pairs would be told for ever.
    """
    mask: Batch = (np.asarray(ids, np.uint32) * np.uint32(0x9E3779B1)).astype(np.uint64) * np.uint64(whole) < 1 << 32
    return mask


def is_probe_port(ports: Batch) -> Batch:
    """A mask: which of these ports belong to the fleet's bands."""
    base = np.asarray(ports) & np.uint16(0x10000 - PORT_BAND_SIZE)
    low, high = PORT_BANDS
    mask: Batch = (base == low) | (base == high)
    return mask


def seal(ids: Batch, key: bytes) -> Batch:
    """SipHash-2-4 of each id (as 8 little-endian bytes) under a 16-byte key, its low 32 bits; never 0.

    Column-wise after Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), section 2.
    """
    state = np.repeat(_begun(key), len(ids), axis=1)
    for word in (np.asarray(ids).astype(np.uint64), _EIGHT_BYTES):
        state[3] ^= word
        _rounds(state, 2)
        state[0] ^= word
    state[2] ^= _FINISH
    _rounds(state, 4)
    digest = np.bitwise_xor.reduce(state, axis=0).astype(np.uint32)
    return np.where(digest == 0, np.uint32(1), digest)


_EIGHT_BYTES, _FINISH = np.array(8 << 56, np.uint64), np.array(0xFF, np.uint64)


def _by(*bits: int) -> tuple[Batch, Batch]:
    """Rotations to the left, a row each, as two shifts."""
    left = np.array(bits, np.uint64).reshape(-1, 1)
    return left, np.uint64(64) - left


_FIRST, _SECOND, _HALF = _by(13, 16), _by(17, 21), _by(32)


@cache
def _begun(key: bytes) -> Batch:
    """The four words that `key` makes, below each other."""
    low, high = (int.from_bytes(key[i : i + 8], "little") for i in (0, 8))
    words = (0x736F6D6570736575 ^ low, 0x646F72616E646F6D ^ high, 0x6C7967656E657261 ^ low, 0x7465646279746573 ^ high)
    return np.array(words, np.uint64).reshape(4, 1)


def _rotate(rows: Batch, by: tuple[Batch, Batch]) -> None:
    """In place, 64 bits wide."""
    left, right = by
    high = rows >> right
    rows <<= left
    rows |= high


def _rounds(state: Batch, count: int) -> None:
    """SipRounds over the four rows of `state`, two rows at a time wherever the paper's two halves do the same."""
    even, odd, crossed = state[0::2], state[1::2], state[2::-2]
    for _ in range(count):
        even += odd
        _rotate(odd, _FIRST)
        odd ^= even
        _rotate(state[:1], _HALF)
        crossed += odd
        _rotate(odd, _SECOND)
        odd ^= crossed
        _rotate(state[2:3], _HALF)


def kinds(batch: Batch) -> Batch:
    """The `Kind` of each captured row, from flags and ports alone.

    A SYN, its answer or the RST that closes it may have any port: behind a NAT that found the probe's own port taken
    only its seal tells, and of an RST,ACK, which has none, only the SYN that was seen.
    """
    asking, answering = (is_probe_port(batch[name]) for name in ("sport", "dport"))
    index = (batch["flags"] & np.uint8(0x1F)).astype(np.intp)
    index += asking * np.intp(0x20) + answering * np.intp(0x40) + (batch["icmp_type"] != 0) * np.intp(0x80)
    return _KINDS[index]


def _kinds() -> Batch:
    """The `Kind` for each combination of flags (5 bits), asking port, answering port and ICMP error."""
    every = np.arange(256)
    flags = every & (SYN | ACK | RST | FIN)
    asking = (every & 0x20 != 0) | (flags == SYN)
    answering = (every & 0x40 != 0) | (flags == SYN | ACK)
    error, reset = every & 0x80 != 0, (flags & RST) != 0
    rules = [
        (error & asking, Kind.ICMP_SYN),
        (error & answering, Kind.ICMP_SYN_ACK),
        (error, Kind.NONE),
        (asking & (flags == SYN), Kind.SYN),
        (answering & (flags == SYN | ACK), Kind.SYN_ACK),
        (asking & reset, Kind.RST),
        (answering & reset, Kind.REFUSAL),
        (asking & (flags == ACK), Kind.ACK),
        (answering & (flags == ACK), Kind.CHALLENGE),
        (flags == RST, Kind.RST),
        (flags == RST | ACK, Kind.REFUSAL),
    ]
    return np.select([mask for mask, _ in rules], [np.uint8(kind) for _, kind in rules], np.uint8(0))


_KINDS = _kinds()
_ASKING = np.isin(np.arange(len(Kind)), (Kind.SYN, Kind.ACK, Kind.RST, Kind.ICMP_SYN))


def recognise(
    batch: Batch, keys: tuple[bytes, ...], translated: Translated | None = None
) -> tuple[Batch, Batch, Batch]:  # fmt: skip
    """``(ids, kinds, sealed)`` of captured rows, each a column as long as the batch.

    `keys` are the fleet's current key and the one before. ``sealed`` is true where the timestamp proves the
    id; a row whose timestamp is there and *wrong* is a forgery and gets `Kind.NONE`. A host with
    ``tcp_timestamps=0`` answers without one: such a row is kept, unsealed, where its port is a probe's, and an RST
    where it is that of a SYN in `translated`, which is the tap's and learns from each batch.
    """
    kind, flags = kinds(batch), batch["flags"]
    asking = _ASKING[kind]
    past_syn = (flags != 0) & (flags & SYN == 0)  # a quote cut after 8 bytes shows no flags
    ids = np.where(asking, batch["seq"] - past_syn, batch["ack"] - np.uint32(1)).astype(np.uint32)
    stamp = np.where(asking, batch["tsval"], batch["tsecr"])
    sealed = np.zeros(len(batch), bool)
    for key in keys:  # nearly all carry the current key's seal: few are left for the one before
        rows = np.flatnonzero((kind != 0) & (stamp != 0) & ~sealed)
        if not len(rows):
            break
        sealed[rows] = seal(ids[rows], key) == stamp[rows]
    ours = np.where(asking, is_probe_port(batch["sport"]), is_probe_port(batch["dport"]))
    told = sealed | ((stamp == 0) & ours)
    if translated is not None and not ours.all():
        translated.note(batch, ids, (kind == int(Kind.SYN)) & sealed & ~ours)
        told |= translated.answered(batch, ids, (kind == int(Kind.REFUSAL)) & (stamp == 0) & ~ours)
    return ids, np.where(told, kind, np.uint8(0)), sealed


def ask(ids: Batch, key: bytes, rows: Batch) -> Batch:
    """`rows` (addresses and ports filled in) made SYNs that carry `ids`."""
    rows["flags"], rows["ttl"] = segment.SYN, 64
    rows["seq"], rows["ack"] = ids, 0
    rows["tsval"], rows["tsecr"] = seal(ids, key), 0
    return rows


def echo(syn: Batch, ttls: list[int]) -> Batch:
    """Copies of the answer to a SYN (one row) with these TTLs, to send.

    Each acknowledges the probe and carries its seal, as the kernel's own SYN-ACK does; that it is a copy is told by a
    TSval that is the seal's complement. The sequence number holds the TTL and, above it, the copy's number.
    """
    rows = segment.empty(len(ttls))
    for name, other in (("src", "dst"), ("dst", "src")):
        for part in ("hi", "lo"):
            rows[f"{name}_{part}"] = syn[f"{other}_{part}"]
    rows["sport"], rows["dport"], rows["flags"] = syn["dport"], syn["sport"], SYN | ACK
    rows["ack"], rows["tsecr"], rows["tsval"] = syn["seq"] + np.uint32(1), syn["tsval"], ~syn["tsval"]
    rows["ttl"], rows["seq"] = ttls, np.arange(len(ttls)) << 8 | np.asarray(ttls, np.uint32)
    return rows


_COPIED = np.arange(len(Kind), dtype=np.uint8)
_COPIED[[Kind.SYN_ACK, Kind.ICMP_SYN_ACK]] = Kind.ECHO, Kind.ICMP_ECHO


def copies(batch: Batch, kind: Batch) -> Batch:
    """`kind` with the copies of answers, and the errors that quote one, told from the answers themselves."""
    copy = (batch["tsecr"] != 0) & (batch["tsval"] == ~batch["tsecr"])
    return np.where(copy, _COPIED[kind], kind) if copy.any() else kind
