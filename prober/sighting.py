"""What one agent saw of one segment of one probe: a flat fact, no opinion.

Sightings travel in columns: a `SIGHTING` array, one row each, beside a list of the captured frames. A place is
``where`` (the NIC, a pod's veth, or the host's own stack) and ``way``. On a NIC the way is the host's: in or out.
On a pod's veth it is the *pod's*: ``IN`` went into the pod, ``OUT`` came out of it.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from prober import probe, segment
from prober.segment import FIELDS, IN, OUT, Batch
from prober.translated import Translated


class Where(IntEnum):
    """What kind of place an interface is."""

    NIC = 1
    POD = 2
    STACK = 3


SIGHTING = np.dtype([("probe", "<u4"), ("kind", "u1"), ("where", "u1"), ("sealed", "?"), ("name", "<u2"), *FIELDS])
"""``name`` is an index into the report's list of interface names; the rest are the segment's own columns."""

_ENDS = FIELDS[0][0], FIELDS[-1][0]


def sightings(
    batch: Batch, keys: tuple[bytes, ...], pods: frozenset[int], translated: Translated | None = None
) -> tuple[Batch, Batch]:  # fmt: skip
    """Captured segments -> ``(sightings, rows)``: the recognised ones, and which rows of the batch they were.

    `pods` are the ifindexes of pods' veths; a frame that *leaves* the host through one goes *into* the pod.
    `translated` is what the same tap knows of ports that a NAT has changed.
    """
    ids, kinds, sealed = probe.recognise(batch, keys, translated)
    kinds = probe.copies(batch, kinds)
    rows = np.flatnonzero(kinds != int(probe.Kind.NONE))
    if len(rows) < len(batch):
        batch, ids, kinds, sealed = (one.take(rows) for one in (batch, ids, kinds, sealed))
    seen = np.zeros(len(rows), SIGHTING)
    segment.span(seen, *_ENDS)[:] = segment.span(batch, *_ENDS)
    seen["probe"], seen["kind"], seen["sealed"], seen["where"] = ids, kinds, sealed, int(Where.NIC)
    if pods:
        at_pod = np.isin(seen["interface"], np.fromiter(pods, np.uint32, len(pods)))
        seen["where"][at_pod] = int(Where.POD)
        seen["way"] = np.where(at_pod, np.where(seen["way"] == OUT, IN, OUT), seen["way"])
    return seen, rows
