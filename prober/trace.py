"""How far a segment came, by the routers that told when its TTL ran out: on the way in, and on the way back.

The way in is swept by the prober with SYNs. The way back is swept by the *responder*, with copies of its own SYN-ACK
of the same five-tuple, which no single-ended tool can send. A router answers before it filters (ip_forward,
net/ipv4/ip_forward.c): who answered last was reached, and drops the segment itself or hands it to whatever does.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from prober.flows import SIDES, Side
from prober.verdict import Culprit, Label, Verdict

LONGEST = 12
"""The highest TTL of a sweep."""
_SEGMENT = {Side.IN: "SYN", Side.BACK: "SYN-ACK"}


class Trace(msgspec.Struct, frozen=True):
    """``hops``: TTL -> who told that it had run out. ``arrived``: the least TTL with which the segment arrived.

    ``names`` are those of the hops that are agents.
    """

    side: Side
    hops: dict[int, str]
    arrived: int | None = None
    names: dict[str, str] = {}

    @property
    def last(self) -> tuple[int, str] | None:
        """The furthest hop that answered, and its TTL."""
        return max(self.hops.items(), default=None)

    def named(self, address: str) -> str:
        """An address, with its agent's name where it is one's."""
        return f"{self.names[address]} ({address})" if address in self.names else address

    def result(self) -> str:
        """What came of it, in a sentence."""
        what, way = _SEGMENT[self.side], ", ".join(f"{ttl} {self.named(a)}" for ttl, a in sorted(self.hops.items()))
        if self.arrived is not None:
            return f"the {what} arrived with TTL {self.arrived}" + (f", over {way}" if way else "")
        if self.last is None:
            return f"no router answered to a {what} whose TTL ran out, up to {LONGEST}"
        return f"the {what} was last seen alive by {self.named(self.last[1])} (hop {self.last[0]}); on its way: {way}"


def enrich(verdict: Verdict, traces: Mapping[Side, Trace]) -> Verdict:
    """The verdict with the hop at which its segment was last seen, where a sweep of that side came to one.

    A culprit that is a route, a node or a rule stays; a hop becomes more exact.
    """
    for side, trace in traces.items():
        if trace.arrived is None and trace.last is not None and side in _sides(verdict):
            verdict = _with_hop(verdict, trace, *trace.last)
    return verdict


def _with_hop(verdict: Verdict, trace: Trace, ttl: int, address: str) -> Verdict:
    words = f"last seen alive by {trace.named(address)} (hop {ttl} of the {trace.side})"
    culprit = verdict.culprit or Culprit("hop", trace.names.get(address, address), words)
    if verdict.culprit is not None and verdict.culprit.kind == "hop":
        culprit = Culprit("hop", culprit.node, f"{culprit.what}; {words}")
    return msgspec.structs.replace(
        verdict, culprit=culprit, evidence=(*verdict.evidence, words),
        sentence=f"{verdict.sentence} A TTL sweep shows the {_SEGMENT[trace.side]} {words}.",
        next_step=f"Look at {trace.named(address)} and at what is behind it. {verdict.next_step}",
    )  # fmt: skip


def _sides(verdict: Verdict) -> tuple[Side, ...]:
    """On which way the segments of this verdict are lost."""
    if verdict.label != Label.INTERMITTENT:
        return (SIDES[verdict.label],) if verdict.label in SIDES else ()
    return tuple(side for side in (Side.IN, Side.BACK) if f"{side}: " in str(verdict.culprit))
