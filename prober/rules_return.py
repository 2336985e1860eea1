"""Rules for a SYN that arrived and an answer that never left the responder's node, or was lost on its way back.

That it went *elsewhere* is said by `rules_misroute`, which are asked first.
"""

from __future__ import annotations

import re

from prober import carriers, facts, icmp, routing
from prober.facts import INFERRED, LIKELY, PROVEN
from prober.handshake import State
from prober.icmp import Error
from prober.observation import ANSWERS, Observation, Place, Seen, Sight
from prober.report import Route
from prober.segment import IN, OUT
from prober.sighting import Where
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

_ALL = (Place.B_NIC_IN, Place.B_POD_IN, Place.B_POD_OUT, Place.B_NIC_OUT)

_FOREIGN = re.compile(
    r"(docker|podman|cni-podman|virbr|lxdbr|incusbr|wg|ppp|ipsec|vti|utun|tailscale|nordlynx|vpn|kube-ipvs|nodelocaldns)"
    r"[\w.-]*|br-[0-9a-f]{12}|(tun|tap)\d+|zt[a-z0-9]{8}"
)
"""Devices of a node that no pod lives behind: containers and machines of its own, VPNs, service addresses."""


def too_late(o: Observation) -> Verdict | None:
    """The answer reached the prober after its timeout: a retransmission of one that was lost, or a slow path."""
    if o.at(Place.A_NIC_IN) != Sight.SEEN or o.asked.state != State.TIMED_OUT:
        return None
    left, arrived = _copies(o, o.responders, OUT), _copies(o, (o.source,), IN)
    if not arrived:
        return None  # what came in was no answer
    if left > arrived:
        sentence = (
            f"{facts.arrived(o)}, which answered {left} times; {arrived} of them reached {o.source}, after its timeout."
        )
        step = f"Random loss or a dead leg on the way back: `prober run --from {o.source}`, with more flows."
        return facts.say(
            o, Label.RETURN_PATH_LOSS, LIKELY, sentence, None, None, step, (Place.B_NIC_OUT, Place.A_NIC_IN)
        )
    missing = (*o.missing, "where the time went: the answer came, and after the timeout")
    sentence = f"{o.source} → {o.target}: the answer came after the timeout; who took that long is not known."
    step = f"Is {o.target} overloaded, or the way to it? Give the probe a longer timeout to measure it."
    return Verdict(Label.UNKNOWN, Confidence.AMBIGUOUS, sentence, missing=missing, next_step=step)


def _copies(o: Observation, agents: tuple[str, ...], way: int) -> int:
    """How often the answer passed these agents' NICs; a bridge and its port show the same frame twice."""
    counts: dict[tuple[str, str], int] = {}
    for one in o.saw(*ANSWERS, way=way, where=Where.NIC):
        if one.agent in agents:
            counts[one.agent, one.interface] = counts.get((one.agent, one.interface), 0) + 1
    return max(counts.values(), default=0)


def kept_at_home(o: Observation) -> Verdict | None:
    """R1a, R1e, R2, R6: the answer never left the responder's node, and the node's own FIB says why."""
    route = facts.way_back(o)
    if route is None or not _stuck(o):
        return None
    refusal = routing.refuses(route)
    if refusal:
        return _refused_route(o, route, refusal, PROVEN)
    if route.error or route.via or routing.is_default(route) or route.dev in ("", facts.entry(o)):
        return None
    known = _usual_devices(o, route.agent)
    if route.dev in known or (not o.pod and o.at(Place.B_STACK) == Sight.NOT_SEEN):
        return None
    sure = (routing.wider_than_home(o, route) or known) and (o.pod or o.at(Place.B_STACK) == Sight.SEEN)
    node, said = route.agent, routing.describe(o, route)
    sentence = f"{facts.arrived(o)}, but {node} keeps the answer: it routes {said}. {routing.overlap(o, route)}"
    foreign = route.type == "local" or _FOREIGN.fullmatch(route.dev)
    step = (
        f"{node}'s own pod block must not cover {o.subnet}: delete the node, or give it a range that overlaps nothing."
    )
    if foreign:
        step = f"On {node}: give {route.dev} a range that does not cover {o.subnet}, or take {route.prefix} away."
    return facts.say(
        o, Label.RETURN_PATH_MISROUTE, PROVEN if sure else LIKELY, sentence, Cause.R1E if foreign else Cause.R1A,
        Culprit("route", node, f"{node} routes {said}"), step, _ALL,
    )  # fmt: skip


def _stuck(o: Observation) -> bool:
    """The SYN is at home there and no answer is on the wire."""
    if o.at(Place.B_NIC_OUT) != Sight.NOT_SEEN:
        return False
    return o.at(Place.B_POD_OUT) == Sight.SEEN if o.pod else facts.syn_arrived(o)


def _usual_devices(o: Observation, agent: str) -> tuple[str, ...]:
    exits = (one.split() for one in (o.usual.exits if o.usual else ()))
    return tuple(words[1] for words in exits if len(words) > 1 and words[0] == agent)


def _refused_route(o: Observation, route: Route, cause: Cause, confidence: Confidence) -> Verdict:
    node, said = route.agent, routing.describe(o, route)
    sentence = f"{facts.arrived(o)}, but {node} has no way back: {said}."
    asked = f"{route.dst} from {route.src} iif {route.iif}" if route.iif else route.dst
    step = f"On {node}: `ip route get {asked}` and `ip rule`; put the route to {o.subnet or route.dst} right."
    return facts.say(
        o, Label.RETURN_PATH_LOSS, confidence, sentence, cause, Culprit("route", node, said), step, _ALL
    )  # fmt: skip


def held_for_the_way_back(o: Observation) -> Verdict | None:
    """T6, and R2 and R6 under a loose rp_filter: the SYN never got past the NIC because of the route *back*.

    rp_filter drops it where the source has no usable route (loose), or one by another interface (strict):
    fib_validate_source, net/ipv4/fib_frontend.c. The counter names the cause; it is noisy, so nothing is proven by it.
    """
    inside = Place.B_POD_IN if o.pod else Place.B_STACK
    if o.at(Place.B_NIC_IN) != Sight.SEEN or o.at(inside) != Sight.NOT_SEEN or facts.answer_left(o):
        return None
    route, moved = facts.way_back(o), o.counters.get("TcpExtIPReversePathFilter")
    if route is None:
        return None
    if refusal := routing.refuses(route):
        return _refused_route(o, route, refusal, LIKELY)
    came = facts.entry(o)
    if route.type == "local" and o.name(facts.asked_from(o)) not in o.responders:
        return _martian(o, route, inside)
    if not moved or not came or route.dev in ("", came):
        return None
    node, said = route.agent, routing.describe(o, route)
    sentence = f"The SYN reached {node} on {came}, and rp_filter dropped it there because the way back is {said}."
    step = f"Mend the return route on {node} (`ip route get {route.dst}`); rp_filter is the symptom."
    return facts.say(
        o, Label.RETURN_PATH_MISROUTE, LIKELY, sentence, Cause.T6, Culprit("route", node, said), step,
        (Place.B_NIC_IN, inside), ("TcpExtIPReversePathFilter moved",),
    )  # fmt: skip


def _martian(o: Observation, route: Route, inside: Place) -> Verdict:
    """R1e: a SYN from an address of the host's own is dropped as martian (fib_validate_source, net/ipv4): no counter
    but IpInReceives moves. IPv6 has no such check: the host itself would answer."""
    node, address = route.agent, facts.asked_from(o)
    sentence = (
        f"The SYN reached {node}, which owns {address} itself and drops what comes from it as martian: the prober's"
        f" address is {node}'s too."
    )
    step = f"On {node}: `ip addr | grep {address}`; one of the two must give the address up: the address plan is wrong."
    culprit = Culprit("route", node, f"{node} routes {routing.describe(o, route)}")
    return facts.say(
        o, Label.RETURN_PATH_MISROUTE, LIKELY, sentence, Cause.R1E, culprit, step, (Place.B_NIC_IN, inside)
    )


def told_on_the_way_back(o: Observation) -> Verdict | None:
    """R1b, R2, R5, R6 by an ICMP error to the responder that quotes its answer."""
    left = facts.answer_left(o)
    told = [s for s in icmp.errors_to_responder(o) if icmp.meaning(o, s) != Error.OTHER]
    if not told or left is None:
        return None
    one = told[0]
    reason, who = icmp.meaning(o, one), facts.hop(o, one.icmp_from)
    label, cause, most = _return_error(o, one, reason)
    code = f"ICMP {one.icmp_type}/{one.icmp_code}"
    sentence = (
        f"{facts.arrived(o)} and its {facts.word(left)} left {left.agent}, but {who} answered it with {code}: {reason}."
    )
    step = f"Look at {who}: its filter and its route to {facts.asked_from(o)}."
    culprit = Culprit("hop", o.name(one.icmp_from) or one.icmp_from, f"{code}: {reason}")
    confidence = most if one.sealed else min(most, LIKELY, key=RANK.index)
    more = (icmp.text(one), facts.handed(left))
    return facts.say(o, label, confidence, sentence, cause, culprit, step, (Place.B_NIC_OUT,), more)


RANK = [Confidence.AMBIGUOUS, INFERRED, LIKELY, PROVEN]


def _return_error(o: Observation, one: Seen, reason: Error) -> tuple[Label, Cause | None, Confidence]:
    """Label, cause, and how sure at most. A late *host unreachable* of a node off the way is the incident."""
    loss, name = Label.RETURN_PATH_LOSS, o.name(one.icmp_from)
    if reason == Error.NO_ROUTE:
        return loss, Cause.R2, PROVEN
    if reason == Error.REJECTED:
        return loss, Cause.R5, PROVEN
    if reason == Error.REFUSES or name in o.responders:
        return loss, Cause.R6 if name in o.responders and reason == Error.REFUSES else None, LIKELY
    route = facts.way_back(o)
    ordinary = name in (o.source, *o.through) or (route is not None and one.icmp_from in route.via.split(","))
    if ordinary or not carriers.irregular(o, name):
        return loss, None, LIKELY
    return Label.RETURN_PATH_MISROUTE, Cause.R1B, LIKELY


def stopped_by_a_router(o: Observation) -> Verdict | None:
    """R3: a router that has a way on for the answer did not send it on, and the SYN had not come that way.

    To a stateful firewall a SYN-ACK without its SYN is invalid (tcp_conntracks, nf_conntrack_proto_tcp.c in Linux).
    """
    met = [s for s in carriers.strays(o, *ANSWERS) if carriers.onward(o, s) and carriers.irregular(o, s.agent)]
    left, stops = facts.answer_left(o), [s for s in met if not carriers.passed_on(o, s.agent, *ANSWERS)]
    if not stops or left is None or not facts.syn_arrived(o) or o.at(Place.A_NIC_IN) != Sight.NOT_SEEN:
        return None
    stop, what = stops[-1], facts.word(left)
    fate = carriers.onward(o, stop)
    onward = routing.describe(o, fate) if fate else ""
    sentence = (
        f"{facts.arrived(o)} and its {what} left {left.agent} by way of {stop.agent}, where the SYN had not passed;"
        f" {stop.agent} has a way on ({onward}) and let the {what} go no further: to a firewall it is invalid there."
    )
    step = f"Let both directions pass the same firewall: `ip route get {stop.dst}` on {left.agent}, and the SYN's way."
    culprit = Culprit("hop", stop.agent, f"got the {what} without its SYN and let it go no further")
    more = (f"witness {facts.handed(stop)}", facts.handed(left))
    return facts.say(
        o, Label.RETURN_PATH_LOSS, LIKELY, sentence, Cause.R3, culprit, step, (Place.B_NIC_OUT, Place.A_NIC_IN), more
    )  # fmt: skip


def lost_between_two_ways(o: Observation) -> Verdict | None:
    """R3 where nobody watches the firewall: the answer leaves to another neighbour than the SYN came from, which it
    did not when the cell was healthy, and is lost."""
    left, route = facts.answer_left(o), facts.way_back(o)
    if left is None or not facts.parted(o) or o.at(Place.A_NIC_IN) != Sight.NOT_SEEN:
        return None
    what, carrier = facts.word(left), carriers.last_carrier(o, *ANSWERS)
    agrees = route is not None and route.via and route.dev == left.interface
    to = f"{route.via} ({left.neighbour})" if route and agrees else f"{left.neighbour} on {left.interface}"
    new = "the answer's way" if facts.turned(o) else "the SYN's way"
    sentence = (
        f"{facts.arrived(o)} from {facts.came_from(o)} and its {what} left {left.agent} to {to}; {new} is new."
        f" It never arrived at {o.source}: a firewall there that never saw the SYN takes it for invalid, or it is lost."
    )
    step = f"Let both directions pass the same firewall; what stands at {to} was not watched."
    culprit = Culprit(
        "hop",
        carrier or (route.via if route and agrees else left.neighbour),
        f"the {what} left to {to}, where no SYN came from",
    )
    more = (facts.handed(left), *(f"it used to be {one}" for one in (o.usual.exits if o.usual else ())))
    return facts.say(
        o, Label.RETURN_PATH_LOSS, LIKELY, sentence, Cause.R3, culprit, step, (Place.B_NIC_OUT, Place.A_NIC_IN), more
    )  # fmt: skip


def lost_on_the_way_back(o: Observation) -> Verdict | None:
    """R5: the answer left the right way, as far as was watched, and never arrived."""
    left = facts.answer_left(o)
    if left is None:
        return _last_seen_on_its_way(o)
    what = facts.word(left)
    if o.pod and o.at(Place.B_NIC_OUT) == Sight.NOT_SEEN and o.source not in o.responders:
        sentence = (
            f"{facts.arrived(o)} and answered, but the {what} never left {left.agent}: that node drops it on its way"
            " out."
        )
        step = (
            f"On {left.agent}: FORWARD chain, policies for {o.pod}, `ip route get {facts.asked_from(o)} from {o.pod}`."
        )
        return facts.say(
            o, Label.RETURN_PATH_LOSS, LIKELY, sentence, None, None, step, (Place.B_POD_OUT, Place.B_NIC_OUT)
        )
    if o.at(Place.A_NIC_IN) != Sight.NOT_SEEN:
        return None  # answers are heard by the tap: where it was deaf, nobody knows that none came
    outside = o.at(Place.B_NIC_OUT) == Sight.SEEN
    route, carrier = facts.way_back(o), carriers.last_carrier(o, *ANSWERS)
    onward = route.via or route.dev if route and route.prefix else ""
    by = f" towards {onward} ({route.prefix})" if route and onward else ""
    last = f"; {carrier} saw it last" if carrier else ""
    way = "the right way as far as was watched" if outside else "and whether it left the node was not watched"
    sentence = f"{facts.arrived(o)} and its {what} left {left.agent}{by}, {way}, and never arrived at {o.source}{last}."
    step = (
        f"Follow the answer from {carrier or left.agent} to {o.subnet}: filters, and firewalls that never saw the SYN."
    )
    culprit = Culprit("hop", carrier, f"saw the {what} last") if carrier else None
    return facts.say(
        o, Label.RETURN_PATH_LOSS, LIKELY if outside else INFERRED, sentence, Cause.R5, culprit, step,
        (Place.B_NIC_OUT, Place.A_NIC_IN),
    )  # fmt: skip


def _last_seen_on_its_way(o: Observation) -> Verdict | None:
    """Nobody watched the responder, but who answered must have had the SYN: its answer was met on the way back."""
    carrier = carriers.last_carrier(o, *ANSWERS)
    if not carrier or o.at(Place.A_NIC_IN) != Sight.NOT_SEEN or not facts.answered_there(o):
        return None
    sentence = f"{o.target} answered: {carrier} saw the answer on its way, and it never arrived at {o.source}."
    step = f"Follow it from {carrier} to {o.subnet}; an agent at {o.target} would say which way it left."
    culprit = Culprit("hop", carrier, "saw the answer last")
    return facts.say(o, Label.RETURN_PATH_LOSS, INFERRED, sentence, None, culprit, step, (Place.A_NIC_IN,))
