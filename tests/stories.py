"""A handshake told as a list of sightings, for whoever judges one.

    firewall >> SYN                     left firewall's NIC
    node1 << SYN                        came in at node1's NIC
    node1/pod << SYN                    went into a pod of node1's
    node1/pod >> SYN-ACK                came out of it
    node1/stack << SYN                  node1's own TCP took it
    node19 << SYN-ACK ttl 62            a witness
    node1 << ICMP 3/1 of SYN-ACK from 10.224.0.23 after 3070

Said after a segment: ``ttl N``, ``from ADDRESS``, ``to ADDRESS``, ``after MILLISECONDS``, ``on INTERFACE``,
``via MAC``, ``within END>END`` of a tunnel, ``unsealed``.
"""

from __future__ import annotations

import re
from textwrap import dedent

import msgspec

from prober.classify import classify
from prober.handshake import State
from prober.observation import Asked, Observation, Seen, Sight, Usual
from prober.places import Beside, places
from prober.probe import Kind
from prober.report import Route
from prober.segment import ACK, IN, OUT, RST, SYN
from prober.sighting import Where
from prober.verdict import Confidence

FIREWALL, NODE1, NODE2, NODE19, LB, POD = (
    "10.19.0.4", "10.224.0.4", "10.224.0.5", "10.224.0.23", "10.224.1.4", "10.4.76.34",
)  # fmt: skip
NAMES = {FIREWALL: "firewall", NODE1: "node1", NODE2: "node2", NODE19: "node19", LB: "lb"}
KINDS = {"SYN": Kind.SYN, "SYN-ACK": Kind.SYN_ACK, "RST": Kind.REFUSAL, "own RST": Kind.RST, "bare ACK": Kind.CHALLENGE}
FLAGS = {Kind.CHALLENGE: ACK, Kind.SYN: SYN, Kind.SYN_ACK: SYN | ACK, Kind.REFUSAL: RST | ACK, Kind.RST: RST}
EVERYBODY = frozenset({"firewall", "node1", "node2", "node19", "lb"})
NORMAL = Usual(62, ("node1 eth0 02:00:00:00:00:01",), (), (), tuple(sorted(EVERYBODY)))
"""The cell as it was when it was healthy: replies left node1 towards the router, and nobody else saw them."""

LINE = re.compile(r"(\S+?)(?:/(pod|stack))? (<<|>>) (?:ICMP (\d+)/(\d+) of )?(SYN-ACK|SYN|own RST|bare ACK|RST)(.*)")
WRONG = Route("node1", FIREWALL, POD, "veth", prefix="10.19.0.0/16", via=NODE19, dev="eth0")
RIGHT = Route("node1", FIREWALL, POD, "veth", prefix="0.0.0.0/0", via="10.224.0.1", dev="eth0")

THERE = """
    firewall >> SYN
    node1 << SYN
    node1/pod << SYN
    node1/pod >> SYN-ACK
    node1 >> SYN-ACK
"""
AND_BACK = THERE + "    firewall << SYN-ACK ttl 62\n"
INCIDENT = THERE + "    node19 << SYN-ACK ttl 62\n"
HOST = "firewall >> SYN\nnode1 << SYN"

RANK = [Confidence.AMBIGUOUS, Confidence.INFERRED, Confidence.LIKELY, Confidence.PROVEN]


def said(o: Observation) -> str:
    """Label, cause and confidence in one line."""
    verdict = classify(o)
    return " ".join(str(word) for word in (verdict.label, verdict.cause, verdict.confidence) if word)


def rank(o: Observation) -> int:
    """How sure its verdict is, as a number."""
    return RANK.index(classify(o).confidence)


def sighting(line: str, number: int = 0, src: str = FIREWALL, dst: str = POD) -> Seen:
    """One line of a story. The `number` of the line is its time in milliseconds, where none is told."""
    match = LINE.fullmatch(line.strip())
    assert match, f"{line!r} is no sighting"
    agent, place, arrow, icmp_type, icmp_code, what, rest = match.groups()
    told = dict(re.findall(r"(ttl|from|to|after|on|via|within) (\S+)", rest))
    kind, back = KINDS[what], what in ("SYN-ACK", "RST", "bare ACK")
    if icmp_type:
        kind = Kind.ICMP_SYN_ACK if back else Kind.ICMP_SYN
    ends = (dst, src) if back else (src, dst)
    icmp_from = told.pop("from") if icmp_type else ""
    ports = (8080, 61440) if back else (61440, 8080)
    return Seen(
        agent, kind, {None: Where.NIC, "pod": Where.POD, "stack": Where.STACK}[place], IN if arrow == "<<" else OUT,
        told.get("on", "veth" if place == "pod" else "eth0"), told.get("from", ends[0]),
        told.get("to", ends[1]), *ports,
        FLAGS.get(KINDS[what], 0), int(told.get("ttl", 63)), 7, 8 if back else 0, told.get("via", "02:00:00:00:00:01"),
        "unsealed" not in rest, int(icmp_type or 0), int(icmp_code or 0), icmp_from,
        float(told.get("after", number)), bytes([number]) * 40, *told.get("within", ">").split(">"),
    )  # fmt: skip


def story(
    text: str, state: State = State.TIMED_OUT, *, deaf: tuple[str, ...] = (), routes: tuple[Route, ...] = (),
    usual: Usual | None = NORMAL, error: int = 0, pod: str | None = None, dst: str = POD, src: str = FIREWALL,
    source: str = "firewall", responders: tuple[str, ...] = ("node1",), through: tuple[str, ...] = (),
    counters: dict[str, int] | None = None, names: dict[str, str] = NAMES, subnet: str = "firewall 10.19.0.0/24",
    inner: str = "", home: str = "", untapped: tuple[str, ...] = (), answering: tuple[str, ...] = (),
    held: float | None = None, steady: tuple[str, ...] = ("node1", "app"),
) -> Observation:  # fmt: skip
    """The observation of firewall → ingress that this story makes; `deaf` agents were not capturing throughout, and
    `untapped` ones read their half-open sockets only."""
    lines = [line for line in dedent(text).strip().splitlines() if line.strip()]
    seen = tuple(sighting(line, number, src, dst) for number, line in enumerate(lines))
    asked = Asked(src, dst, 61440, 8080, state, error, 0.3 if state == State.ANSWERED else None)
    inside = ("" if dst in names else dst) if pod is None else pod
    seen_by = frozenset({*names.values(), *filter(None, (inner, home))}) - {*deaf, *untapped}
    beside = Beside(inner, home, frozenset(untapped))
    missing = tuple(f"agent {name} was not capturing throughout this probe" for name in deaf)
    return Observation(
        7, source, "ingress", asked, responders,
        places(asked, source, responders, seen, seen_by, bool(inside), 1.0, beside), seen,
        pod=inside, subnet=subnet, through=through, routes=routes, counters=counters or {}, usual=usual,
        names=names, missing=missing, inner=inner, home=home, untapped=untapped, answering=answering, held=held,
        steady=steady,
        partial=deaf,
    )  # fmt: skip


def hide(o: Observation, *silent: str) -> Observation:
    """The same probe, had these agents been silent: their sightings, their routes and their *not seen* are gone."""
    seen = tuple(one for one in o.seen if one.agent not in silent)
    routes = tuple(one for one in o.routes if one.agent not in silent)
    watched = frozenset(o.names.values()) - set(silent)
    fresh = places(o.asked, o.source, o.responders, seen, watched, bool(o.pod), 1.0)
    known = {p: s if o.at(p) != Sight.NOT_WATCHED else Sight.NOT_WATCHED for p, s in fresh.items()}
    return msgspec.structs.replace(o, seen=seen, routes=routes, places=known)


def overlook(o: Observation, which: int) -> Observation:
    """The same probe, had this one packet not been looked at; what it alone showed is *not watched* then."""
    seen = o.seen[:which] + o.seen[which + 1 :]
    fresh = places(o.asked, o.source, o.responders, seen, frozenset(), bool(o.pod), 1.0)
    known = {p: Sight.NOT_WATCHED if o.at(p) == Sight.SEEN and fresh[p] != Sight.SEEN else o.at(p) for p in o.places}
    return msgspec.structs.replace(o, seen=seen, places=known, partial=(*o.partial, o.seen[which].agent))
