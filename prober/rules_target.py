"""Rules for a SYN that came to the target's node or host and was not answered: who swallowed it, and why."""

from __future__ import annotations

import msgspec

from prober import facts, icmp, routing
from prober.facts import INFERRED, LIKELY
from prober.handshake import REFUSED_ONCE, State
from prober.icmp import Error
from prober.observation import Observation, Place, Seen, Sight
from prober.probe import Kind
from prober.report import Route
from prober.segment import IN, OUT
from prober.sighting import Where
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

DROP = Label.INGRESS_DROP

# -- at the node's NIC, and at no pod ----------------------------------------------------------------------------


def no_room_in_conntrack(o: Observation) -> Verdict | None:
    """T7: connection tracking has no room, so the kernel drops each new flow (nf_conntrack_alloc, net/netfilter)."""
    inside = Place.B_POD_IN if o.pod else Place.B_STACK
    full = o.counters.get("ConntrackFull") and o.at(Place.B_NIC_IN) == Sight.SEEN
    if not full or o.at(inside) != Sight.NOT_SEEN or facts.answer_left(o):
        return None
    node = facts.names(facts.nodes(o))
    sentence = (
        f"The SYN reached {node} and no further: its connection tracking table is full, and new flows are dropped."
    )
    step = f"On {node}: `sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max`; raise the limit."
    culprit = Culprit("node", node, "nf_conntrack_count has reached nf_conntrack_max")
    return facts.say(o, DROP, LIKELY, sentence, Cause.T7, culprit, step, (Place.B_NIC_IN, inside))


def held_by_the_node(o: Observation) -> Verdict | None:
    """F7, T5: the node's NIC yes, the pod no: a policy there, or a pod that is gone."""
    here = o.at(Place.B_NIC_IN) == Sight.SEEN or o.source in o.responders
    if not o.pod or not here or o.at(Place.B_POD_IN) != Sight.NOT_SEEN or facts.answer_left(o):
        return None
    if o.at(Place.B_NIC_OUT) != Sight.NOT_SEEN and o.source not in o.responders:
        return None  # it may have answered for the pod
    if o.counters.get("TcpExtIPReversePathFilter") and not icmp.errors_to_prober(o):
        return None  # rp_filter may have dropped it, for a way back that was mended before it was asked for
    node = facts.names(facts.nodes(o))
    cause, why = _held_because(o, node)
    at = "" if o.source in o.responders else "'s NIC"
    said = {
        Cause.F7: f"the pod {o.pod} is gone",
        Cause.T5: f"a network policy of {node}, or a rule in its FORWARD chain, drops it",
        None: f"{node} drops it, or the pod {o.pod} is gone",
    }
    sentence = f"The SYN reached {node}{at} and never a pod: {said[cause]}.{why}"
    step = f"On {node}: does {o.pod} still live there (`ip route get {o.pod}`)? Network policies, FORWARD chain."
    if cause == Cause.F7:
        step = f"Where does {o.pod} live now? Take it out of the service, or route it to its new node."
    culprit = Culprit("node", node, "SYN in, nothing to a pod")
    return facts.say(o, DROP, LIKELY, sentence, cause, culprit, step, (Place.B_NIC_IN, Place.B_POD_IN))


def _held_because(o: Observation, node: str) -> tuple[Cause | None, str]:
    """The cause as far as anything names it: an ICMP error, a SYN that is sent back out, the node's way to the pod."""
    for one in icmp.errors_to_prober(o):
        reason, code = icmp.meaning(o, one), f"ICMP {one.icmp_type}/{one.icmp_code}"
        if o.name(one.icmp_from) in o.responders and reason in (Error.REJECTED, Error.NO_HOST):
            return Cause.T5 if reason == Error.REJECTED else Cause.F7, f" {node} says {code}: {reason}."
    back = [s for s in o.saw(Kind.SYN, way=OUT, where=Where.NIC) if s.agent in facts.nodes(o) and s.agent != o.source]
    if back:
        return Cause.F7, f" {node} sends it back out on {back[0].interface}: it knows no such pod."
    route = o.route_inwards()
    if route is None:
        return None, ""
    if routing.refuses(route) or route.via:
        return Cause.F7, f" {node} routes {routing.describe(o, route)}."
    if routing.unanswered(route):
        return Cause.F7, f" {node} routes {routing.describe(o, route)}, and nobody answers ARP for it there."
    if _its_own(route):
        return Cause.T5, f" The way to it is there: {routing.describe(o, route)}."
    return None, ""


def _its_own(route: Route) -> bool:
    """A route for this one address to a device: the network plug-in made it for the pod and takes it away with it."""
    return route.type == "unicast" and route.dev != "" and route.prefix in (f"{route.dst}/32", f"{route.dst}/128")


# -- in the host or the pod, and nothing left --------------------------------------------------------------------


def is_spoilt(o: Observation, said: Verdict) -> bool:
    """True where a probe says nothing of its cell, for it met what an earlier one had left there."""
    if said.label != Label.UNKNOWN:
        return False
    alive = o.asked.state == State.ANSWERED or o.held is not None  # else it may well be that something refuses it
    return met_another_socket(o) is not None or (alive and refused_once(o) is not None)


def met_another_socket(o: Observation) -> Verdict | None:
    """Nothing is wrong that is known: the SYN met what an earlier one of its four-tuple had left there.

    The kernel answers that with a bare ACK, one in half a second, and else with nothing (tcp_check_req,
    net/ipv4/tcp_minisocks.c; tcp_oow_rate_limited, net/ipv4/tcp_input.c).
    """
    bare = o.saw(Kind.CHALLENGE)
    if not bare and (o.held is None or not _swallowed(o) or o.saw(Kind.ICMP_SYN, Kind.ICMP_SYN_ACK)):
        return None
    port, who, heard = o.asked.sport, facts.host(o) or o.target, [one for one in bare if one.agent == o.source]
    what = "answered with a bare ACK" if bare else "then says nothing, or a bare ACK that was not seen"
    came = f", which reached {o.source}: both ways carried packets" if heard else ""
    sentence = (
        f"{o.source} → {o.target}: this SYN met a socket at {who} that an earlier SYN from source port {port} had left"
        f" half-open, and the kernel there {what}{came}. Of the handshake itself it says nothing."
    )
    step = (
        f"The next probes use other ports and tell. Where it comes again, something drops {o.source}'s RSTs on the way:"
        f" `ss -tn state syn-recv` at {who}."
    )
    missing = (*o.missing, f"source port {port} was not free at {who}: a SYN from another port")
    evidence = tuple(f"{one.agent} {'saw' if one.way == IN else 'sent'} {one.text()}" for one in bare[:2])
    told = facts.say(o, Label.UNKNOWN, Confidence.AMBIGUOUS, sentence, None, None, step, _evidence(o), evidence)
    return msgspec.structs.replace(told, missing=missing)


def refused_once(o: Observation) -> Verdict | None:
    """An RST came, and to the same SYN once more an answer, or nothing.

    The socket of an earlier SYN says that once, and is gone: where the new one's number lies in its window
    (tcp_check_req, net/ipv4/tcp_minisocks.c). A closed port and a filter refuse the second SYN as well, if it arrives.
    """
    answered = o.asked.state == State.ANSWERED
    if o.asked.error != REFUSED_ONCE or not (answered or o.asked.state == State.REFUSED):
        return None
    who, then = facts.host(o) or o.target, "was answered" if answered else "met nothing"
    sentence = (
        f"{o.source} → {o.target}: an RST came, and the same SYN {then} when it was sent again. A socket that an"
        f" earlier SYN from source port {o.asked.sport} left half-open at {who} says that once and is gone; so may a"
        " filter."
    )
    step = f"The next probes use other ports and tell. Where it comes again, something refuses a first SYN to {who}."
    missing = (*o.missing, f"whose RST it was that {o.source} heard")
    told = facts.say(o, Label.UNKNOWN, Confidence.AMBIGUOUS, sentence, None, None, step, (Place.A_NIC_IN,))
    return msgspec.structs.replace(told, missing=missing)


def lost_in_the_stack(o: Observation) -> Verdict | None:
    """The host's TCP took the SYN (a half-open socket is there), and no answer left the host."""
    if not _swallowed(o) or o.at(Place.B_STACK) != Sight.SEEN:
        return None
    who, route = facts.host(o), facts.own_way_back(o)
    dead = f" Its next hop {route.via or route.dst} does not answer ARP." if route and routing.unanswered(route) else ""
    sentence = f"The SYN reached {who} and its TCP took it, but no SYN-ACK left: it is lost on its way out.{dead}"
    step = f"On {who}: `ip route get {facts.asked_from(o)}`, `ip neigh`, and the OUTPUT chain (`nft list ruleset`)."
    culprit = Culprit("host", who, "the answer does not leave it")
    return facts.say(o, Label.RETURN_PATH_LOSS, LIKELY, sentence, None, culprit, step, _evidence(o))


def swallowed_at_target(o: Observation) -> Verdict | None:
    """T3, T4, T8: the SYN was there and no answer left. Counters and the way back tell a full queue from a filter."""
    if not _swallowed(o) or o.at(Place.B_STACK) == Sight.SEEN:
        return None
    if o.pod and not o.inner:
        return None if icmp.errors_to_prober(o) and not o.answering else _swallowed_by_pod(o)
    known = _named_by_counters(o)
    if known:
        return known
    route = facts.own_way_back(o)
    if o.at(Place.B_STACK) != Sight.NOT_SEEN or route is None or routing.refuses(route):
        return None  # who swallowed it can't be told: a host without a way back takes no SYN either
    who = facts.host(o)
    filtered = o.counters.get("TcpExtIPReversePathFilter")  # of a way back that was wrong just then
    if route.agent not in o.steady or facts.lost_route(o) or filtered:
        return _firewall_or_no_way_back(o, who)
    sentence = f"The SYN reached {who} and no answer left it: the host's own firewall drops it."
    step = f"On {who}: the INPUT chain (`nft list ruleset`), and `ss -ltn` for a queue that is full."
    culprit = Culprit("rule", who, f"{who} takes the SYN in and lets nothing out")
    return facts.say(o, DROP, LIKELY, sentence, Cause.T4, culprit, step, _evidence(o))


def _firewall_or_no_way_back(o: Observation, who: str) -> Verdict:
    """The way back is there now; a host that had none while the probe was under way takes no SYN either, and it may
    have been put right since (inet_csk_route_req, net/ipv4; OutNoRoutes counts other packets, too)."""
    asker, moved = facts.asked_from(o), facts.lost_route(o) or o.counters.get("TcpExtIPReversePathFilter")
    why = "OutNoRoutes or IPReversePathFilter moved meanwhile" if moved else "it was asked only after the probe"
    sentence = (
        f"The SYN reached {who} and no answer left it: the host's own firewall drops it, or it had no route back to"
        f" {asker} just then. It has one now, and {why}."
    )
    step = f"The next probe tells. On {who}: the INPUT chain (`nft list ruleset`), and `ip monitor route`."
    told = facts.say(o, Label.UNKNOWN, Confidence.AMBIGUOUS, sentence, None, None, step, _evidence(o))
    return msgspec.structs.replace(told, missing=(*o.missing, f"{who}'s route back while the probe was under way"))


def _named_by_counters(o: Observation) -> Verdict | None:
    """T3, T8: what the host's own counters and routes name."""
    who = facts.host(o)
    if o.counters.get("TcpExtListenOverflows"):
        sentence = f"The SYN reached {who} and was not answered: its accept queue is full (ListenOverflows moved)."
        step = f"The application on {who} does not accept: is it stuck or overloaded? `ss -ltn` shows the queue."
        culprit = Culprit("host", who, "accept queue full")
        return facts.say(o, Label.TARGET, LIKELY, sentence, Cause.T3, culprit, step, _evidence(o))
    route = facts.own_way_back(o)
    none = route is not None and routing.refuses(route)
    if not none and not (facts.lost_route(o) and route is None):
        return None
    said = f": {route.text()}" if route and none else " (OutNoRoutes moved)"
    sentence = f"The SYN reached {who}, which has no route back to {facts.asked_from(o)}{said}."
    step = f"In the namespace of {who}: `ip route get {facts.asked_from(o)}`."
    culprit = Culprit("route", who, f"no route back{said if none else ''}")
    return facts.say(o, Label.RETURN_PATH_LOSS, LIKELY, sentence, Cause.T8, culprit, step, _evidence(o))


def _swallowed_by_pod(o: Observation) -> Verdict:
    """Nobody looks into a pod: what fits best is said, and what else fits is said with it.

    A full queue and a missing route meet every source; where another one was answered before and after, a rule remains.
    """
    step = f"In {o.pod}: the INPUT chain (`nft list ruleset`), `ss -ltn`, `ip route get {facts.asked_from(o)}`."
    if o.answering:
        sentence = (
            f"The SYN reached pod {o.pod} and no answer left it, while it answered {facts.names(o.answering[:3])}:"
            " the pod's own firewall drops it (nobody watches inside the pod)."
        )
        culprit = Culprit("rule", o.pod, f"{o.pod} takes the SYN in and lets nothing out")
        return facts.say(o, DROP, INFERRED, sentence, Cause.T4, culprit, step, _evidence(o))
    sentence = (
        f"The SYN reached pod {o.pod} and no answer left it, and no other source is known to be answered all the while:"
        " its accept queue is full, its own firewall drops it, or it has no route back. Nobody watches inside the pod,"
        " so which one is not known."
    )
    culprit = Culprit("host", o.pod, f"{o.pod} takes the SYN in and lets nothing out")
    told = facts.say(o, Label.UNKNOWN, Confidence.AMBIGUOUS, sentence, None, culprit, step, _evidence(o))
    return msgspec.structs.replace(told, missing=(*o.missing, f"what happens inside pod {o.pod}"))


def _swallowed(o: Observation) -> bool:
    last, out = (Place.B_POD_IN, Place.B_POD_OUT) if o.pod else (Place.B_NIC_IN, Place.B_NIC_OUT)
    return o.at(last) == Sight.SEEN and o.at(out) == Sight.NOT_SEEN and facts.answer_left(o) is None


def _evidence(o: Observation) -> tuple[Place, ...]:
    inside = (Place.B_POD_IN, Place.B_STACK, Place.B_POD_OUT) if o.inner else (Place.B_POD_IN, Place.B_POD_OUT)
    return inside if o.pod else (Place.B_NIC_IN, Place.B_STACK, Place.B_NIC_OUT)


# -- somebody refused it there -----------------------------------------------------------------------------------


def refused_there(o: Observation, one: Seen) -> Verdict:
    """T1, T2: an RST left the target's node. Whether something listens tells a rule from a closed port."""
    where, node = f"{o.pod or o.asked.dst}:{facts.port(o)}", one.agent
    evidence = (Place.B_NIC_IN, Place.B_POD_IN, Place.B_NIC_OUT)
    if o.pod and o.at(Place.B_POD_IN) == Sight.NOT_SEEN:
        sentence = f"{node} itself answered the SYN for {where} with an RST, and no pod saw it: a rule there."
        step = f"On {node}: policies and REJECT rules for {where}, and whether the pod is there."
        culprit = Culprit("rule", node, f"answers for {where} with an RST")
        return facts.say(o, Label.TARGET, LIKELY, sentence, Cause.T2, culprit, step, evidence)
    if o.listens():
        sentence = (
            f"The SYN reached {where}, where something listens, and was refused with an RST: a rule there says so."
        )
        step = f"On the target: REJECT rules for port {facts.port(o)} in its INPUT chain (`nft list ruleset`)."
        culprit = Culprit("rule", node, f"answers for {where} with an RST, though something listens there")
        return facts.say(o, Label.TARGET, LIKELY, sentence, Cause.T2, culprit, step, evidence, ("a listener is there",))
    known = "Nothing listens there." if o.listens() is False else "Nothing listens there, or a rule there says so."
    sentence = f"The SYN reached {where} and was refused: an RST left {node}. {known}"
    step = f"Is the application up? On the target: `ss -ltn sport = :{facts.port(o)}`, then its REJECT rules."
    culprit = Culprit("host", node, f"{where} answers with an RST")
    more = ("no listener is there",) if o.listens() is False else ()
    return facts.say(o, Label.TARGET, facts.PROVEN, sentence, Cause.T1, culprit, step, evidence, more)


def refused_by_the_balancer(o: Observation) -> Verdict | None:
    """F8: the load balancer itself answers with an RST, and handed the SYN to no backend."""
    sent = [s for s in o.saw(Kind.REFUSAL, way=OUT, where=Where.NIC) if s.agent in o.through]
    came = [s for s in o.saw(Kind.REFUSAL, way=IN) if s.agent in o.through]
    onward = [s for s in o.saw(Kind.SYN, way=OUT) if s.agent in o.through]
    if not sent or came or onward or facts.syn_arrived(o):
        return None
    balancer, asked = sent[0].agent, f"{o.asked.dst}:{o.asked.dport}"
    sentence = f"{balancer} itself answered the SYN for {asked} with an RST and handed it to no backend."
    step = f"On {balancer}: its backend pool, its health checks, and whether it serves port {o.asked.dport} at all."
    culprit = Culprit("host", balancer, f"answers for {asked} itself, with an RST")
    return facts.say(
        o, Label.TARGET, LIKELY, sentence, Cause.F8, culprit, step, (Place.A_NIC_OUT, Place.B_NIC_IN, Place.A_NIC_IN)
    )  # fmt: skip
