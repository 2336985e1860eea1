"""Whose routing table is asked about a failed probe, and what: an `Observation` in, questions out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prober.observation import ANSWERS, Observation, Place, Sight, seen
from prober.probe import Kind
from prober.report import Question
from prober.segment import IN
from prober.sighting import SIGHTING, Where

Wanted = tuple[str, Question]
"""Whose routing table is asked, and what."""
_PROBE, _KIND, _WAY, _WHERE = (SIGHTING.names.index(n) for n in ("probe", "kind", "way", "where"))  # type: ignore[union-attr]


def questions(o: Observation) -> Iterator[Wanted]:
    """The responder's way back as it saw the prober (behind SNAT another address), a witness's way, the prober's."""
    for responder in o.responders:
        yield from _to_responder(o, responder)
    for one in o.witnesses(*ANSWERS, Kind.SYN):
        yield one.agent, Question(one.dst, one.src, one.interface)
    if o.home:
        yield o.home, Question(o.asked.dst)
    yield o.source, Question(o.asked.dst)


def _to_responder(o: Observation, responder: str) -> Iterator[Wanted]:
    """A pod's answer is looked up as the node would forward it, by its veth. For a SYN that never came to a pod there
    is no such interface, and a source that is not the host's own would only be refused: it is left out. The node is
    asked for its way to that pod then. One that captures nothing is asked about the prober's own address.
    """
    arrived = o.saw(Kind.SYN, by=responder, way=IN)
    if not arrived or all(one.where == Where.STACK for one in arrived):
        if responder in o.untapped:
            own = o.name(o.asked.dst) == responder
            yield responder, Question(o.asked.src, o.asked.dst if own else "")
            if own:
                yield responder, Question(o.asked.dst, port=o.asked.dport)
        return
    last = next((one for one in arrived if one.where == Where.POD), arrived[-1])
    own = o.name(last.dst) == responder or last.where == Where.POD
    iif = last.interface if last.where == Where.POD and responder != o.inner else ""
    yield responder, Question(last.src, last.dst if own else "", iif)
    if o.name(last.dst) == responder:
        yield responder, Question(last.dst, port=last.dport)
    if o.pod and responder != o.inner and o.at(Place.B_POD_IN) != Sight.SEEN:
        yield responder, Question(o.pod)


def early(agent: str, rows: Sequence[tuple[Any, ...]], names: Mapping[str, str]) -> Iterator[Question]:
    """The way back for each SYN that one report (`rows` of `SIGHTING`) shows unanswered at the host that has its
    address (`names`: addresses' agents): the same question as is asked once the probe has failed, when the table may
    have been put right."""
    answered = {row[_PROBE] for row in rows if row[_KIND] in ANSWERS}
    for row in rows:
        if row[_KIND] == Kind.SYN and row[_WAY] == IN and row[_WHERE] != Where.STACK and row[_PROBE] not in answered:
            one = seen(agent, row, "", b"", 0.0)
            if names.get(one.dst) == agent:
                yield Question(one.src, one.dst)
