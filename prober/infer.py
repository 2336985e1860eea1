"""What the rest of the matrix says of a probe whose target nobody watches: an inference, never more.

No agent covers the target, or the one that does is silent; no packet says where the handshake died. Others still ask
the same target, and the same prober asks others. Only passes that were sent after the failure count, so that nothing
from before a break speaks for its time. Pure: the context is handed in.

What fits two stories stays `unknown`, and that is much. A host that drops all that comes from the prober and one that
drops all that it sends to it look alike from everywhere else: so do a filter on the way in and one on the way back, a
node's host firewall and its wrong route, a port that is filtered for everybody and a full accept queue. Each rule here
rests on something positive that was seen or told elsewhere, takes one fault at a time for granted, and says which.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from prober.address import Network
from prober.byway import Reading
from prober.handshake import State
from prober.observation import Observation, Place, Sight
from prober.rules_forward import is_quoted
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

SURE = (Confidence.PROVEN, Confidence.LIKELY)
FAILED_OF_LATE = 2.0
"""Seconds before a probe in which another cell's failure is of the same time."""


class Neighbour(NamedTuple):
    """Another cell, as it stands: ``verdict`` of its newest probe that counts for the time of the one in question."""

    source: str
    target: str
    verdict: Verdict


class Context(NamedTuple):
    """The cells that count, the zones of sources and targets, and the pod blocks that agents are declared to hold.

    ``pairs`` are all (source, target) that are asked: of one without a cell nothing is known of this time. ``told`` is
    what the target's host said of its way to the prober when it was asked from its own link.
    """

    cells: tuple[Neighbour, ...]
    zones: Mapping[str, str]
    blocks: tuple[tuple[str, Network], ...] = ()
    pairs: Collection[tuple[str, str]] = ()
    told: Reading | None = None

    def towards(self, target: str) -> list[Neighbour]:
        """The other cells of this target."""
        return [one for one in self.cells if one.target == target]

    def of(self, source: str) -> list[Neighbour]:
        """The other cells of this source."""
        return [one for one in self.cells if one.source == source]

    def all_fail(self, pairs: Iterable[tuple[str, str]]) -> bool:
        """True where each of these is known to fail now: a pass that is not fresh must not read as none."""
        known: dict[bool, set[tuple[str, str]]] = {True: set(), False: set()}
        for one in self.cells:
            known[one.verdict.label.passes].add((one.source, one.target))
        return set(pairs) <= known[False] - known[True]

    def nobody_reaches(self, o: Observation) -> bool:
        """True where all who ask this target fail."""
        asked = {(one.source, one.target) for one in self.cells} | set(self.pairs)
        return self.all_fail((s, t) for s, t in asked if t == o.target and s != o.source)

    def reaches_nobody(self, o: Observation, zone: str = "") -> bool:
        """True where this prober fails at every other target that it asks, or every one of a zone."""
        asked = {(one.source, one.target) for one in self.cells} | set(self.pairs)
        beside = [(s, t) for s, t in asked if s == o.source and t != o.target]
        return self.all_fail((s, t) for s, t in beside if not zone or self.zones.get(t) == zone)


def wanted(o: Observation, said: Verdict) -> bool:
    """True where an inference may speak: the SYN was sent, no answer came, and nobody watched the target's side."""
    silent = {o.at(Place.B_NIC_IN), o.at(Place.B_POD_IN), o.at(Place.B_NIC_OUT)} == {Sight.NOT_WATCHED}
    heard = o.at(Place.A_NIC_IN) == Sight.NOT_SEEN and o.at(Place.A_NIC_OUT) != Sight.NOT_SEEN
    return said.label == Label.UNKNOWN and o.asked.state == State.TIMED_OUT and silent and heard


def infer(o: Observation, said: Verdict, context: Context) -> Verdict:
    """`said`, or what the matrix says instead: the first that speaks, `inferred` at most."""
    if not wanted(o, said):
        return said
    others = [one for one in context.cells if (one.source, one.target) != (o.source, o.target)]
    about = context._replace(cells=tuple(others))
    for rule in (_its_host_has_no_way, _a_wrong_route, _another_has_its_address, _a_block_over_the_prober,
                 _told_to_others, _as_its_neighbours, _its_link_is_silent):  # fmt: skip
        verdict = rule(o, said, about)
        if verdict is not None:
            return verdict
    return said


def _its_host_has_no_way(o: Observation, said: Verdict, context: Context) -> Verdict | None:
    """R1, R2, R6: the target's host, asked from its own link, has no way to the prober or a wrong one.

    So its answers do not arrive, whatever became of the SYN. What a host is handed and what it answers itself are taken
    to go by the same routes.
    """
    told = context.told
    if told is None:
        return None
    sentence = f"{_pair(o)} does not answer. {told.words}."
    return _say(said, told.label, sentence, told.cause, told.culprit, told.step, told.evidence)


def _a_wrong_route(o: Observation, said: Verdict, context: Context) -> Verdict | None:
    """R1: elsewhere in the matrix a route is blamed that covers the prober's address; others reach this target.

    Where an agent stands at that route's end it would have caught this answer too: it did not, so there may have been
    none, for a filter on the way in. Where a target beside this one answers the prober, not all nodes have that route.
    """
    passing = [one.source for one in context.towards(o.target) if one.verdict.label.passes]
    routes = [one for one in _routes_over(o, context) if not _ends_at_an_agent(o, one)]
    if not passing or not routes or not context.reaches_nobody(o, context.zones.get(o.target, "")):
        return None
    one = routes[0]
    culprit = one.verdict.culprit
    assert culprit is not None
    story = (
        f"{_names(passing)} still reach {o.target}, and {one.source} → {one.target} is blamed on a route that covers "
    )
    sentence = f"{_pair(o)} does not answer; {story}{o.asked.src} ({culprit}): its answers most likely go there too."
    step = f"Ask the node of {o.target}: `ip route get {o.asked.src}`. {one.verdict.next_step}"
    return _say(said, Label.RETURN_PATH_MISROUTE, sentence, Cause.R1B, culprit, step,
                (f"{one.source} → {one.target}: {one.verdict.label}",))  # fmt: skip


def _ends_at_an_agent(o: Observation, one: Neighbour) -> bool:
    """True where an agent catches what takes the blamed route: the next hop, or who holds a route without one."""
    culprit = one.verdict.culprit
    assert culprit is not None
    hops = re.findall(r"via ([0-9a-fA-F.:,]+)", culprit.what)
    return any(o.name(hop) for several in hops for hop in several.split(",")) if hops else True


def _routes_over(o: Observation, context: Context) -> Iterator[Neighbour]:
    """Cells whose culprit is a route that is no default and covers the prober's address."""
    address = ipaddress.ip_address(o.asked.src)
    for one in context.cells:
        culprit = one.verdict.culprit
        if culprit is None or culprit.kind != "route" or one.verdict.confidence not in SURE:
            continue
        if any(address in block for block in _prefixes(culprit.what)):
            yield one


def _prefixes(text: str) -> Iterator[Network]:
    """The prefixes in a culprit's words; a default route covers everybody and says nothing."""
    for word in text.split():
        if "/" in word:
            try:
                block = ipaddress.ip_network(word)
            except ValueError:
                continue  # a word with a slash in it that is no prefix
            if block.prefixlen:
                yield block


def _another_has_its_address(o: Observation, said: Verdict, context: Context) -> Verdict | None:
    """R9, R1c: of another target's answers to this very prober an agent saw that somebody else has its address.

    Some answers may still arrive, on ways on which the other host is not met: so all that this prober asks must fail.
    """
    passing = [one.source for one in context.towards(o.target) if one.verdict.label.passes]
    mine = context.of(o.source)
    doubled = [one for one in mine if one.verdict.cause in (Cause.R9, Cause.R1C) and one.verdict.confidence in SURE]
    if not passing or not doubled or not context.reaches_nobody(o):
        return None
    one = doubled[0]
    sentence = (
        f"{_pair(o)} does not answer; {_names(passing)} still reach {o.target}, and {o.source} reaches nobody: for "
        f"{one.target} another host than {o.source} has {o.asked.src}, so these answers most likely go there too. "
        f"{one.verdict.sentence}"
    )
    return _say(said, Label.RETURN_PATH_MISROUTE, sentence, one.verdict.cause, one.verdict.culprit,
                one.verdict.next_step, (f"{one.source} → {one.target}: {one.verdict.label}",))  # fmt: skip


def _a_block_over_the_prober(o: Observation, said: Verdict, context: Context) -> Verdict | None:
    """R1 by the address plan: a node is declared to hold a pod block in which the prober's address lies.

    A block that is declared and routed by nobody harms nobody: where any target of the zone answers the prober, its
    answers find the way, and what fails beside it may as well be a filter; so may what fails alone.
    """
    address = ipaddress.ip_address(o.asked.src)
    holding = [(name, block) for name, block in context.blocks if address in block and name != o.source]
    passing = [one.source for one in context.towards(o.target) if one.verdict.label.passes]
    zone = context.zones.get(o.target, "")
    alone = all(context.zones.get(one.target) != zone for one in context.of(o.source))
    if not holding or not passing or alone or not context.reaches_nobody(o, zone):
        return None
    name, block = holding[0]
    sentence = (
        f"{_pair(o)} does not answer; {_names(passing)} still reach {o.target}, and {o.asked.src} lies inside {name}'s "
        f"pod block {block}: answers for it most likely go to {name}."
    )
    step = (
        f"{name}'s block must not cover {o.subnet or o.asked.src}: take it away, and look whether {o.target} answers."
    )
    culprit = Culprit("route", name, f"pod block {block} covers {o.asked.src}")
    return _say(said, Label.RETURN_PATH_MISROUTE, sentence, Cause.R1B, culprit, step, (f"{name} holds {block}",))


def _told_to_others(o: Observation, said: Verdict, context: Context) -> Verdict | None:
    """Nobody reaches the target, and an ICMP error told one of the others why; routers send few such errors.

    An RST comes to each SYN: a target that refuses others explains no silence here. Nor does what an agent saw of the
    others' own way, such as a policy of their own node.
    """
    asking = context.towards(o.target)
    told = [one for one in asking if one.verdict.label == Label.INGRESS_DROP and is_quoted(one.verdict)]
    if not told or not context.nobody_reaches(o) or any(_blames(one, "return") for one in asking):
        return None
    one = told[0]
    sentence = (
        f"{_pair(o)} does not answer, and nobody reaches {o.target}; {one.source} was told why: {one.verdict.sentence}"
    )
    return _say(said, one.verdict.label, sentence, one.verdict.cause, one.verdict.culprit, one.verdict.next_step,
                (f"{one.source} → {one.target}: {one.verdict.label}",))  # fmt: skip


def _as_its_neighbours(o: Observation, said: Verdict, context: Context) -> Verdict | None:
    """The same prober fails at other targets of the same zone, whose agents say which way; all say the same."""
    zone = context.zones.get(o.target, "")
    beside = [one for one in context.of(o.source) if zone and context.zones.get(one.target) == zone]
    known = [one for one in beside if one.verdict.confidence in SURE and not one.verdict.label.passes]
    ways = {one.verdict.label.direction for one in known}
    passing = [one.source for one in context.towards(o.target) if one.verdict.label.passes]
    if len(ways) != 1 or not passing or not context.reaches_nobody(o, zone):
        return None
    if not ways <= {"forward", "return"}:
        return None
    one = known[0]
    sentence = (
        f"{_pair(o)} does not answer; {_names(passing)} still reach {o.target}, and {o.source} reaches nothing in "
        f"{zone}: {one.source} → {one.target} says {one.verdict.label}, so this one most likely is the same."
    )
    label = Label.INGRESS_DROP if ways == {"forward"} else Label.RETURN_PATH_LOSS
    return _say(said, label, sentence, None, one.verdict.culprit, one.verdict.next_step,
                (f"{one.source} → {one.target}: {one.verdict.label}",))  # fmt: skip


def _its_link_is_silent(o: Observation, said: Verdict, context: Context) -> Verdict | None:
    """F6: nobody reaches the target, and who stands on its own link asks for its address and gets no answer.

    That nobody reaches it does not say so by itself: a full accept queue, a filter at the host and a host without any
    route back are silent to everybody as well. Who asks must reach somebody, or it may be the one that is cut off.
    """
    asking = context.towards(o.target)
    lost = [one.source for one in asking if one.verdict.cause == Cause.L3 and _next_hop(one) == o.asked.dst]
    fit = {one.source for one in context.cells if one.verdict.label.passes}
    alone = [name for name in lost if name in fit]
    if not alone or not context.nobody_reaches(o) or any(_blames(one, "return") for one in asking):
        return None
    sentence = (
        f"{_pair(o)} does not answer, nor does anybody else reach {o.target}; {_names(alone)} on its own link asks for "
        f"{o.asked.dst}, and nobody answers: it is down."
    )
    step = f"Is {o.target} up? Look at its host, and at its port of the switch."
    culprit = Culprit("host", o.target, f"does not answer ARP for {o.asked.dst}")
    return _say(said, Label.INGRESS_DROP, sentence, Cause.F6, culprit, step,
                tuple(f"{name}'s next hop {o.asked.dst} does not answer" for name in alone))  # fmt: skip


def _next_hop(one: Neighbour) -> str:
    """The address of the next hop that a cell's culprit names, or ''."""
    found = re.match(r"next hop (\S+)", one.verdict.culprit.what) if one.verdict.culprit else None
    return found[1] if found else ""


def _blames(one: Neighbour, direction: str) -> bool:
    return one.verdict.label.direction == direction


def _say(
    said: Verdict, label: Label, sentence: str, cause: Cause | None, culprit: Culprit | None, step: str,
    evidence: tuple[str, ...],
) -> Verdict:  # fmt: skip
    """Inferred, and what was not watched stays said."""
    return Verdict(label, Confidence.INFERRED, sentence, cause, culprit, said.missing, step, evidence)


def _names(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _pair(o: Observation) -> str:
    return f"{o.source} → {o.target}"
