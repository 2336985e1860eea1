"""Verdicts on many probes of one agent at once, by the same rules: what differs only in addresses is judged once.

Rows are of one sort when they ended the same way and the same kinds of segments were seen of them; `classify` speaks
for one of each sort. A row with an ICMP error is a sort of its own: who sent the error decides there.
"""

from __future__ import annotations

import msgspec
import numpy as np

from prober import observation as ob
from prober import places, segment
from prober.classify import classify
from prober.handshake import State
from prober.idtable import IdTable
from prober.observation import Asked, Observation
from prober.probe import Kind
from prober.segment import OUT, Batch
from prober.sighting import SIGHTING
from prober.verdict import Label, Verdict

_ICMP = np.uint64(1) << np.uint64(Kind.ICMP_SYN)
_ICMP |= np.uint64(1) << np.uint64(Kind.ICMP_SYN_ACK)


class Swept(msgspec.Struct):
    """An agent's probes: `OUTCOME` rows, its `SIGHTING` rows of them in parts, and whether it captured throughout.

    ``target`` is what the verdicts call the other end.
    """

    source: str
    target: str
    outcomes: Batch
    sightings: list[Batch]
    watched: bool

    def labels(self) -> tuple[list[Label], Batch]:
        """``(labels, index)``: the labels that occur, and which of them each row has."""
        sorts, first, sort_of = np.unique(self._sorts(), return_index=True, return_inverse=True)
        said = [self.verdict(int(row)).label for row in first]
        occurring = list(dict.fromkeys(said))
        return occurring, np.array([occurring.index(one) for one in said], np.uint8)[sort_of] if len(sorts) else sort_of

    def verdict(self, row: int) -> Verdict:
        """What is said of one row."""
        return classify(self.observation(row))

    def observation(self, row: int) -> Observation:
        """One probe, from this one vantage: nobody is known to watch at the other end."""
        one = self.outcomes[row]
        asked = Asked(
            src=str(segment.address(one["src_hi"], one["src_lo"])),
            dst=str(segment.address(one["dst_hi"], one["dst_lo"])), sport=int(one["sport"]), dport=int(one["dport"]),
            state=State(int(one["state"])), error=int(one["error"]), rtt_ms=int(one["rtt_ns"]) / 1e6 or None,
        )  # fmt: skip
        mine = segment.join([part[part["probe"] == one["probe"]] for part in self.sightings], SIGHTING)
        seen = tuple(
            ob.seen(self.source, told, f"if{int(mine['interface'][at])}", b"", (told_ns - int(one["sent_ns"])) / 1e6)
            for at, (told, told_ns) in enumerate(zip(mine.tolist(), mine["time_ns"].tolist(), strict=True))
        )
        watching = frozenset({self.source} if self.watched else ())
        lasted = (int(one["done_ns"]) - int(one["sent_ns"])) / 1e9
        missing = f"no agent covers {self.target}: nobody saw whether the SYN arrived or an answer left"
        return Observation(
            probe=int(one["probe"]), source=self.source, target=self.target, asked=asked, responders=(), seen=seen,
            places=places.places(asked, self.source, (), seen, watching, False, lasted), missing=(missing,),
        )  # fmt: skip

    def _sorts(self) -> Batch:
        """A number a row; rows of one sort share it. What was answered is of one sort, whatever else was seen of it."""
        ended = self.outcomes
        told = ended["state"].astype(np.uint64) << np.uint64(32) | ended["error"].astype(np.uint64) << np.uint64(40)
        rows = np.flatnonzero((ended["state"] != int(State.ANSWERED)) | (ended["error"] != 0))
        if not len(rows):
            return told
        seen = self._seen(ended["probe"][rows])
        alone = (seen & (_ICMP | _ICMP << np.uint64(16))) != 0
        # From bit 63 down: a sort of its own, by row, where an ICMP error speaks.
        told[rows] = np.where(alone, np.uint64(1 << 63) | rows.astype(np.uint64), told[rows] | seen)
        return told

    def _seen(self, probes: Batch) -> Batch:
        """For each of these probes a bit for every kind of segment that was seen of it, each way."""
        table = IdTable(len(probes))
        table.put(probes, np.arange(len(probes)))
        seen = np.zeros(len(probes), np.uint64)
        for part in self.sightings:
            at = table.find(part["probe"])
            for kind in Kind:
                for leaving in (False, True):
                    these = (part["kind"] == kind) & ((part["way"] == OUT) == leaving) & (at >= 0)
                    seen[at[these]] |= np.uint64(1) << np.uint64(kind + 16 * leaving)
        return seen
