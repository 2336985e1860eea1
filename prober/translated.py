"""Probes to which a NAT gave another source port, as one tap saw them: by them an RST without a seal is told.

Masquerading takes another port wherever the probe's own is in use (nf_nat_core.c, get_unique_tuple), and an RST has no
timestamps: from such a port it is the fleet's only if a sealed SYN went the other way.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from prober.segment import Batch

MOST = 8192
"""SYNs that are remembered; the oldest are forgotten."""

_THERE = ["src_hi", "src_lo", "sport", "dst_hi", "dst_lo", "dport"]
_BACK = ["dst_hi", "dst_lo", "dport", "src_hi", "src_lo", "sport"]


class Translated:
    """The four-tuples of sealed SYNs whose source port is no probe's, by the probe's id; one a tap."""

    def __init__(self) -> None:
        self._flows: dict[int, tuple[Any, ...]] = {}

    def note(self, batch: Batch, ids: Batch, syns: Batch) -> None:
        """`syns`, a mask, are such SYNs."""
        for row in np.flatnonzero(syns).tolist():
            self._flows[int(ids[row])] = batch[_THERE][row].item()
        while len(self._flows) > MOST:
            del self._flows[next(iter(self._flows))]

    def answered(self, batch: Batch, ids: Batch, resets: Batch) -> Batch:
        """Which of `resets`, a mask, answer a SYN that was noted: its id, and its four-tuple the other way round."""
        told = np.zeros(len(batch), bool)
        for row in np.flatnonzero(resets).tolist():
            told[row] = self._flows.get(int(ids[row])) == batch[_BACK][row].item()
        return told
