"""Rules for a SYN that was lost on its way in: at a router, a filter, a load balancer, a pod's own node."""

from __future__ import annotations

from prober import carriers, facts, icmp, routing
from prober.facts import INFERRED, LIKELY
from prober.icmp import Error
from prober.observation import Observation, Place, Seen, Sight
from prober.probe import Kind
from prober.segment import IN, OUT
from prober.sighting import Where
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

DROP = Label.INGRESS_DROP

# -- the SYN never arrived ---------------------------------------------------------------------------------------


def held_at_home(o: Observation) -> Verdict | None:
    """F10: the prober is a pod, and its own node had the SYN and let none out."""
    node = o.home
    if not node or o.at(Place.A_NODE_OUT) != Sight.NOT_SEEN or facts.syn_arrived(o):
        return None
    route, had = o.route_of(node), o.saw(Kind.SYN, by=node, way=OUT, where=Where.POD)
    if not had:
        return None
    evidence, sure = (Place.A_NIC_OUT, Place.A_NODE_OUT), LIKELY if facts.never_arrived(o) else INFERRED
    if route and (refusal := routing.refuses(route)):
        said = routing.describe(o, route)
        sentence = f"The SYN of {o.source} reached its own node {node}, which has no way to {o.asked.dst}: {said}."
        step = f"On {node}: `ip route get {o.asked.dst}`, `ip rule`."
        cause = Cause.F3 if refusal == Cause.R2 else Cause.F4
        return facts.say(o, DROP, sure, sentence, cause, Culprit("route", node, said), step, evidence)
    if route and routing.unanswered(route):
        sentence = (
            f"The SYN of {o.source} reached its own node {node} and never left it: {node}'s next hop"
            f" {route.via or route.dst} does not answer ARP."
        )
        step = f"On {node}: `ip neigh show`; is {route.via or route.dst} up and in the right subnet?"
        culprit = Culprit("hop", node, f"next hop {route.via or route.dst}")
        return facts.say(o, DROP, sure, sentence, Cause.F6, culprit, step, evidence)
    sentence = (
        f"The SYN left {o.source}'s pod and reached its own node {node}, which let none out: an egress policy there."
    )
    step = f"On {node}: network policies for {o.source}, and the FORWARD chain (`nft list ruleset`)."
    culprit = Culprit("node", node, "SYN out of the pod, nothing out of the node")
    return facts.say(o, DROP, sure, sentence, Cause.F10, culprit, step, evidence)


def refused_by_a_router(o: Observation) -> Verdict | None:
    """F3, F4: an agent on the way got the SYN, passed none on, and its own routing table refuses the target."""
    if facts.syn_arrived(o):
        return None
    for one in (one for one in o.witnesses(Kind.SYN) if one.where != Where.STACK):
        route = carriers.fate(o, one)
        refusal = routing.refuses(route) if route else None
        if route is None or refusal is None or carriers.irregular(o, one.agent):
            continue
        if not carriers.kept(o, one.agent, Kind.SYN):
            continue
        said = routing.describe(o, route)
        sentence = f"The SYN for {o.target} reached {one.agent}, which has no way to {one.dst}: {said}."
        step = f"On {one.agent}: `ip route get {one.dst}` and `ip rule`; put the route to {o.target} right."
        culprit = Culprit("route", one.agent, said)
        cause = Cause.F3 if refusal == Cause.R2 else Cause.F4
        confidence = LIKELY if facts.never_arrived(o) else INFERRED
        evidence = (Place.A_NIC_OUT, Place.B_NIC_IN)
        return facts.say(o, DROP, confidence, sentence, cause, culprit, step, evidence, (f"{one.agent} had the SYN",))
    return None


def astray_on_the_way_in(o: Observation) -> Verdict | None:
    """F9: a witness that is not on the way saw the SYN, and the responder did not."""
    strays = carriers.strays(o, Kind.SYN)
    if not strays or facts.syn_arrived(o):
        return None
    route = o.route_of(o.source)
    hops = routing.owners(o, route) if route and not routing.is_default(route) else ()
    watched = facts.never_arrived(o)
    # Others may be routers; and where it came by another way in, it may well have arrived.
    odd = [one for one in strays if carriers.irregular(o, one.agent) or carriers.dead_end(o, one)]
    odd = [one for one in odd if watched or carriers.kept(o, one.agent, Kind.SYN)]
    if not odd:
        return None
    stray = next((one for one in odd if one.agent in hops), odd[-1])
    wrong = route if stray.agent in hops else carriers.dead_end(o, stray)
    culprit = Culprit("node", stray.agent, f"caught the SYN for {stray.dst} on {stray.interface}")
    if wrong:
        culprit = Culprit("route", stray.agent, f"{wrong.agent} routes {routing.describe(o, wrong)}")
    told = f" {culprit.what}." if wrong else ""
    never = f"{facts.names(o.responders)} never saw it" if watched else "whether it arrived was not watched"
    sentence = f"The SYN for {o.target} went to {stray.agent}, and {never}.{told}"
    step = f"Follow the route to {o.asked.dst} from {o.source}: who hands it to {stray.agent}?"
    confidence = LIKELY if watched else INFERRED
    return facts.say(
        o, DROP, confidence, sentence, Cause.F9, culprit, step, (Place.A_NIC_OUT, Place.B_NIC_IN),
        (f"witness {stray.agent}",),
    )  # fmt: skip


def ended_on_the_way_in(o: Observation) -> Verdict | None:
    """F4 in silence: who always carried the SYN has it, and its own route now ends it there."""
    met = [one for one in o.witnesses(Kind.SYN) if one.where != Where.STACK and carriers.regular(o, one.agent)]
    ends = [(one, route) for one in met if (route := carriers.dead_end(o, one))]
    ends = [end for end in ends if carriers.kept(o, end[0].agent, Kind.SYN)]
    if not ends or facts.syn_arrived(o):
        return None
    carrier, route = min(ends, key=lambda end: (end[0].ttl, end[0].agent))
    said = routing.describe(o, route)
    sentence = f"The SYN for {o.target} came as far as {carrier.agent}, which always carried it, and now routes {said}."
    step = f"On {carrier.agent}: `ip route get {carrier.dst}`; take that route away."
    culprit = Culprit("route", carrier.agent, f"{carrier.agent} routes {said}")
    cause = Cause.F4 if routing.refuses(route) else Cause.F9
    return facts.say(
        o, DROP, LIKELY if facts.never_arrived(o) else INFERRED, sentence, cause, culprit, step,
        (Place.A_NIC_OUT, Place.B_NIC_IN), (f"carrier {carrier.agent}",),
    )  # fmt: skip


def told_on_the_way_in(o: Observation) -> Verdict | None:
    """F2, F3, F4, F6, F7, F9: an ICMP error that quotes the SYN, to the prober or to the load balancer for it."""
    errors = icmp.errors_to_prober(o)
    if not errors:
        return None
    one = errors[0]
    reason, who = icmp.meaning(o, one), facts.hop(o, one.icmp_from)
    code = f"ICMP {one.icmp_type}/{one.icmp_code}"
    watched = facts.never_arrived(o)
    never = "never arrived" if watched else "was refused on its way, or at its end"
    if facts.syn_arrived(o):
        never = f"reached {facts.names(facts.nodes(o))} and was refused there, or further on"
    sentence = f"The SYN for {o.target} {never}: {who} answered {one.agent} with {code}, {reason}."
    step = f"Look at {who}: its route to {one.dst or o.asked.dst} and its filter."
    culprit = Culprit("hop", o.name(one.icmp_from) or one.icmp_from, f"{code}: {reason}")
    return facts.say(
        o, DROP, LIKELY if watched else INFERRED, sentence, _forward_cause(o, one, reason), culprit, step,
        (Place.A_NIC_OUT, Place.B_NIC_IN), (f"{_QUOTED} with ttl {one.ttl}",),
    )  # fmt: skip


_QUOTED = "the error quotes the SYN"


def is_quoted(verdict: Verdict) -> bool:
    """True where a verdict rests on an ICMP error that quotes its own SYN."""
    return any(one.startswith(_QUOTED) for one in verdict.evidence)


def _forward_cause(o: Observation, one: Seen, reason: Error) -> Cause | None:
    name = o.name(one.icmp_from)
    if reason == Error.NO_HOST and name in o.responders:
        return Cause.F7
    route = o.route_of(name) if name else None
    if reason == Error.REJECTED and route and route.type == "prohibit":
        return Cause.F4
    if reason == Error.NO_HOST and carriers.irregular(o, name):
        return Cause.F9
    table = {
        Error.NO_ROUTE: Cause.F3, Error.REFUSES: Cause.F4, Error.NO_HOST: Cause.F6, Error.REJECTED: Cause.F2,
    }  # fmt: skip
    return table.get(reason)


def lost_behind_the_balancer(o: Observation) -> Verdict | None:
    """F8: the load balancer got the SYN, and every backend's agent says that none came."""
    got = [s for s in o.saw(Kind.SYN, way=IN) if s.agent in o.through]
    if not got or not facts.never_arrived(o):
        return None
    balancer, backends = got[0].agent, facts.names(o.responders)
    sent = o.saw(Kind.SYN, by=balancer, way=OUT, where=Where.NIC)
    onward = f"sent it on to {sent[-1].dst}" if sent else "sent it on to nobody"
    sentence = (
        f"The SYN for {o.target} reached {balancer}, which {onward}; {backends} captured throughout and saw none."
    )
    lost = f"the way from {balancer} to {sent[-1].dst}" if sent else f"{balancer}'s health checks and backend pool"
    step = f"Look at {lost}; `prober why {balancer} …` shows whether the backends answer it directly."
    culprit = Culprit("hop", balancer, f"got the SYN and {onward}")
    return facts.say(o, DROP, LIKELY, sentence, Cause.F8, culprit, step, (Place.A_NIC_OUT, Place.B_NIC_IN))


def never_arrived(o: Observation) -> Verdict | None:
    """F1: sent, and the responder captured throughout and never saw it."""
    if not facts.never_arrived(o):
        return None
    who, carrier = facts.names(o.responders), carriers.last_carrier(o, Kind.SYN)
    out = o.at(Place.A_NIC_OUT) == Sight.SEEN
    begun = f"The SYN left {o.source} and" if out else f"The SYN of {o.source} (whether it left was not watched)"
    last = f"; {carrier} saw it last" if carrier else ""
    sentence = f"{begun} never reached {who}, which was capturing throughout: it is lost on the way in{last}."
    step = f"Filters and routes between {carrier or o.source} and {who}; `prober why` from another source."
    culprit = Culprit("hop", carrier, "saw the SYN last") if carrier else None
    return facts.say(
        o, DROP, LIKELY if out else Confidence.INFERRED, sentence, Cause.F1, culprit, step,
        (Place.A_NIC_OUT, Place.B_NIC_IN),
    )  # fmt: skip
