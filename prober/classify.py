"""Rules in order: an `Observation` -> exactly one `Verdict`.

How far the handshake is known to have come (`facts.reached`) says which rules are asked at all; of those the first
that speaks wins, and where none does nothing is blamed. So an answer that was seen is never told as a SYN that was
lost. A rule looks at facts only. *Not watched* is never taken for *not seen*, and a culprit is named only where a
packet, a route or an ICMP error names it.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator

from prober import carriers, facts, routing, rules_forward, rules_misroute, rules_return, rules_target, rules_untapped
from prober.baseline import exits
from prober.facts import INFERRED, LIKELY, PROVEN, Reached
from prober.handshake import REFUSED_ONCE, State
from prober.observation import Observation, Place, Seen, Sight
from prober.probe import Kind
from prober.segment import IN, OUT
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

Rule = Callable[[Observation], Verdict | None]


def classify(observation: Observation) -> Verdict:
    """What is said of this probe, with the evidence that decided."""
    for rule in RULES[facts.reached(observation)]:
        verdict = rule(observation)
        if verdict is not None:
            return verdict
    return not_enough(observation)


# -- the prober's own side ---------------------------------------------------------------------------------------


def not_sent(o: Observation) -> Verdict | None:
    """L1, L2: the send itself failed; the errno says why (ip(7), netfilter's NF_DROP in OUTPUT gives EPERM)."""
    if o.asked.state != State.NOT_SENT:
        return None
    name = errno.errorcode.get(o.asked.error, str(o.asked.error))
    route = o.route_of(o.source)
    cause, kind, what = None, "host", f"the kernel refuses to send it ({name})"
    if o.asked.error == errno.EPERM:
        cause, kind, what = Cause.L2, "rule", "the OUTPUT chain refuses the SYN (EPERM)"
    elif o.asked.error in NO_ROUTE:
        cause, kind = Cause.L1, "route"
        what = (
            route.text() if route and routing.refuses(route) and route.prefix else f"no route to {o.asked.dst} ({name})"
        )
    sentence = f"The SYN never left {o.source}: {what}."
    step = f"On {o.source}: `ip route get {o.asked.dst}`, `ip rule`, and the OUTPUT chain (`nft list ruleset`)."
    return facts.say(o, Label.LOCAL, LIKELY, sentence, cause, Culprit(kind, o.source, what), step, (Place.A_SENT,))


NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EINVAL, errno.EACCES)
"""What sending fails with where there is no route, or an unreachable, blackhole or prohibit one."""


def unheard(o: Observation) -> Verdict | None:
    """L4: the tap, which sits before INPUT and rp_filter, saw the SYN-ACK of a connect() that was never connected."""
    if o.asked.state != State.UNHEARD:
        return None
    a, answer = o.source, f"the SYN-ACK of {o.target}"
    what, kind, step = (
        "its INPUT chain, or another rule there",
        "rule",
        f"On {a}: the INPUT chain (`nft list ruleset`).",
    )
    if o.counters.get("TcpExtIPReversePathFilter"):
        what, kind = f"rp_filter, for {a}'s own route to {o.asked.dst} leaves by another interface", "route"
        step = f"On {a}: `ip route get {o.asked.dst} from {o.asked.src}`, and `sysctl net.ipv4.conf.all.rp_filter`."
    sentence = f"{a}'s tap sees {answer} come in, and {a}'s own connect() never does: {a} drops it: {what}."
    evidence = (f"A's NIC in: seen, port {o.asked.sport}", "A's own connect(): timed out")
    culprit = Culprit(kind, a, f"drops {answer}: {what}")
    return facts.say(o, Label.LOCAL, LIKELY, sentence, Cause.L4, culprit, step, (), evidence)


ANSWERS_ARP = ("REACHABLE", "PERMANENT", "NOARP")
"""States of a neighbour that is known to be there (neighbour.h); STALE says only that it was."""


def never_on_the_wire(o: Observation) -> Verdict | None:
    """L3: sent, and its own NIC was watched, and no SYN left: the next hop's neighbour entry failed."""
    if o.at(Place.A_NIC_OUT) != Sight.NOT_SEEN or o.saw(Kind.SYN):
        return None
    route = o.route_of(o.source)
    if route and any(state in route.neighbour for state in ANSWERS_ARP):
        sentence = f"The SYN was sent but never left {o.source}'s interface, though its next hop answers ARP."
        step = f"On {o.source}: `tc -s qdisc`, egress filters of its interface, a bridge or tunnel that eats it."
        culprit = Culprit("host", o.source, "the SYN does not leave it")
        return facts.say(o, Label.LOCAL, LIKELY, sentence, None, culprit, step, (Place.A_NIC_OUT,))
    hop = (route.via or o.asked.dst) if route else "its next hop"
    said = f" ({route.neighbour})" if route and routing.unanswered(route) else ""
    sentence = f"The SYN was sent but never left {o.source}'s interface: {hop} does not answer ARP{said}."
    step = f"On {o.source}: `ip neigh show`; is {hop} up and in the right subnet?"
    culprit = Culprit("hop", o.source, f"next hop {hop}{said}" if route else hop)
    return facts.say(o, Label.LOCAL, LIKELY, sentence, Cause.L3, culprit, step, (Place.A_NIC_OUT,))


# -- it works ----------------------------------------------------------------------------------------------------


def completed(o: Observation) -> Verdict | None:
    """Healthy, or a detour: the same handshake, but the reply took another way than it used to."""
    if o.asked.state != State.ANSWERED:
        return None
    if o.asked.error == REFUSED_ONCE:
        return _refused(o) if facts.refused_twice(o) else rules_target.refused_once(o)
    out = Place.B_POD_OUT if o.source in o.responders else Place.B_NIC_OUT
    arrived = o.at(Place.A_NIC_IN) == Sight.SEEN or o.source in o.responders
    both = facts.syn_arrived(o) and o.at(out) == Sight.SEEN and arrived
    took = f" in {o.asked.rtt_ms:.2f} ms" if o.asked.rtt_ms is not None else ""
    changes = list(_changes(o))
    if not changes:
        sentence = f"{_pair(o)} answers{took}."
        return facts.say(o, Label.HEALTHY, PROVEN if both else INFERRED, sentence)
    strays, route = _newcomers(o), facts.way_back(o)
    culprit = None
    if strays:
        culprit = Culprit("node", strays[-1].agent, f"carried the SYN-ACK for {strays[-1].dst}")
    if route and route.prefix and route.via:
        culprit = Culprit("route", route.agent, routing.describe(o, route))
    sentence = f"{_pair(o)} still answers{took}, but the reply takes another way than it used to: {'; '.join(changes)}."
    step = f"Look at the way back on {facts.names(o.responders)}: `ip route get {facts.asked_from(o)}`."
    confidence = INFERRED if not both else PROVEN if culprit and strays else LIKELY
    cause = Cause.R1D if strays else None
    return facts.say(o, Label.DETOUR, confidence, sentence, cause, culprit, step, (Place.A_NIC_IN,))


def _newcomers(o: Observation) -> list[Seen]:
    """Who carried the reply and did not when the cell was first healthy; the furthest last."""
    met = [one for one in o.witnesses(Kind.SYN_ACK) if carriers.irregular(o, one.agent)]
    return sorted(met, key=lambda one: (-one.ttl, one.agent))


def _changes(o: Observation) -> Iterator[str]:
    if o.usual is None:
        return
    for agent in dict.fromkeys(one.agent for one in _newcomers(o)):
        yield f"{agent} carried it"
    arrived = o.saw(Kind.SYN_ACK, by=o.source, way=IN)
    if arrived and all(one.ttl != o.usual.ttl for one in arrived):
        yield f"its TTL is {arrived[0].ttl}, it was {o.usual.ttl}"
    left = exits(o)
    if o.usual.exits and left - set(o.usual.exits):
        yield f"it leaves by {', '.join(sorted(left))}, it left by {', '.join(o.usual.exits)}"


# -- somebody refused --------------------------------------------------------------------------------------------


def rewritten(o: Observation) -> Verdict | None:
    """R4: the right acknowledgement and ports from another address."""
    if o.asked.state != State.REWRITTEN:
        return None
    stray = next((s for s in o.saw(Kind.SYN_ACK, by=o.source, way=IN) if s.src != o.asked.dst), None)
    address, left = stray.src if stray else "another address", facts.answer_left(o)
    sent = f" It left {left.agent} from {left.src}." if left else ""
    sentence = (
        f"{o.target} answered, but the SYN-ACK came from {address} and not from {o.asked.dst}: a real connection"
        f" fails.{sent}"
    )
    step = "Find the NAT that rewrites the reply's source, or that translated the SYN and did not see the reply."
    if left and left.src == address:
        step = f"Whoever translated {o.asked.dst} to {address} must see the reply: `ip route get` on {left.agent}."
    elif left and left.src == o.asked.dst:
        step = f"Find the rule between {left.agent} and {o.source} that gives {left.src} another address."
    culprit = Culprit("rule", o.name(address), f"source rewritten to {address}")
    confidence = LIKELY if facts.syn_arrived(o) and stray else INFERRED
    return facts.say(o, Label.RETURN_PATH_LOSS, confidence, sentence, Cause.R4, culprit, step, (Place.A_NIC_IN,))


def refused(o: Observation) -> Verdict | None:
    """T1, T2: the target's own RST. F2: a middlebox's, if the responder watched and never saw the SYN."""
    if o.asked.state != State.REFUSED:
        return None
    return (None if facts.refused_twice(o) else rules_target.refused_once(o)) or _refused(o)


def _refused(o: Observation) -> Verdict:
    """Whose RST it is."""
    sent = [s for s in o.saw(Kind.REFUSAL, way=OUT) if s.agent in o.responders]
    if sent and facts.syn_arrived(o):
        return rules_target.refused_there(o, sent[0])
    if answered := rules_target.refused_by_the_balancer(o):
        return answered
    where, who = f"{o.pod or o.asked.dst}:{facts.port(o)}", facts.names(o.responders)
    if facts.never_arrived(o):
        sentence = (
            f"An RST came back in the name of {where}, but {who} never saw the SYN: something on the way refuses it."
        )
        step = f"Find the filter between {o.source} and {who} that answers with an RST."
        return facts.say(o, Label.INGRESS_DROP, LIKELY, sentence, Cause.F2, None, step, (Place.B_NIC_IN,), _ttl_told(o))
    return rules_untapped.refused_unseen(o) or _refused_by_somebody(o, where)


def _ttl_told(o: Observation) -> tuple[str, ...]:
    """Where an RST came from, by its TTL: the target's own answers had another one, or the same."""
    heard = o.saw(Kind.REFUSAL, by=o.source, way=IN)
    if o.usual is None or not heard:
        return ()
    return (f"RST ttl {heard[0].ttl}, the target's answers had {o.usual.ttl}",)


def _refused_by_somebody(o: Observation, where: str) -> Verdict:
    """Whose RST it is was not watched: its TTL against that of the target's answers when it was healthy."""
    heard = o.saw(Kind.REFUSAL, by=o.source, way=IN)
    if o.usual is None or not heard:
        missing = (*o.missing, f"whose RST it is that answers for {where}: the target's or a filter's")
        sentence = f"{_pair(o)}: an RST came in the name of {where}, and who sent it was not watched."
        step = f"Is something listening on {where}? Run an agent there to know whose RST it is."
        return Verdict(Label.UNKNOWN, Confidence.AMBIGUOUS, sentence, missing=missing, next_step=step)
    evidence = _ttl_told(o)
    if heard[0].ttl == o.usual.ttl:
        sentence = (
            f"{where} answers {o.source} with an RST, from as far away as it used to answer: nothing listens there."
        )
        step = f"Is the application up? On the target: `ss -ltn sport = :{facts.port(o)}`."
        return facts.say(
            o, Label.TARGET, INFERRED, sentence, Cause.T1, None, step, (Place.A_NIC_IN,), evidence
        )  # fmt: skip
    ttl = f"ttl {heard[0].ttl}, where its answers had {o.usual.ttl}"
    sentence = f"An RST came in the name of {where} with {ttl}: something on the way refuses the SYN."
    step = f"Find the filter between {o.source} and {o.target} that answers with an RST."
    return facts.say(
        o, Label.INGRESS_DROP, INFERRED, sentence, Cause.F2, None, step, (Place.A_NIC_IN,), evidence
    )  # fmt: skip


# -- and when nothing else can be said ---------------------------------------------------------------------------


def not_enough(o: Observation) -> Verdict:
    """Unknown is a good answer; it says what was missing."""
    missing = o.missing
    if facts.syn_arrived(o) and facts.way_back(o) is None and o.source not in o.responders:
        missing += (f"the route back, which {facts.names(o.responders)} has not told",)
    missing = missing or ("the places that were watched fit several stories",)
    sentence = f"{_pair(o)} does not answer, and what was seen does not say where it is lost: {'; '.join(missing)}."
    step = f"Bring an agent up at {o.target}: {facts.names(o.responders) or 'none covers it'}."
    if not o.missing:
        step = f"`prober why {o.source} {o.target}` shows what was seen; probe it the other way round."
    return Verdict(Label.UNKNOWN, Confidence.AMBIGUOUS, sentence, missing=missing, next_step=step)


def _pair(o: Observation) -> str:
    return f"{o.source} → {o.target}"


RULES: dict[Reached, tuple[Rule, ...]] = {
    Reached.NOT_SENT: (not_sent,),
    Reached.UNHEARD: (unheard,),
    Reached.COMPLETED: (completed,),
    Reached.REWRITTEN: (rewritten,),
    Reached.REFUSED: (refused,),
    Reached.ANSWER: (
        rules_misroute.goes_round, rules_misroute.wrapped_for_another, rules_misroute.caught_elsewhere,
        rules_misroute.given_to_its_own_pod, rules_misroute.ended_on_the_way_back, rules_return.kept_at_home,
        rules_return.stopped_by_a_router, rules_misroute.answered_by_an_impostor, rules_misroute.wrong_next_hop,
        rules_return.told_on_the_way_back, rules_return.too_late, rules_return.lost_between_two_ways,
        rules_return.lost_on_the_way_back, rules_untapped.took_it,
    ),
    Reached.SYN: (
        rules_target.met_another_socket,
        rules_return.kept_at_home, rules_return.held_for_the_way_back, rules_target.no_room_in_conntrack,
        rules_target.held_by_the_node, rules_target.lost_in_the_stack, rules_target.swallowed_at_target,
        rules_untapped.took_it, rules_forward.told_on_the_way_in, rules_untapped.took_none,
    ),
    Reached.NOWHERE: (
        never_on_the_wire, rules_forward.held_at_home, rules_forward.refused_by_a_router,
        rules_forward.astray_on_the_way_in, rules_forward.ended_on_the_way_in, rules_forward.told_on_the_way_in,
        rules_forward.lost_behind_the_balancer, rules_forward.never_arrived, rules_untapped.took_none,
    ),
}  # fmt: skip
"""What is asked, by how far the handshake came; the first that speaks wins."""

BEFORE: dict[tuple[str, str], str] = {
    ("kept_at_home", "no_room_in_conntrack"): "a SYN that gets no answer for want of a route fills no table",
    ("held_for_the_way_back", "no_room_in_conntrack"): "rp_filter looks before connection tracking has to confirm",
    ("never_on_the_wire", "took_none"): "what never left cannot be taken",
    ("kept_at_home", "held_by_the_node"): "a route that refuses the way back makes rp_filter drop the SYN",
    ("kept_at_home", "swallowed_at_target"): "a host without a way back takes no SYN: its firewall is not to blame",
    ("held_for_the_way_back", "held_by_the_node"): "rp_filter is the symptom, the return route the cause (T6)",
    ("held_for_the_way_back", "swallowed_at_target"): "the same on a host",
    ("never_on_the_wire", "told_on_the_way_in"): "it died at the first place where it is missing; the error is A's own",
    (
        "kept_at_home",
        "told_on_the_way_in",
    ): "its own route is nearer than an error: whoever sent that did not have the SYN",
    ("held_for_the_way_back", "told_on_the_way_in"): "the same for a SYN that rp_filter held",
    ("lost_in_the_stack", "told_on_the_way_in"): "its TCP took the SYN: no error can speak for it",
    (
        "swallowed_at_target",
        "told_on_the_way_in",
    ): "what the host's own counters and routes name is nearer than an error",
    ("took_it", "told_on_the_way_in"): "a half-open socket is there: its TCP took the SYN",
    ("never_on_the_wire", "never_arrived"): "what never left cannot arrive",
}
"""Rules of one list that may speak together and blame different directions: which comes first, and why.

Any other such pair is a mistake in the rules; a test looks for one in arbitrary observations.
"""
