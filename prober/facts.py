"""Facts read off an observation, in the words that the rules use, and the one door through which a verdict is said.

Agents' clocks are never compared here: what lies further along a way is told by its TTL, never by its time.
"""

from __future__ import annotations

import ipaddress
from enum import StrEnum

from prober.handshake import State
from prober.observation import ANSWERS, TUNNEL, Observation, Place, Seen, Sight, entries, passage
from prober.probe import Kind
from prober.report import Route
from prober.segment import IN, OUT
from prober.sighting import Where
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

PROVEN, LIKELY, INFERRED = Confidence.PROVEN, Confidence.LIKELY, Confidence.INFERRED

REFUSING = ("blackhole", "unreachable", "prohibit", "throw")
_NO_ROUTE = ("ENETUNREACH", "EHOSTUNREACH", "EACCES")
_NEIGHBOUR_MS = 300.0
"""An ICMP host unreachable at once is a route's; one that took longer is a neighbour that did not answer (3 s, ARP)."""
_AT_ONCE_MS = 20.0
"""So soon after the RST by which a prober gives up, an error quotes that; the SYN's own was over the router's limit."""


class Error(StrEnum):
    """What an ICMP error means to a handshake; the two families number the same things differently."""

    NO_ROUTE = "it has no route there"
    REFUSES = "its route there says unreachable"
    NO_HOST = "nobody answers there for that address"
    REJECTED = "a rule rejects it"
    LOOP = "it goes round in a loop"
    OTHER = "it says nothing of where it is lost"


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


def errors_to_prober(o: Observation) -> list[Seen]:
    """ICMP errors that quote the SYN, to the prober first, then to the load balancer for it."""
    askers = (o.source, *o.through)
    errors = [s for s in o.saw(Kind.ICMP_SYN, way=IN) if s.agent in askers and meaning(o, s) != Error.OTHER]
    return sorted(errors, key=lambda s: askers.index(s.agent))


def unanswered(route: Route) -> bool:
    """True where the route's next hop does not answer ARP or neighbour discovery."""
    return "FAILED" in route.neighbour or "INCOMPLETE" in route.neighbour


def asked_from(o: Observation) -> str:
    """The prober's address as the responder saw it: behind a NAT that is the one whose way back matters."""
    arrived = [s for s in o.saw(Kind.SYN, way=IN) if s.agent in o.responders]
    return arrived[-1].src if arrived else o.asked.src


def is_default(route: Route) -> bool:
    """True for a default route, and where no prefix is known."""
    return route.prefix in ("default", "0.0.0.0/0", "::/0", "")


def refuses(route: Route) -> Cause | None:
    """R6 for a route that refuses, R2 for none at all; None for a usable one, and for an answer that says neither."""
    if route.type in REFUSING:
        return Cause.R6
    return Cause.R2 if route.error in _NO_ROUTE else None


def owners(o: Observation, route: Route) -> tuple[str, ...]:
    """The agents that the route's next hops are (a multipath route has several)."""
    return tuple(name for hop in route.via.split(",") if (name := o.name(hop)))


def describe(o: Observation, route: Route) -> str:
    """The route as ``ip route`` writes it, with the name of its next hop."""
    return route.text(names(owners(o, route)))


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


def wider_than_home(o: Observation, route: Route) -> bool:
    """True where the route covers more than the network in which the prober is declared to live."""
    home, asked = ipaddress.ip_network(o.subnet.split()[-1] if o.subnet else o.asked.src), asked_from(o)
    if is_default(route) or home.prefixlen == home.max_prefixlen or ipaddress.ip_address(asked) not in home:
        return False
    block = ipaddress.ip_network(route.prefix)
    return block.version == home.version and block.prefixlen < home.prefixlen


def overlap(o: Observation, route: Route) -> str:
    """The address plan's part of the story: who lies inside the wrong route. Empty for a default route."""
    if is_default(route):
        return ""
    owner = ", ".join(owners(o, route)) or route.via or route.agent
    address = ipaddress.ip_address(asked_from(o))
    block = ipaddress.ip_network(route.prefix)
    home = ipaddress.ip_network(o.subnet.split()[-1] if o.subnet else o.asked.src)
    inside = home.version == block.version and home.subnet_of(block) and address in home  # type: ignore[arg-type]
    who = o.subnet if o.subnet and inside else str(address)
    return f"{who[:1].upper()}{who[1:]} lies inside {owner}'s block {route.prefix}."


def regular(o: Observation, agent: str) -> bool:
    """True where this agent carried the cell's packets, either way, when it was healthy."""
    return o.usual is not None and agent in (*o.usual.witnesses, *o.usual.forwarders)


def irregular(o: Observation, agent: str) -> bool:
    """True where this agent was watching when the cell was healthy, and carried none of its packets."""
    return o.usual is not None and agent in o.usual.watched and not regular(o, agent)


def passed_on(o: Observation, agent: str, *kinds: Kind) -> bool:
    """True where the packet was also seen leaving that agent's NIC."""
    return bool(o.saw(*kinds, by=agent, way=OUT, where=Where.NIC))


def kept(o: Observation, agent: str, *kinds: Kind) -> bool:
    """True where that agent captured throughout, and the packet left it by no NIC."""
    return agent not in o.partial and not passed_on(o, agent, *kinds)


def strays(o: Observation, *kinds: Kind) -> tuple[Seen, ...]:
    """Packets in the hands of whoever is not on their way, the furthest (lowest TTL) last.

    An agent is on the way where it carried the cell's packets when all was well, where it carried this very probe's
    SYN to the responder, or, where no healthy probe of the cell says otherwise, where it passed the packet on.
    """
    met = [one for one in o.witnesses(*kinds) if one.where != Where.STACK and not _on_the_way(o, one.agent, kinds)]
    met = [one for one in met if not one.outer or o.name(one.outer) == one.agent]  # a tunnel that passes is not met
    return tuple(sorted(met, key=lambda one: (-one.ttl, one.agent)))


def _on_the_way(o: Observation, agent: str, kinds: tuple[Kind, ...]) -> bool:
    carried = Kind.SYN not in kinds and (syn_arrived(o) or o.saw(Kind.SYN_ACK)) and bool(o.saw(Kind.SYN, by=agent))
    return regular(o, agent) or carried or (not irregular(o, agent) and passed_on(o, agent, *kinds))


def last_carrier(o: Observation, *kinds: Kind) -> str:
    """Who on the declared or usual way saw the packet last, or ''."""
    met = [s for s in o.saw(*kinds) if s.agent not in (o.source, *o.responders) and s.where == Where.NIC]
    return min(met, key=lambda s: (s.ttl, s.agent)).agent if met else ""


def dead_end(o: Observation, stray: Seen) -> Route | None:
    """The stray's own route where it shows that the packet ends there: refused, or taken for a local one."""
    told = fate(o, stray)
    if told is None or is_default(told):
        return None
    claimed = not told.via and told.dev != "" and (wider_than_home(o, told) or _new_claim(o, stray, told))
    return told if told.type in (*REFUSING, "local") or claimed else None


def _new_claim(o: Observation, stray: Seen, fate: Route) -> bool:
    """True where who never carried the cell's packets holds a part of the prober's network for its own, on a device
    where no address of its own is known: a router into that network has the whole of it, and one there."""
    whole = ipaddress.ip_network(o.subnet.split()[-1] if o.subnet else o.asked.src)
    other = ipaddress.ip_network(fate.prefix) != whole
    return other and irregular(o, stray.agent) and not _attached(o, stray.agent, fate)


def _attached(o: Observation, agent: str, fate: Route) -> bool:
    block = ipaddress.ip_network(fate.prefix)
    return any(name == agent and ipaddress.ip_address(address) in block for address, name in o.names.items())


def fate(o: Observation, one: Seen) -> Route | None:
    """Its holder's own route for the packet that it holds."""
    return next((r for r in reversed(o.routes) if (r.agent, r.dst) == (one.agent, one.dst)), None)


def onward(o: Observation, stray: Seen) -> Route | None:
    """The stray's own route where it shows an ordinary router: it would send the packet on by another interface than
    it came by, to a next hop or into a network of its own. Whatever stops the packet there is no wrong route."""
    told = fate(o, stray)
    if told is None or told.error or told.type != "unicast" or not told.prefix:
        return None
    by_another = told.dev not in ("", stray.interface)
    return told if by_another and (told.via or _attached(o, stray.agent, told)) else None


def meaning(o: Observation, one: Seen) -> Error:
    """What an ICMP error says (RFC 792; RFC 1812, 5.2.7; RFC 4443, 3): types 1 and 3 differ between the families."""
    six = ":" in one.icmp_from
    if (one.icmp_type, one.icmp_code) == ((3, 0) if six else (11, 0)):
        return Error.LOOP
    if one.icmp_type != (1 if six else 3):
        return Error.OTHER
    if one.icmp_code in ((3,) if six else (1, 7)):
        return Error.NO_HOST if _waited(o, one) > _NEIGHBOUR_MS else Error.REFUSES
    if one.icmp_code in ((0,) if six else (0, 6, 11)):
        return Error.NO_ROUTE
    return Error.REJECTED if one.icmp_code in ((1, 4, 5, 6) if six else (2, 3, 9, 10, 13)) else Error.OTHER


def nearer(o: Observation, one: Seen) -> bool:
    """True where a packet in the prober's name came to the responder over fewer routers than the prober's own SYN."""
    own = [s for s in o.saw(Kind.SYN, by=one.agent, way=IN, where=one.where) if not s.outer]
    return bool(own) and _routers(one.ttl) < _routers(own[-1].ttl)


def _routers(ttl: int) -> int:
    """How many routers a packet passed, by the initial TTL next above: 64, 128 or 255."""
    return min(initial - ttl for initial in (64, 128, 255) if initial >= ttl)


def errors_to_responder(o: Observation) -> list[Seen]:
    """ICMP errors that quote the answer and reached the responder."""
    return [s for s in o.saw(Kind.ICMP_SYN_ACK, way=IN) if s.agent in o.responders]


def icmp(one: Seen) -> str:
    """An ICMP error in words, with the TTL that its quote has left."""
    return f"ICMP {one.icmp_type}/{one.icmp_code} (quoted TTL {one.ttl})"


def handed(one: Seen) -> str:
    """To whom a packet was handed, or by whom: the other end of that link."""
    way = "got it from" if one.way == IN else "handed it to"
    return f"{one.agent} {way} {one.neighbour or 'nobody in particular'} on {one.interface}, TTL {one.ttl}"


def _waited(o: Observation, error: Seen) -> float:
    """Milliseconds between the quoted packet and the error, on the clock of the agent that saw both."""
    kinds = (Kind.SYN,) if error.kind == Kind.ICMP_SYN else ANSWERS
    before = [s.after_ms for s in o.saw(*kinds, by=error.agent)]
    resets = [s.after_ms for s in o.saw(Kind.RST, by=error.agent, way=OUT) if error.kind == Kind.ICMP_SYN]
    quoted = [at for at in resets if 0.0 <= error.after_ms - at < _AT_ONCE_MS]
    return error.after_ms - min(quoted or before or [0.0])


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
