"""What is known of the handshakes under way, a row each, found by id; and what is sent and told of a row.

Nothing is taken out: a row that is done is dead once it has lingered, and goes when room is needed.
"""

from __future__ import annotations

import numpy as np

from prober import segment
from prober.handshake import State
from prober.idtable import IdTable
from prober.report import OUTCOME
from prober.segment import RST, SYN, Batch

LINGER_NS = 3_500_000_000
"""How long a finished handshake still closes what its responder retransmits (after 1 and 3 s, RFC 6298, 2.1)."""

TUPLE = ("src_hi", "src_lo", "dst_hi", "dst_lo", "sport", "dport")
_LEFT = [(f"left_{name}", OUTCOME[name].str) for name in TUPLE]

ROW = np.dtype(
    [
        *OUTCOME.descr, ("tsval", "<u4"), ("left_ns", "<i8"), ("deadline_ns", "<i8"), ("refused_ns", "<i8"),
        ("challenged", "?"), *_LEFT,
    ]
)  # fmt: skip
"""An open handshake: its outcome so far, the seal it carries, when its SYN was seen to leave, its deadline, when it was
asked again for a refusal, whether it was for a challenge, and the four-tuple it left with: this host's own NAT may have
changed it (a service's address), and undoes it for the answer only after the tap has seen that."""

ENDS, LEFT_ENDS, _TOLD = ("src_hi", "dport"), ("left_src_hi", "left_dport"), ("probe", "rtt_ns")
"""The first and last columns of a four-tuple, of the one that it left with, and of an outcome: they lie side by side
and in the same order in all dtypes."""

_LEAST = 1024
"""Rows that there is always room for."""
_SENT = int(State.SENT)  # numpy asks an enum's member for a dozen attributes before it takes it for a number


class Ledger:
    """``rows`` are `ROW`, those that are not taken yet included: `held` is what is held, places are indexes of it.

    `linger_ns` is how long finished ones are still found.
    """

    def __init__(self, linger_ns: int = LINGER_NS) -> None:
        self.rows, self._count = np.zeros(_LEAST, ROW), 0
        self._at = IdTable(_LEAST)
        self._linger_ns = linger_ns

    @property
    def held(self) -> Batch:
        """The rows that are held, the dead among them."""
        return self.rows[: self._count]

    def begin(self, asked: Batch, now_ns: int) -> Batch:
        """Rows for SYNs about to be sent, to be filled in further. ValueError where an id is still in the ledger: its
        answers could not be told."""
        dead = self._refuse_twice(asked["seq"], now_ns)
        if self._count + len(asked) > len(self.rows) or dead:
            self._make_room(len(asked), now_ns)
        fresh = slice(self._count, self._count + len(asked))
        rows = self.rows[fresh]
        rows.view(np.uint8).fill(0)
        for ends in (ENDS, LEFT_ENDS):
            segment.span(rows, *ends)[:] = segment.span(asked, *ENDS)
        rows["probe"], rows["tsval"] = asked["seq"], asked["tsval"]
        self._at.put(asked["seq"], np.arange(fresh.start, fresh.stop))
        self._count = fresh.stop
        return rows

    def find(self, ids: Batch, now_ns: int) -> tuple[Batch, Batch]:
        """``(places, known)``: which ids have a row that is alive, and the places of those alone.

        Alive are those that wait, and those that ended so lately that they are still closed again.
        """
        at = self._at.find(ids)
        known = np.flatnonzero(at >= 0)
        places = at[known]
        alive = self.rows["state"][places] == _SENT
        alive |= self.rows["done_ns"][places] > now_ns - self._linger_ns
        return places[alive], known[alive]

    def _refuse_twice(self, ids: Batch, now_ns: int) -> bool:
        """ValueError where an id is asked for twice, now or by a row that is alive; True where a dead row has one."""
        there = np.flatnonzero(self._at.find(ids) >= 0)
        dead = len(there) > 0
        if dead:
            _, there = self.find(ids, now_ns)
        ordered = np.sort(ids)
        twice = [*ids[there[:1]], *ordered[1:][ordered[1:] == ordered[:-1]][:1]]
        if twice:
            raise ValueError(f"probe {int(twice[0]):#010x} is still open")
        return dead

    def _make_room(self, count: int, now_ns: int) -> None:
        """Room for `count` more rows: the dead go, and where they are too few the table grows."""
        places, _ = self.find(self.held["probe"], now_ns)
        kept = self.rows.take(places)
        size = max(_LEAST, 1 << (2 * (len(kept) + count) - 1).bit_length())
        self.rows, self._count = np.zeros(size, ROW), len(kept)
        self.rows[: len(kept)] = kept
        self._at = IdTable(size)
        self._at.put(kept["probe"], np.arange(len(kept)))


def outcomes(rows: Batch) -> Batch:
    """What is told of these: rows of `report.OUTCOME`."""
    told = np.empty(len(rows), OUTCOME)
    segment.span(told, *_TOLD)[:] = segment.span(rows, *_TOLD)
    return told


def closing(rows: Batch) -> Batch:
    """RSTs that close the responder's side: in sequence (id + 1), with the SYN's own timestamp (RFC 9293, 3.10.7.4).

    `Handshakes` lets the RST of one that was answered show the answer's number, as if it acknowledged it; without the
    flag ACK nobody heeds it (RFC 9293, 3.1). So whoever sees it knows from the packet alone that the answer arrived.
    """
    batch = segment.empty(len(rows))
    segment.span(batch, *ENDS)[:] = segment.span(rows, *ENDS)
    batch["tsval"] = rows["tsval"]
    batch["seq"], batch["flags"], batch["ttl"] = rows["probe"] + np.uint32(1), RST, 64
    return batch


def asking(rows: Batch) -> Batch:
    """The SYNs of these once more: the same four-tuples, numbers and seals."""
    batch = closing(rows)
    batch["seq"], batch["flags"] = rows["probe"], SYN
    return batch
