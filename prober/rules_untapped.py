"""Rules for a responder that may not capture: its half-open sockets, its routes and its counters are all there is.

A row in the table says that its TCP took the SYN, and so that it answered. No row in a table that was read throughout
says that TCP did not take it, or lost it at once: an ICMP error or an RST that quotes the answer ends the socket before
anybody looks. Where a counter of such an end moved, nothing is said. Nothing here is ever more than likely.
"""

from __future__ import annotations

from prober import carriers, facts, routing
from prober.facts import INFERRED, LIKELY
from prober.observation import Observation, Place, Sight
from prober.probe import Kind
from prober.report import Route
from prober.verdict import Cause, Culprit, Label, Verdict

EVIDENCE = (Place.A_NIC_OUT, Place.B_STACK, Place.A_NIC_IN)
TOLD = ("the half-open sockets alone",)


def took_it(o: Observation) -> Verdict | None:
    """R1b, R5: TCP took the SYN and answered, and the prober, which captured throughout, heard nothing."""
    if not _alone(o) or o.at(Place.B_STACK) != Sight.SEEN or o.at(Place.A_NIC_IN) != Sight.NOT_SEEN:
        return None
    who, route = facts.host(o), facts.own_way_back(o)
    begun = f"{who}'s TCP took the SYN and answered it (a half-open socket is there)"
    if route and (wrong := _elsewhere(o, route)):
        sentence = f"{begun}, but {route.agent} routes {routing.describe(o, route)}. {routing.overlap(o, route)}"
        step = f"Is {wrong} the way to {o.source}? If not, take that route away; give {who}'s agent CAP_NET_RAW."
        culprit = Culprit("route", wrong, f"{route.agent} routes {routing.describe(o, route)}")
        return facts.say(
            o, Label.RETURN_PATH_MISROUTE, INFERRED, sentence, Cause.R1B, culprit, step, EVIDENCE, TOLD
        )  # fmt: skip
    by = f" towards {route.via or route.dev} ({route.prefix})" if route and route.prefix else ""
    sentence = f"{begun}; no answer came to {o.source}. Whether it left{by} was not watched: nobody captures on {who}."
    step = f"Follow the answer from {who} to {o.subnet}: OUTPUT chain, filters; give its agent CAP_NET_RAW to see more."
    return facts.say(o, Label.RETURN_PATH_LOSS, INFERRED, sentence, Cause.R5, None, step, EVIDENCE, TOLD)


def _elsewhere(o: Observation, route: Route) -> str:
    """Whose route it is, where it leads to an agent that carried nothing of this cell when it was healthy."""
    if routing.is_default(route):
        return ""
    hops = [name for name in routing.owners(o, route) if name not in (o.source, *o.through)]
    return next((name for name in hops if carriers.irregular(o, name)), "")


def took_none(o: Observation) -> Verdict | None:
    """F1, T3, T4, R2, R6, R1e: it read its table throughout, and its TCP took no such SYN."""
    if not _alone(o) or o.at(Place.B_STACK) != Sight.NOT_SEEN:
        return None
    who, route = facts.host(o), facts.own_way_back(o)
    if o.counters.get("TcpExtListenOverflows"):
        sentence = f"{who}'s TCP took no SYN of {o.source}, and its accept queue is full (ListenOverflows moved)."
        step = f"The application on {who} does not accept: is it stuck or overloaded? `ss -ltn` shows the queue."
        culprit = Culprit("host", who, "accept queue full")
        return facts.say(o, Label.TARGET, INFERRED, sentence, Cause.T3, culprit, step, EVIDENCE, TOLD)
    if route is not None and (refusal := routing.refuses(route)):
        return _no_way_back(o, route, refusal)
    if o.held is not None:
        return None  # its TCP may have an older socket of that four-tuple still, and takes no second one
    if route is None or o.counters.get("TcpExtListenDrops"):
        return None  # without its way back, or where an ICMP error ended a socket, either direction fits
    if route.type == "local" or _elsewhere(o, route) or o.counters.get("TcpExtIPReversePathFilter"):
        return None  # the way back is wrong: the SYN may have been dropped for it, or its answer may have gone astray
    if facts.lost_route(o):
        return None  # it may have had no way back just then, and have been given one before it was asked
    out = o.at(Place.A_NIC_OUT) == Sight.SEEN
    if not out:
        return None
    carrier = carriers.last_carrier(o, Kind.SYN)
    last = f"; {carrier} saw it last" if carrier else ""
    sentence = (
        f"The SYN left {o.source}, and {who}'s TCP took none: it is lost on the way in, or {who}'s own firewall drops"
        f" it{last}. Nobody captures on {who}, so which of these is not known."
    )
    step = f"Filters between {carrier or o.source} and {who}, then {who}'s INPUT chain; give its agent CAP_NET_RAW."
    last_seen = Culprit("hop", carrier, "saw the SYN last") if carrier else None
    return facts.say(o, Label.INGRESS_DROP, INFERRED, sentence, Cause.F1, last_seen, step, EVIDENCE, TOLD)


def _no_way_back(o: Observation, route: Route, cause: Cause) -> Verdict:
    """A host without a route back takes no SYN either (inet_csk_route_req, net/ipv4)."""
    node, said = route.agent, routing.describe(o, route)
    sentence = f"{node}'s TCP took no SYN of {o.source}, and {node} has no way back: {said}."
    step = f"On {node}: `ip route get {route.dst}` and `ip rule`; put the route to {o.subnet or route.dst} right."
    culprit = Culprit("route", node, said)
    return facts.say(o, Label.RETURN_PATH_LOSS, INFERRED, sentence, cause, culprit, step, EVIDENCE, TOLD)


def refused_unseen(o: Observation) -> Verdict | None:
    """T1: an RST came back, and the host whose packets nobody saw says that nothing listens there."""
    if not _alone(o) or o.listens() is not False or facts.syn_arrived(o):
        return None
    where = f"{o.asked.dst}:{o.asked.dport}"
    heard = o.saw(Kind.REFUSAL, by=o.source)
    if not heard or (o.usual is not None and heard[0].ttl != o.usual.ttl):
        return None  # it came from elsewhere than the target's answers used to
    sentence = f"{where} answers {o.source} with an RST, and {facts.host(o)} says that nothing listens there."
    step = f"Is the application up? On the target: `ss -ltn sport = :{o.asked.dport}`."
    culprit = Culprit("host", facts.host(o), f"nothing listens on {where}")
    return facts.say(
        o, Label.TARGET, LIKELY, sentence, Cause.T1, culprit, step, (Place.A_NIC_IN,), ("no listener is there",)
    )


def _alone(o: Observation) -> bool:
    """True where no responder that matters captures: the place of its NIC is not watched."""
    return bool(o.untapped) and o.at(Place.B_NIC_IN) == Sight.NOT_WATCHED and o.at(Place.B_POD_IN) != Sight.SEEN
