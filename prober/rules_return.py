"""Rules for a SYN that arrived and an answer that did not come back.

A misroute is said only with positive evidence: a witness, a wrong route or next hop at the responder, an ICMP error
of a node that should never have seen the answer, or an impostor's RST.
"""

from __future__ import annotations

from prober import facts
from prober.facts import INFERRED, LIKELY, PROVEN, Error
from prober.handshake import State
from prober.observation import ANSWERS, Observation, Place, Seen, Sight
from prober.probe import Kind
from prober.report import Route
from prober.segment import IN, OUT
from prober.sighting import Where
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

_ALL = (Place.B_NIC_IN, Place.B_POD_IN, Place.B_POD_OUT, Place.B_NIC_OUT)


def too_late(o: Observation) -> Verdict | None:
    """The answer reached the prober after its timeout: a retransmission of one that was lost, or a slow path."""
    if o.at(Place.A_NIC_IN) != Sight.SEEN or o.asked.state != State.TIMED_OUT:
        return None
    left, arrived = _copies(o, o.responders, OUT), _copies(o, (o.source,), IN)
    if left > arrived:
        sentence = (
            f"{_arrived(o)}, which answered {left} times; {arrived} of them reached {o.source}, after its timeout."
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


def caught_elsewhere(o: Observation) -> Verdict | None:
    """R1b, R1b', R1c, R1d: a witness that is not on the way caught the answer.

    Whose fault it is, is read off the responder's route to that witness, else off the witness's own. A witness of
    which neither a route nor a healthy past says that it is the wrong one may be an ordinary router: it says nothing.
    """
    strays = facts.strays(o, *ANSWERS)
    if not strays:
        return None
    route = facts.way_back(o)
    hops = facts.owners(o, route) if route and not facts.is_default(route) else ()
    stray = next((one for one in strays if one.agent in hops), strays[-1])
    kept = facts.dead_end(o, stray)
    odd = kept or facts.irregular(o, stray.agent) or (route is not None and facts.wider_than_home(o, route))
    sent = route if stray.agent in hops and odd else None  # else it may be the router that this route is meant for
    wrong = sent or kept
    if not wrong and not facts.irregular(o, stray.agent):
        return None
    cause = _caught_cause(o, stray, wrong, kept)
    culprit = Culprit("node", stray.agent, f"caught the {facts.word(stray)} for {stray.dst} on {stray.interface}")
    if wrong:
        culprit = Culprit("route", stray.agent, f"{wrong.agent} routes {facts.describe(o, wrong)}")
    step = f"Take that route away: may {stray.agent} cover {stray.dst}? Deleting the node heals it at once."
    return facts.say(
        o, Label.RETURN_PATH_MISROUTE, _caught_confidence(o, stray, sent, kept), _caught_story(o, stray, wrong), cause,
        culprit, step, _ALL, (f"witness {stray.agent}",),
    )  # fmt: skip


def _caught_confidence(o: Observation, stray: Seen, sent: Route | None, kept: Route | None) -> Confidence:
    new = facts.irregular(o, stray.agent)
    passed = facts.passed_on(o, stray.agent, *ANSWERS)
    seen = facts.answer_left(o) is not None and facts.syn_arrived(o) and o.at(Place.A_NIC_IN) == Sight.NOT_SEEN
    return PROVEN if seen and not passed and (kept or (sent and new)) else LIKELY


def _caught_cause(o: Observation, stray: Seen, wrong: Route | None, kept: Route | None) -> Cause | None:
    if stray.where == Where.POD or _impostor(o):
        return Cause.R1C
    if facts.passed_on(o, stray.agent, *ANSWERS):
        return Cause.R1D
    if kept and kept.type == "blackhole":
        return Cause.R1B_SILENT
    return Cause.R1B if wrong else None


def _caught_story(o: Observation, stray: Seen, wrong: Route | None) -> str:
    left, what = facts.answer_left(o), facts.word(stray)
    begun = f"{_arrived(o)} and its {what} left {left.agent}, but " if left else ""
    if wrong is None:
        return (
            f"{begun or 'The answer left, but '}{stray.agent} caught the {what}, which is not on the way to {o.source}."
        )
    caught = f"{wrong.agent} routes {facts.describe(o, wrong)} and {stray.agent} caught the {what}"
    return f"{begun}{caught}. {facts.overlap(o, wrong)}"


def kept_at_home(o: Observation) -> Verdict | None:
    """R1a, R1e, R2, R6: the answer never left the responder's node, and the node's own FIB says why."""
    route = facts.way_back(o)
    if route is None or not _stuck(o):
        return None
    refusal = facts.refuses(route)
    if refusal:
        return _refused_route(o, route, refusal, PROVEN)
    if route.error or route.via or facts.is_default(route) or route.dev in ("", facts.entry(o)):
        return None
    known = _usual_devices(o, route.agent)
    if route.dev in known or (not o.pod and o.at(Place.B_STACK) == Sight.NOT_SEEN):
        return None
    sure = (facts.wider_than_home(o, route) or known) and (o.pod or o.at(Place.B_STACK) == Sight.SEEN)
    node = route.agent
    sentence = (
        f"{_arrived(o)}, but {node} keeps the answer: it routes {facts.describe(o, route)}. {facts.overlap(o, route)}"
    )
    step = (
        f"{node}'s own pod block must not cover {o.subnet}: delete the node, or give it a range that overlaps nothing."
    )
    culprit = Culprit("route", node, f"{node} routes {facts.describe(o, route)}")
    cause = Cause.R1E if route.type == "local" else Cause.R1A
    return facts.say(
        o, Label.RETURN_PATH_MISROUTE, PROVEN if sure else LIKELY, sentence, cause, culprit, step, _ALL
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
    node, said = route.agent, facts.describe(o, route)
    sentence = f"{_arrived(o)}, but {node} has no way back: {said}."
    step = f"On {node}: `ip route get {route.dst}` and `ip rule`; put the route to {o.subnet or route.dst} right."
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
    if refusal := facts.refuses(route):
        return _refused_route(o, route, refusal, LIKELY)
    came = facts.entry(o)
    if route.type == "local" and o.name(facts.asked_from(o)) not in o.responders:
        return _martian(o, route, inside)
    if not moved or not came or route.dev in ("", came):
        return None
    node, said = route.agent, facts.describe(o, route)
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
    culprit = Culprit("route", node, f"{node} routes {facts.describe(o, route)}")
    return facts.say(
        o, Label.RETURN_PATH_MISROUTE, LIKELY, sentence, Cause.R1E, culprit, step, (Place.B_NIC_IN, inside)
    )


def wrong_next_hop(o: Observation) -> Verdict | None:
    """R1b without a witness: the answer left the node, whose route hands it to another node than it should."""
    route, left = facts.way_back(o), facts.answer_left(o)
    if route is None or left is None or o.at(Place.B_NIC_OUT) != Sight.SEEN or not route.via or facts.is_default(route):
        return None
    hops = [name for name in facts.owners(o, route) if name not in (o.source, *o.through) and facts.irregular(o, name)]
    errors = [
        s
        for s in o.saw(Kind.ICMP_SYN_ACK, way=IN)
        if s.agent in o.responders and s.icmp_from in route.via.split(",") and facts.meaning(o, s) == Error.NO_HOST
    ]
    if not hops and not errors:
        return None
    owner, came = ", ".join(hops) or route.via, o.at(Place.A_NIC_IN)
    confidence = PROVEN if hops and errors and came == Sight.NOT_SEEN else LIKELY
    if came == Sight.NOT_WATCHED and not errors:
        confidence = INFERRED
    story = f"but {route.agent} routes {facts.describe(o, route)}, another node"
    sentence = f"{_arrived(o)} and its {facts.word(left)} left {left.agent}, {story}. {facts.overlap(o, route)}"
    culprit = Culprit("route", owner, f"{route.agent} routes {facts.describe(o, route)}")
    step = (
        f"Is {owner} the way to {o.source}? If not, take that route away; an agent there would see the answer arrive."
    )
    return facts.say(o, Label.RETURN_PATH_MISROUTE, confidence, sentence, Cause.R1B, culprit, step, _ALL)


def answered_by_an_impostor(o: Observation) -> Verdict | None:
    """R1c, R9: an RST in the prober's name reached the responder, and the prober sent none like it."""
    impostor, left = _impostor(o), facts.answer_left(o)
    if impostor is None or left is None:
        return None
    heard = f"{left.agent} then heard an RST from {impostor.src} (ttl {impostor.ttl}) that {o.source} never sent"
    sentence = f"{_arrived(o)} and its {facts.word(left)} left {left.agent}; {heard}: somebody else has that address."
    step = f"Who else owns {impostor.src}? A pod, another host, or a filter that answers in its name."
    culprit = Culprit("host", left.agent, f"an RST from {impostor.src} that is not {o.source}'s")
    return facts.say(o, Label.RETURN_PATH_MISROUTE, LIKELY, sentence, Cause.R1C, culprit, step, _ALL)


def _impostor(o: Observation) -> Seen | None:
    """The prober's own RSTs carry its seal; a kernel that knows nothing of the connection can't make one."""
    if o.at(Place.A_NIC_IN) != Sight.NOT_SEEN:
        return None
    heard = [s for s in o.saw(Kind.RST, way=IN) if s.agent in o.responders and not s.sealed]
    own = o.saw(Kind.RST, by=o.source, way=OUT)
    return heard[0] if heard and all(one.sealed for one in own) else None


def told_on_the_way_back(o: Observation) -> Verdict | None:
    """R1b, R2, R5, R6, R7 by an ICMP error to the responder that quotes its answer."""
    left = facts.answer_left(o)
    errors = [s for s in o.saw(Kind.ICMP_SYN_ACK, way=IN) if s.agent in o.responders]
    told = [s for s in errors if facts.meaning(o, s) != Error.OTHER]
    if not told or left is None:
        return None
    one = told[0]
    reason, who = facts.meaning(o, one), facts.hop(o, one.icmp_from)
    label, cause, most = _return_error(o, one, reason)
    code = f"ICMP {one.icmp_type}/{one.icmp_code}"
    sentence = (
        f"{_arrived(o)} and its {facts.word(left)} left {left.agent}, but {who} answered it with {code}: {reason}."
    )
    step = f"Look at {who}: its filter and its route to {facts.asked_from(o)}."
    culprit = Culprit("hop", o.name(one.icmp_from) or one.icmp_from, f"{code}: {reason}")
    confidence = most if one.sealed else min(most, LIKELY, key=RANK.index)
    return facts.say(o, label, confidence, sentence, cause, culprit, step, (Place.B_NIC_OUT,))


RANK = [Confidence.AMBIGUOUS, INFERRED, LIKELY, PROVEN]


def _return_error(o: Observation, one: Seen, reason: Error) -> tuple[Label, Cause | None, Confidence]:
    """Label, cause, and how sure at most. A late *host unreachable* of a node off the way is the incident."""
    loss, name = Label.RETURN_PATH_LOSS, o.name(one.icmp_from)
    if reason == Error.LOOP:
        return Label.RETURN_PATH_MISROUTE, Cause.R7, PROVEN
    if reason == Error.NO_ROUTE:
        return loss, Cause.R2, PROVEN
    if reason == Error.REJECTED:
        return loss, Cause.R5, PROVEN
    if reason == Error.REFUSES or name in o.responders:
        return loss, Cause.R6 if name in o.responders and reason == Error.REFUSES else None, LIKELY
    route = facts.way_back(o)
    ordinary = name in (o.source, *o.through) or (route is not None and one.icmp_from in route.via.split(","))
    if ordinary or not facts.irregular(o, name):
        return loss, None, LIKELY
    return Label.RETURN_PATH_MISROUTE, Cause.R1B, LIKELY


def lost_on_the_way_back(o: Observation) -> Verdict | None:
    """R5: the answer left the right way, as far as was watched, and never arrived."""
    left = facts.answer_left(o)
    if left is None:
        return _last_seen_on_its_way(o)
    what = facts.word(left)
    if o.pod and o.at(Place.B_NIC_OUT) == Sight.NOT_SEEN and o.source not in o.responders:
        sentence = (
            f"{_arrived(o)} and answered, but the {what} never left {left.agent}: that node drops it on its way out."
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
    route, carrier = facts.way_back(o), facts.last_carrier(o, *ANSWERS)
    onward = route.via or route.dev if route and route.prefix else ""
    by = f" towards {onward} ({route.prefix})" if route and onward else ""
    last = f"; {carrier} saw it last" if carrier else ""
    way = "the right way as far as was watched" if outside else "and whether it left the node was not watched"
    sentence = f"{_arrived(o)} and its {what} left {left.agent}{by}, {way}, and never arrived at {o.source}{last}."
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
    carrier = facts.last_carrier(o, *ANSWERS)
    if not carrier or o.at(Place.A_NIC_IN) != Sight.NOT_SEEN:
        return None
    sentence = f"{o.target} answered: {carrier} saw the answer on its way, and it never arrived at {o.source}."
    step = f"Follow it from {carrier} to {o.subnet}; an agent at {o.target} would say which way it left."
    culprit = Culprit("hop", carrier, "saw the answer last")
    return facts.say(o, Label.RETURN_PATH_LOSS, INFERRED, sentence, None, culprit, step, (Place.A_NIC_IN,))


def _arrived(o: Observation) -> str:
    return f"The SYN reached {facts.host(o)}"
