"""Rules for an answer that left and went elsewhere. Said only with positive evidence.

That is a witness off the way, a route of the responder's that leads to another node, the late ICMP error of a node
that should never have seen the answer, an answer that passes one place again and again, or an impostor's RST.
"""

from __future__ import annotations

from prober import carriers, facts, icmp, routing
from prober.facts import INFERRED, LIKELY, PROVEN
from prober.icmp import Error
from prober.observation import ANSWERS, Observation, Place, Seen, Sight
from prober.probe import Kind
from prober.report import Route
from prober.segment import IN, OUT
from prober.sighting import Where
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

_ALL = (Place.B_NIC_IN, Place.B_POD_IN, Place.B_POD_OUT, Place.B_NIC_OUT)
_SURE = (Error.NO_ROUTE, Error.REJECTED, Error.LOOP)
"""What an error can say that leaves no doubt why the answer ended."""
_ROUNDS = 3
"""An answer that passes one interface, one way, with so many different TTLs goes round; two may be two paths."""


def goes_round(o: Observation) -> Verdict | None:
    """R7: a witness meets the same answer again and again, each time older; or ICMP 11/0 (IPv6 3/0) says so."""
    errors = [s for s in icmp.errors_to_responder(o) if icmp.meaning(o, s) == Error.LOOP]
    met = _met_again(o)
    left = facts.answer_left(o)
    if not (met or (errors and left)):
        return None
    told, evidence = [], []
    if met:
        ttls = sorted({one.ttl for one in met}, reverse=True)
        told.append(f"{met[0].agent} met it again and again, with TTL {', '.join(map(str, ttls[:3]))} …")
        evidence.append(f"witness {met[0].agent}: TTL {', '.join(map(str, ttls[:6]))}")
    if errors:
        told.append(f"{facts.hop(o, errors[0].icmp_from)} gave it up with {icmp.text(errors[0])}")
        evidence.append(icmp.text(errors[0]))
    begun = f"{facts.arrived(o)} and its {facts.word(left)} left {left.agent}, but it" if left else "The answer"
    sentence = f"{begun} goes round in a loop and never reaches {o.source}: {'; '.join(told)}."
    culprit = _loops_at(o, met, errors)
    step = f"Two routers hand {facts.asked_from(o)} to each other: compare `ip route get` for it on {culprit.node}."
    sealed = bool(met) or errors[0].sealed
    confidence = PROVEN if sealed and o.at(Place.A_NIC_IN) == Sight.NOT_SEEN else LIKELY
    return facts.say(
        o, Label.RETURN_PATH_MISROUTE, confidence, sentence, Cause.R7, culprit, step, (Place.B_NIC_OUT,),
        tuple(evidence),
    )  # fmt: skip


def _met_again(o: Observation) -> list[Seen]:
    """The sightings of one witness, at one interface, whose TTLs show that the same answer comes again."""
    places: dict[tuple[str, str], list[Seen]] = {}
    for one in o.witnesses(*ANSWERS):
        places.setdefault((one.agent, one.interface), []).append(one)
    again = [several for several in places.values() if len({one.ttl for one in several}) >= _ROUNDS]
    return max(again, key=len, default=[])


def _loops_at(o: Observation, met: list[Seen], errors: list[Seen]) -> Culprit:
    fate = o.route_of(met[0].agent) if met else None
    if fate is not None and fate.prefix and fate.dst == met[0].dst:
        return Culprit("route", fate.agent, f"{fate.agent} routes {routing.describe(o, fate)}")
    if met:
        return Culprit("hop", met[0].agent, "meets the same answer again and again")
    return Culprit("hop", o.name(errors[0].icmp_from) or errors[0].icmp_from, f"{icmp.text(errors[0])}: a loop")


def wrapped_for_another(o: Observation) -> Verdict | None:
    """R1b in an overlay: the answer left inside a tunnel to another node than when all was well, or than the SYN's.

    In Cilium's tunnel mode BPF decides before the host's FIB, so the responder's route may look clean.
    """
    left = facts.wrapped_answer(o)
    if left is None or o.at(Place.A_NIC_IN) == Sight.SEEN or o.name(left.outer) in (o.source, *o.through):
        return None
    before, came = facts.usual_ends(o, left.agent), {s.outer_src for s in facts.wrapped_syns(o)}
    new = before is not None and left.outer not in before
    if not new and (not came or left.outer in came):
        return None
    caught = [s for s in o.witnesses(*ANSWERS) if s.outer == left.outer and o.name(left.outer) == s.agent]
    fate = carriers.dead_end(o, caught[-1]) if caught else None
    to, what, route = facts.at_address(o, left.outer), facts.word(left), facts.way_back(o)
    told = f"; {caught[-1].agent} caught it there" if caught else "; nobody watches there"
    was = (
        f" It used to go to {', '.join(before)}." if before else f" The SYN came by {', '.join(came)}." if came else ""
    )
    clean = f" {route.agent}'s FIB says {routing.describe(o, route)}, and does not decide this." if route else ""
    sentence = f"{facts.arrived(o)}, but {left.agent} encapsulated its {what} to {to}{told}.{was}{clean}"
    culprit = Culprit("node", o.name(left.outer) or left.outer, f"{left.agent} encapsulated the {what} to {to}")
    step = (
        f"On {left.agent}: who maps {left.dst} to {left.outer}? `bridge fdb show`, `ip rule` with a fwmark,"
        f" `cilium bpf ipcache get {left.dst}`; may {o.name(left.outer) or left.outer} cover it?"
    )
    proven = caught and (new or fate) and o.at(Place.A_NIC_IN) == Sight.NOT_SEEN
    silent = fate is not None and fate.type == "blackhole"
    return facts.say(
        o, Label.RETURN_PATH_MISROUTE, PROVEN if proven else LIKELY, sentence,
        Cause.R1B_SILENT if silent else Cause.R1B, culprit, step, _ALL, (f"{facts.handed(left)}, VNI {left.vni}",),
    )  # fmt: skip


def caught_elsewhere(o: Observation) -> Verdict | None:
    """R1b, R1b', R1c, R1d: a witness that is not on the way caught the answer.

    Whose fault it is, is read off the responder's route to that witness, else off the witness's own. A witness of
    which neither a route nor a healthy past says that it is the wrong one may be an ordinary router: it says nothing.
    Nor is a router wrong that would send the answer on by another interface than it came by.
    """
    route = facts.way_back(o)
    hops = routing.owners(o, route) if route and not routing.is_default(route) else ()
    strays = _off_the_way(o)
    if not strays:
        return None
    stray = next((one for one in strays if one.agent in hops), strays[-1])
    kept = carriers.dead_end(o, stray)
    odd = kept or carriers.irregular(o, stray.agent) or (route is not None and routing.wider_than_home(o, route))
    sent = route if stray.agent in hops and odd else None  # else it may be the router that this route is meant for
    wrong = sent or kept
    new, in_a_pod = carriers.irregular(o, stray.agent), stray.where != Where.NIC
    if not new and (not wrong or (in_a_pod and not kept) or o.at(Place.A_NIC_IN) != Sight.NOT_SEEN):
        return None
    cause = _caught_cause(o, stray, wrong, kept)
    culprit = Culprit("node", stray.agent, f"caught the {facts.word(stray)} for {stray.dst} on {stray.interface}")
    if wrong:
        culprit = Culprit("route", stray.agent, f"{wrong.agent} routes {routing.describe(o, wrong)}")
    step = f"Take that route away: may {stray.agent} cover {stray.dst}? Deleting the node heals it at once."
    if not sent and wrong:
        step = f"Who hands {stray.dst} to {stray.agent}? Follow the routes from {facts.names(o.responders)} to it."
    return facts.say(
        o, Label.RETURN_PATH_MISROUTE, _caught_confidence(o, stray, sent, kept), _caught_story(o, stray, wrong), cause,
        culprit, step, _ALL, (f"witness {stray.agent}: {facts.handed(stray)}",),
    )  # fmt: skip


def _off_the_way(o: Observation) -> list[Seen]:
    """The strays that tell most: where one is known not to belong there, the others may be ordinary routers.

    An RST that nobody knows for the responder's own tells of a way back only where the stray's own route ends it.
    """
    strays = [one for one in carriers.strays(o, *ANSWERS) if not carriers.onward(o, one)]
    ended = [one for one in strays if carriers.dead_end(o, one)]
    if not facts.answered_there(o):
        return ended
    return [one for one in strays if carriers.irregular(o, one.agent) or one in ended] or strays


def _caught_confidence(o: Observation, stray: Seen, sent: Route | None, kept: Route | None) -> Confidence:
    """A next hop that nobody knows from a healthy past, and whose own route says nothing, may be an ordinary router."""
    if not facts.answered_there(o):
        return INFERRED
    new = carriers.irregular(o, stray.agent)
    if not kept and not new:
        return LIKELY if o.at(Place.B_NIC_OUT) == Sight.SEEN else INFERRED
    passed = carriers.passed_on(o, stray.agent, *ANSWERS)
    seen = facts.answer_left(o) is not None and facts.syn_arrived(o) and o.at(Place.A_NIC_IN) == Sight.NOT_SEEN
    ends = kept is not None and (kept.type != "unicast" or routing.wider_than_home(o, kept))
    return PROVEN if seen and not passed and (ends or (sent and new)) else LIKELY


def _caught_cause(o: Observation, stray: Seen, wrong: Route | None, kept: Route | None) -> Cause | None:
    if o.saw(*ANSWERS, by=stray.agent, way=IN, where=Where.POD) or impostor(o):
        return Cause.R1C
    if carriers.passed_on(o, stray.agent, *ANSWERS):
        return Cause.R1D
    if kept and kept.type == "blackhole":
        return Cause.R1B_SILENT
    return Cause.R1B if wrong else None


def _caught_story(o: Observation, stray: Seen, wrong: Route | None) -> str:
    left, what = facts.answer_left(o), facts.word(stray)
    begun = f"{facts.arrived(o)} and its {what} left {left.agent}, but " if left else ""
    if wrong is None:
        return (
            f"{begun or 'The answer left, but '}{stray.agent} caught the {what}, which is not on the way to {o.source}."
        )
    caught = f"{wrong.agent} routes {routing.describe(o, wrong)} and {stray.agent} caught the {what}"
    pod = f", in a pod that has {stray.dst} itself" if o.saw(*ANSWERS, by=stray.agent, where=Where.POD) else ""
    return f"{begun}{caught}{pod}. {routing.overlap(o, wrong)}"


def ended_on_the_way_back(o: Observation) -> Verdict | None:
    """R6 and its like at a router: who always carried the answer has it, and its own route now ends it there."""
    met = [one for one in o.witnesses(*ANSWERS) if one.where != Where.STACK and carriers.regular(o, one.agent)]
    ends = [(one, route) for one in met if (route := carriers.dead_end(o, one))]
    if not ends or o.at(Place.A_NIC_IN) != Sight.NOT_SEEN:
        return None
    carrier, route = min(ends, key=lambda end: (end[0].ttl, end[0].agent))
    refusal = routing.refuses(route)
    label = Label.RETURN_PATH_LOSS if refusal else Label.RETURN_PATH_MISROUTE
    said = routing.describe(o, route)
    sentence = (
        f"The {facts.word(carrier)} for {carrier.dst} came as far as {carrier.agent}, which always carried it, and now "
        f"routes {said}."
    )
    step = f"On {carrier.agent}: `ip route get {carrier.dst}`; take that route away."
    culprit = Culprit("route", carrier.agent, f"{carrier.agent} routes {said}")
    confidence = _caught_confidence(o, carrier, None, route)
    return facts.say(o, label, confidence, sentence, refusal, culprit, step, _ALL, (f"carrier {carrier.agent}",))


def given_to_its_own_pod(o: Observation) -> Verdict | None:
    """R1c on the responder's own node: the answer went into a pod there, which has the prober's address."""
    into = [s for s in o.saw(*ANSWERS, way=IN, where=Where.POD) if s.agent in o.responders]
    if not into or o.source in o.responders or o.at(Place.A_NIC_IN) != Sight.NOT_SEEN:
        return None  # the prober may be that pod
    if not facts.syn_arrived(o) and not any(one.kind == Kind.SYN_ACK for one in into):
        return None  # anybody on the way in may have refused it, with an RST in the responder's name
    one, route = into[0], facts.way_back(o)
    said = f"{one.agent} routes {routing.describe(o, route)}" if route and route.prefix else ""
    sentence = (
        f"{facts.arrived(o)}, but its {facts.word(one)} went into a pod of {one.agent} itself, behind {one.interface}:"
        f" that pod has {one.dst}. {said}".rstrip()
        + ("." if said else "")
    )
    culprit = Culprit("route", one.agent, said or f"a pod behind {one.interface} has {one.dst}")
    step = f"On {one.agent}: which pod has {one.dst}? Its range must not cover {o.subnet}."
    return facts.say(
        o, Label.RETURN_PATH_MISROUTE, PROVEN, sentence, Cause.R1C, culprit, step, _ALL, (facts.handed(one),)
    )  # fmt: skip


def wrong_next_hop(o: Observation) -> Verdict | None:
    """R1b without a witness: the answer left the node, whose route hands it to another node than it should.

    Another than it should is an agent's node that never carried the cell's packets, a next hop that itself says after
    the neighbour's timeout that nobody is there, or one that is new since the cell was healthy, by a route that
    covers more than the prober's own network.
    """
    route, left = facts.way_back(o), facts.answer_left(o)
    if route is None or not route.via or routing.is_default(route):
        return None
    if left is None or o.at(Place.B_NIC_OUT) != Sight.SEEN:
        return None
    passing = {one.agent for one in carriers.strays(o, *ANSWERS) if carriers.onward(o, one)}
    fine = (o.source, *o.through, *passing)
    hops = [name for name in routing.owners(o, route) if name not in fine and carriers.irregular(o, name)]
    new = facts.turned(o) and routing.wider_than_home(o, route) and not passing
    heard = [s for s in icmp.errors_to_responder(o) if icmp.meaning(o, s) != Error.OTHER]
    theirs = [s for s in heard if s.icmp_from in route.via.split(",")]
    errors = [s for s in theirs if icmp.meaning(o, s) == Error.NO_HOST]
    if any(s.sealed and s not in theirs and icmp.meaning(o, s) in _SURE for s in heard):
        return None  # who says why it ended has the answer: it did not go where the route says
    if not (hops or errors or new):
        return None
    owner, came = ", ".join(hops) or route.via, o.at(Place.A_NIC_IN)
    confidence = PROVEN if any(s.sealed for s in theirs) and (hops or new) and came != Sight.SEEN else LIKELY
    if came == Sight.NOT_WATCHED and not heard:
        confidence = INFERRED
    told = f"; {facts.hop(o, errors[0].icmp_from)} says {icmp.text(errors[0])}: {Error.NO_HOST}" if errors else ""
    story = f"but {route.agent} routes {routing.describe(o, route)}, another node{told}"
    sentence = f"{facts.arrived(o)} and its {facts.word(left)} left {left.agent}, {story}. {routing.overlap(o, route)}"
    culprit = Culprit("route", owner, f"{route.agent} routes {routing.describe(o, route)}")
    step = (
        f"Is {owner} the way to {o.source}? If not, take that route away; an agent there would see the answer arrive."
    )
    more = (facts.handed(left), *(icmp.text(one) for one in errors[:1]))
    return facts.say(o, Label.RETURN_PATH_MISROUTE, confidence, sentence, Cause.R1B, culprit, step, _ALL, more)


def answered_by_an_impostor(o: Observation) -> Verdict | None:
    """R1c, R9: an RST in the prober's name reached the responder, and the prober sent none like it.

    R9 where the answer left as it always did, so that the other owner lives where the prober does; a MAC address tells
    the two apart in the responder's own subnet only. One from nearer than the prober, on the SYN's own way, is a
    filter's.
    """
    heard, left = impostor(o), facts.answer_left(o)
    if heard is None or left is None:
        return None
    route, elsewhere = facts.way_back(o), facts.turned(o)
    came = facts.came_from(o)
    usual_way = o.usual is not None and not elsewhere
    if (usual_way or (came and left.neighbour == came)) and facts.nearer(o, heard):
        return _refused_on_the_way(o, heard, left)
    near = route is not None and not route.via and not route.error
    other = heard.neighbour if near and came and heard.neighbour != came else ""
    cause = Cause.R9 if other or usual_way else Cause.R1C
    said = f"{left.agent} then heard an RST from {heard.src} (ttl {heard.ttl}) that {o.source} never sent"
    by = f", from {other}, where the SYN came from {came}" if other else ""
    sentence = (
        f"{facts.arrived(o)} and its {facts.word(left)} left {left.agent}; {said}{by}: somebody else has that address."
    )
    culprit = Culprit("host", other or left.agent, f"an RST from {heard.src} that is not {o.source}'s")
    step = f"Who else owns {heard.src}? A pod, another host, or a filter that answers in its name."
    if elsewhere and route is not None and route.via and not routing.is_default(route):
        culprit = Culprit("route", route.via, f"{route.agent} routes {routing.describe(o, route)}")
        step = f"Take that route away: who behind {route.via} has {heard.src}?"
    more = (f"RST ttl {heard.ttl} from {heard.neighbour or 'an unknown neighbour'}", facts.handed(left))
    return facts.say(o, Label.RETURN_PATH_MISROUTE, LIKELY, sentence, cause, culprit, step, _ALL, more)


def _refused_on_the_way(o: Observation, heard: Seen, left: Seen) -> Verdict:
    """R5: a filter on the usual way back answers the answer with an RST, from nearer than the prober is."""
    what = facts.word(left)
    sentence = (
        f"{facts.arrived(o)} and its {what} left {left.agent} as it always did; an RST in the name of {heard.src} came"
        f" back, which {o.source} never sent and from nearer than it is: a filter on the way back refuses the {what}."
    )
    step = f"Find the filter between {left.agent} and {o.source} that rejects {left.src} → {left.dst} with an RST."
    more = (f"RST ttl {heard.ttl} from {heard.neighbour or 'an unknown neighbour'}", facts.handed(left))
    return facts.say(
        o, Label.RETURN_PATH_LOSS, LIKELY, sentence, Cause.R5, None, step, (Place.B_NIC_OUT, Place.A_NIC_IN), more
    )


def impostor(o: Observation) -> Seen | None:
    """The prober's own RSTs carry its seal; a kernel that knows nothing of the connection can't make one."""
    if o.at(Place.A_NIC_IN) != Sight.NOT_SEEN:
        return None
    heard = [s for s in o.saw(Kind.RST, way=IN) if s.agent in o.responders and not s.sealed]
    own = o.saw(Kind.RST, by=o.source, way=OUT)
    return heard[0] if heard and all(one.sealed for one in own) else None
