"""What the rest of the matrix says of a probe whose target nobody watches: an inference, never more.

No agent covers the target, or the one that does is silent; no packet says where the handshake died. Others still ask
the same target, and the same prober asks others. Only passes that were sent after the failure count, so that nothing
from before a break speaks for its time; what fits two stories stays `unknown`. Pure: the context is handed in.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from prober.handshake import State
from prober.observation import Observation, Place, Sight
from prober.segment import Network
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

SURE = (Confidence.PROVEN, Confidence.LIKELY)


class Neighbour(NamedTuple):
    """Another cell, as it stands: ``verdict`` of its newest probe that counts for the time of the one in question."""

    source: str
    target: str
    verdict: Verdict


class Context(NamedTuple):
    """The cells that count, the zones of sources and targets, and the pod blocks that agents are declared to hold."""

    cells: tuple[Neighbour, ...]
    zones: Mapping[str, str]
    blocks: tuple[tuple[str, Network], ...] = ()

    def towards(self, target: str) -> list[Neighbour]:
        """The other cells of this target."""
        return [one for one in self.cells if one.target == target]

    def of(self, source: str) -> list[Neighbour]:
        """The other cells of this source."""
        return [one for one in self.cells if one.source == source]


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
    for rule in (_a_wrong_route, _a_block_over_the_prober, _told_to_others, _as_its_neighbours, _nobody_reaches_it):
        verdict = rule(o, said, about)
        if verdict is not None:
            return verdict
    return said


def _a_wrong_route(o: Observation, said: Verdict, context: Context) -> Verdict | None:
    """R1: elsewhere in the matrix a route is blamed that covers the prober's address; others reach this target."""
    passing = [one.source for one in context.towards(o.target) if one.verdict.label.passes]
    routes = list(_routes_over(o, context))
    if not passing or not routes:
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


def _a_block_over_the_prober(o: Observation, said: Verdict, context: Context) -> Verdict | None:
    """R1 by the address plan: a node is declared to hold a pod block in which the prober's address lies."""
    address = ipaddress.ip_address(o.asked.src)
    holding = [(name, block) for name, block in context.blocks if address in block and name != o.source]
    passing = [one.source for one in context.towards(o.target) if one.verdict.label.passes]
    if not holding or not passing:
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
    """Others that fail at the same target were told why (an ICMP error, an RST); nobody reaches it."""
    asking = context.towards(o.target)
    told = [one for one in asking if one.verdict.cause and one.verdict.label in (Label.INGRESS_DROP, Label.TARGET)]
    if not told or any(one.verdict.label.passes or _blames(one, "return") for one in asking):
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
    if len(ways) != 1 or not passing or any(one.verdict.label.passes for one in beside):
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


def _nobody_reaches_it(o: Observation, said: Verdict, context: Context) -> Verdict | None:
    """F6: not even who stands in the target's own zone, and needs no route to it, nor it one back."""
    asking, zone = context.towards(o.target), context.zones.get(o.target, "")
    beside = [one.source for one in asking if zone and context.zones.get(one.source) == zone]
    askers = {o.source, *(one.source for one in asking)}
    fit = {one.source for one in context.cells if one.source in askers and one.verdict.label.passes}
    if not beside or len(askers) < 2 or fit != askers:  # one alone may be ill itself
        return None
    if any(one.verdict.label.passes or _blames(one, "return") for one in asking):
        return None
    sentence = (
        f"{_pair(o)} does not answer, nor does anybody else reach {o.target}, {_names(beside)} in its own zone not "
        f"either; all of them reach others: it is down, or a filter stands before it."
    )
    step = f"Is {o.target} up? Look at its host and at the filters before it."
    culprit = Culprit("host", o.target, "nobody reaches it")
    return _say(said, Label.INGRESS_DROP, sentence, None, culprit, step, tuple(f"{name} fails too" for name in beside))


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
