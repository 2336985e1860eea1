"""Rules for a SYN that was lost on its way in, and for one that arrived and was not answered."""

from __future__ import annotations

from prober import facts
from prober.facts import INFERRED, LIKELY, Error
from prober.observation import Observation, Place, Seen, Sight
from prober.probe import Kind
from prober.segment import IN, OUT
from prober.sighting import Where
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

DROP = Label.INGRESS_DROP

# -- the SYN arrived and nothing left ----------------------------------------------------------------------------


def held_by_the_node(o: Observation) -> Verdict | None:
    """F7, T5: the node's NIC yes, the pod no: a policy there, or a pod that is gone."""
    here = o.at(Place.B_NIC_IN) == Sight.SEEN or o.source in o.responders
    if not o.pod or not here or o.at(Place.B_POD_IN) != Sight.NOT_SEEN or facts.answer_left(o):
        return None
    node, cause, told = facts.names(o.responders), None, ""
    errors = [s for s in _errors_to_prober(o) if o.name(s.icmp_from) in o.responders]
    if errors:
        reason = facts.meaning(o, errors[0])
        cause = Cause.T5 if reason == Error.REJECTED else Cause.F7
        told = f" {node} says ICMP {errors[0].icmp_type}/{errors[0].icmp_code}: {reason}."
    at = "" if o.source in o.responders else "'s NIC"
    sentence = f"The SYN reached {node}{at} and never a pod: {node} drops it, or the pod {o.pod} is gone.{told}"
    step = f"On {node}: does {o.pod} still live there (`ip route get {o.pod}`)? Network policies, FORWARD chain."
    culprit = Culprit("node", node, "SYN in, nothing to a pod")
    return facts.say(o, DROP, LIKELY, sentence, cause, culprit, step, (Place.B_NIC_IN, Place.B_POD_IN))


def lost_in_the_stack(o: Observation) -> Verdict | None:
    """The host's TCP took the SYN (a half-open socket is there), and no answer left the host."""
    if not _swallowed(o) or o.at(Place.B_STACK) != Sight.SEEN:
        return None
    who = facts.host(o)
    sentence = f"The SYN reached {who} and its TCP took it, but no SYN-ACK left the host: it is lost on its way out."
    step = f"On {who}: `ip route get {facts.asked_from(o)}`, `ip neigh`, and the OUTPUT chain (`nft list ruleset`)."
    culprit = Culprit("host", who, "the answer does not leave it")
    return facts.say(o, Label.RETURN_PATH_LOSS, LIKELY, sentence, None, culprit, step, _evidence(o))


def swallowed_at_target(o: Observation) -> Verdict | None:
    """T3, T4, T8: the SYN was there and no answer left. A host's counters tell a full queue from a filter."""
    if not _swallowed(o) or o.at(Place.B_STACK) == Sight.SEEN:
        return None
    if o.pod:
        return _swallowed_by_pod(o)
    who = facts.host(o)
    if o.counters.get("TcpExtListenOverflows"):
        sentence = f"The SYN reached {who} and was not answered: its accept queue is full (ListenOverflows moved)."
        step = f"The application on {who} does not accept: is it stuck or overloaded? `ss -ltn` shows the queue."
        culprit = Culprit("host", who, "accept queue full")
        return facts.say(o, Label.TARGET, LIKELY, sentence, Cause.T3, culprit, step, _evidence(o))
    if _lost_route(o) and facts.way_back(o) is None:
        sentence = f"The SYN reached {who}, which has no route back (OutNoRoutes moved)."
        step = f"On {who}: `ip route get {facts.asked_from(o)}`."
        culprit = Culprit("route", who, "no route back")
        return facts.say(o, Label.RETURN_PATH_LOSS, LIKELY, sentence, Cause.T8, culprit, step, _evidence(o))
    if o.at(Place.B_STACK) != Sight.NOT_SEEN or facts.way_back(o) is None:
        return None  # who swallowed it can't be told: a host without a way back takes no SYN either
    sentence = f"The SYN reached {who} and no answer left it: the host's own firewall drops it."
    step = f"On {who}: the INPUT chain (`nft list ruleset`), and `ss -ltn` for a queue that is full."
    culprit = Culprit("rule", who, f"{who} takes the SYN in and lets nothing out")
    return facts.say(o, DROP, LIKELY, sentence, Cause.T4, culprit, step, _evidence(o))


def _swallowed_by_pod(o: Observation) -> Verdict:
    """Nobody looks into a pod: what fits best is said, and what else fits is said with it."""
    sentence = (
        f"The SYN reached pod {o.pod} and no answer left it: the pod's own firewall drops it"
        " (or its queue is full, or it has no route back; nobody watches inside the pod)."
    )
    step = f"In {o.pod}: the INPUT chain (`nft list ruleset`), `ss -ltn`, `ip route get {facts.asked_from(o)}`."
    culprit = Culprit("rule", o.pod, f"{o.pod} takes the SYN in and lets nothing out")
    return facts.say(o, DROP, INFERRED, sentence, Cause.T4, culprit, step, _evidence(o))


def _swallowed(o: Observation) -> bool:
    last, out = (Place.B_POD_IN, Place.B_POD_OUT) if o.pod else (Place.B_NIC_IN, Place.B_NIC_OUT)
    return o.at(last) == Sight.SEEN and o.at(out) == Sight.NOT_SEEN and facts.answer_left(o) is None


def _lost_route(o: Observation) -> bool:
    return bool(o.counters.get("IpOutNoRoutes") or o.counters.get("Ip6OutNoRoutes"))


def _evidence(o: Observation) -> tuple[Place, ...]:
    return (Place.B_POD_IN, Place.B_POD_OUT) if o.pod else (Place.B_NIC_IN, Place.B_STACK, Place.B_NIC_OUT)


# -- the SYN never arrived ---------------------------------------------------------------------------------------


def astray_on_the_way_in(o: Observation) -> Verdict | None:
    """F9: a witness that is not on the way saw the SYN, and the responder did not."""
    strays = facts.strays(o, Kind.SYN)
    if not strays or facts.syn_arrived(o):
        return None
    route = o.route_of(o.source)
    hops = facts.owners(o, route) if route and not facts.is_default(route) else ()
    stray = next((one for one in strays if one.agent in hops), strays[-1])
    wrong = route if stray.agent in hops else facts.dead_end(o, stray)
    watched, new = facts.never_arrived(o), facts.irregular(o, stray.agent)
    if not (new or wrong) or (not watched and facts.passed_on(o, stray.agent, Kind.SYN)):
        return None  # an ordinary router, as far as is known; or another way than usual, and it may well have arrived
    culprit = Culprit("node", stray.agent, f"caught the SYN for {stray.dst} on {stray.interface}")
    if wrong:
        culprit = Culprit("route", stray.agent, f"{wrong.agent} routes {facts.describe(o, wrong)}")
    told = f" {culprit.what}." if wrong else ""
    never = f"{facts.names(o.responders)} never saw it" if watched else "whether it arrived was not watched"
    sentence = f"The SYN for {o.target} went to {stray.agent}, and {never}.{told}"
    step = f"Follow the route to {o.asked.dst} from {o.source}: who hands it to {stray.agent}?"
    confidence = LIKELY if watched else INFERRED
    return facts.say(
        o, DROP, confidence, sentence, Cause.F9, culprit, step, (Place.A_NIC_OUT, Place.B_NIC_IN),
        (f"witness {stray.agent}",),
    )  # fmt: skip


def told_on_the_way_in(o: Observation) -> Verdict | None:
    """F2, F3, F4, F6, F7, F9: an ICMP error that quotes the SYN, to the prober or to the load balancer for it."""
    errors = _errors_to_prober(o)
    if not errors or facts.syn_arrived(o):
        return None
    one = errors[0]
    reason, who = facts.meaning(o, one), facts.hop(o, one.icmp_from)
    code = f"ICMP {one.icmp_type}/{one.icmp_code}"
    watched = facts.never_arrived(o)
    never = "never arrived" if watched else "was refused on its way, or at its end"
    sentence = f"The SYN for {o.target} {never}: {who} answered {one.agent} with {code}, {reason}."
    step = f"Look at {who}: its route to {one.dst or o.asked.dst} and its filter."
    culprit = Culprit("hop", o.name(one.icmp_from) or one.icmp_from, f"{code}: {reason}")
    return facts.say(
        o, DROP, LIKELY if watched else INFERRED, sentence, _forward_cause(o, one, reason), culprit, step,
        (Place.A_NIC_OUT, Place.B_NIC_IN),
    )  # fmt: skip


def _errors_to_prober(o: Observation) -> list[Seen]:
    askers = (o.source, *o.through)
    errors = [s for s in o.saw(Kind.ICMP_SYN, way=IN) if s.agent in askers and facts.meaning(o, s) != Error.OTHER]
    return sorted(errors, key=lambda s: askers.index(s.agent))


def _forward_cause(o: Observation, one: Seen, reason: Error) -> Cause | None:
    name = o.name(one.icmp_from)
    if reason == Error.NO_HOST and name in o.responders:
        return Cause.F7
    if reason == Error.NO_HOST and facts.irregular(o, name):
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
    who, carrier = facts.names(o.responders), facts.last_carrier(o, Kind.SYN)
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
