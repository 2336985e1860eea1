"""Facts read off an observation, in the words that the rules use, and the one door through which a verdict is said."""

from __future__ import annotations

from enum import StrEnum

from prober.baseline import TUNNEL, entries, passage
from prober.handshake import State
from prober.observation import ANSWERS, Observation, Place, Seen, Sight
from prober.probe import Kind
from prober.report import Route
from prober.segment import IN, OUT
from prober.sighting import Where
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

PROVEN, LIKELY, INFERRED = Confidence.PROVEN, Confidence.LIKELY, Confidence.INFERRED


def say(
    o: Observation, label: Label, confidence: Confidence, sentence: str, cause: Cause | None = None,
    culprit: Culprit | None = None, step: str = "", evidence: tuple[Place, ...] = (), more: tuple[str, ...] = (),
) -> Verdict:  # fmt: skip
    """A verdict with the evidence as it was. *Proven* needs packets at both ends, and a culprit where it failed."""
    if confidence == PROVEN and not (both_ends(o) and (culprit or label.passes)):
        confidence = LIKELY
    facts = tuple(f"{place}: {o.at(place)}" for place in evidence)
    text = " ".join(sentence.split())
    return Verdict(label, confidence, text, cause, culprit, o.missing, step, facts + more)


def both_ends(o: Observation) -> bool:
    """True where a packet of this probe was seen at the prober *and* at the responder."""
    here = Sight.SEEN in (o.at(Place.A_NIC_OUT), o.at(Place.A_NIC_IN)) or o.source in o.responders
    return here and (syn_arrived(o) or answer_left(o) is not None)


class Reached(StrEnum):
    """How far a handshake is known to have come: what was asked last, and what it then can have died of."""

    NOT_SENT = "the SYN was not sent"
    UNHEARD = "its answer came in, and its own host dropped it"
    COMPLETED = "it completed"
    REWRITTEN = "it was answered from another address"
    REFUSED = "it was refused"
    ANSWER = "an answer was under way"
    SYN = "the SYN was at the responder's side"
    NOWHERE = "nothing says that it arrived"


_ENDED = {
    State.NOT_SENT: Reached.NOT_SENT, State.ANSWERED: Reached.COMPLETED, State.REWRITTEN: Reached.REWRITTEN,
    State.REFUSED: Reached.REFUSED, State.UNHEARD: Reached.UNHEARD,
}  # fmt: skip


def reached(o: Observation) -> Reached:
    """Exactly one for each observation; only a sighting takes it further."""
    if o.asked.state in _ENDED:
        return _ENDED[o.asked.state]
    if answered(o):
        return Reached.ANSWER
    came = syn_arrived(o) or o.source in o.responders or o.saw(Kind.CHALLENGE, Kind.ICMP_SYN_ACK)
    return Reached.SYN if came else Reached.NOWHERE


def answered(o: Observation) -> bool:
    """True where an answer was seen. An RST that did not leave the responder may be a filter's, had it seen no SYN."""
    if o.saw(Kind.SYN_ACK) or answer_left(o) is not None:
        return True
    return bool(o.saw(Kind.REFUSAL)) and not never_arrived(o)


def answered_there(o: Observation) -> bool:
    """True where the answer is the responder's own for certain. An RST is anybody's, if no SYN was seen to arrive."""
    return bool(o.saw(Kind.SYN_ACK)) or answer_left(o) is not None or syn_arrived(o)


def syn_arrived(o: Observation) -> bool:
    """True where the SYN was seen at the responder."""
    return Sight.SEEN in (o.at(Place.B_NIC_IN), o.at(Place.B_POD_IN), o.at(Place.B_STACK))


def never_arrived(o: Observation) -> bool:
    """True where the responders captured throughout and saw no SYN."""
    return o.at(Place.B_NIC_IN) == Sight.NOT_SEEN and o.at(Place.B_POD_IN) != Sight.SEEN


def answer_left(o: Observation) -> Seen | None:
    """The answer where it was seen last on its way out of the responder: its NIC, else its pod."""
    left = [s for s in o.saw(*ANSWERS, way=OUT) if s.agent in o.responders]
    return min(left, key=lambda s: (s.where != Where.NIC, s.kind, s.agent), default=None)


def refused_twice(o: Observation) -> bool:
    """True where the prober heard an RST, sent the SYN once more, and heard an RST again."""
    heard = [one.after_ms for one in o.saw(Kind.REFUSAL, by=o.source) if (one.where == Where.POD) == (one.way == OUT)]
    sent = [one.after_ms for one in o.saw(Kind.SYN, by=o.source) if (one.where == Where.POD) != (one.way == OUT)]
    return bool(heard) and any(min(heard) < at < max(heard) for at in sent)


def word(answer: Seen) -> str:
    """What an answer is called."""
    return "RST" if answer.kind == Kind.REFUSAL else "SYN-ACK"


def way_back(o: Observation) -> Route | None:
    """The responder's own route to whom it saw asking; of several responders, of the one that had to do with it."""
    own, left = nodes(o), answer_left(o)
    came = {one.agent for one in o.saw(Kind.SYN, way=IN)}
    concerned = tuple(name for name in own if left and name == left.agent) or tuple(n for n in own if n in came)
    concerned = concerned or own[: len(own) == 1]
    return next((r for name in concerned if (r := o.route_of(name)) and name != o.source), None)


def own_way_back(o: Observation) -> Route | None:
    """The route back of the namespace in which the target's socket lives: the pod's, where an agent is inside."""
    return o.route_of(o.inner) if o.inner else way_back(o)


def lost_route(o: Observation) -> bool:
    """True where the responder counted packets for which it had no route."""
    return bool(o.counters.get("IpOutNoRoutes") or o.counters.get("Ip6OutNoRoutes"))


def nodes(o: Observation) -> tuple[str, ...]:
    """The responders without the one inside the pod."""
    return tuple(name for name in o.responders if name != o.inner)


def asked_from(o: Observation) -> str:
    """The prober's address as the responder saw it: behind a NAT that is the one whose way back matters."""
    arrived = [s for s in o.saw(Kind.SYN, way=IN) if s.agent in o.responders]
    return arrived[-1].src if arrived else o.asked.src


def entry(o: Observation) -> str:
    """The NIC by which the SYN came to the responder, or ''."""
    came = [s for s in o.saw(Kind.SYN, way=IN, where=Where.NIC) if s.agent in o.responders]
    return min(came, key=lambda one: bool(one.outer)).interface if came else ""  # where it was unwrapped, if it was


def wrapped_answer(o: Observation) -> Seen | None:
    """The answer where it left a responder inside a tunnel."""
    left = [s for s in o.saw(*ANSWERS, way=OUT, where=Where.NIC) if s.agent in o.responders and s.outer]
    return left[0] if left else None


def wrapped_syns(o: Observation) -> list[Seen]:
    """The SYN where it came to a responder inside a tunnel."""
    return [s for s in o.saw(Kind.SYN, way=IN, where=Where.NIC) if s.agent in o.responders and s.outer]


def usual_ends(o: Observation, agent: str) -> list[str] | None:
    """The other ends of the tunnels by which answers left `agent` when all was well; None where nobody knows."""
    known = [one for one in (o.usual.exits if o.usual else ()) if one.split()[0] == agent]
    return [one.split()[-1] for one in known if TUNNEL in one] if known else None


def came_from(o: Observation) -> str:
    """The link-layer address of who handed the SYN to the responder's NIC, or ''."""
    came = [s for s in o.saw(Kind.SYN, way=IN, where=Where.NIC) if s.agent in o.responders and s.neighbour]
    return came[-1].neighbour if came else ""


def turned(o: Observation) -> bool:
    """True where the answer left the responder's NIC in another way than any did when the cell was healthy."""
    left, route = answer_left(o), way_back(o)
    if o.usual is None or left is None or left.where != Where.NIC or (route and "," in route.via):
        return False  # of a multipath route each leg is as usual as the other
    known = [one for one in o.usual.exits if one.split()[0] == left.agent]
    return bool(known) and passage(left) not in known


def parted(o: Observation) -> bool:
    """True where the answer left to another neighbour than the SYN came from, and it was not so when all was well."""
    left, came = answer_left(o), came_from(o)
    if o.usual is None or left is None or left.where != Where.NIC or not came or not left.neighbour:
        return False
    new = bool(o.usual.entries) and not entries(o) <= set(o.usual.entries)
    return left.neighbour != came and (turned(o) or new)


def nearer(o: Observation, one: Seen) -> bool:
    """True where a packet in the prober's name came to the responder over fewer routers than the prober's own SYN."""
    own = [s for s in o.saw(Kind.SYN, by=one.agent, way=IN, where=one.where) if not s.outer]
    return bool(own) and _routers(one.ttl) < _routers(own[-1].ttl)


def _routers(ttl: int) -> int:
    """How many routers a packet passed, by the initial TTL next above: 64, 128 or 255."""
    return min(initial - ttl for initial in (64, 128, 255) if initial >= ttl)


def handed(one: Seen) -> str:
    """To whom a packet was handed, or by whom: the other end of that link."""
    way = "got it from" if one.way == IN else "handed it to"
    return f"{one.agent} {way} {one.neighbour or 'nobody in particular'} on {one.interface}, TTL {one.ttl}"


def hop(o: Observation, address: str) -> str:
    """An address, with its agent's name where it is one's."""
    name = o.name(address)
    return f"{name} ({address})" if name else address


def at_address(o: Observation, address: str) -> str:
    """The same, the address first: as a tunnel's end is written."""
    name = o.name(address)
    return f"{address} ({name})" if name else address


def names(agents: tuple[str, ...]) -> str:
    """Several agents in words."""
    return ", ".join(agents)


def host(o: Observation) -> str:
    """Where the SYN was to go: the pod, else the responders."""
    return f"pod {o.pod}" if o.pod else names(o.responders)


def port(o: Observation) -> int:
    """The target's port as the responder saw it."""
    arrived = [s for s in o.saw(Kind.SYN, way=IN) if s.agent in o.responders]
    return arrived[-1].dport if arrived else o.asked.dport


def arrived(o: Observation) -> str:
    """How the story of an answer begins."""
    return f"The SYN reached {host(o)}"
