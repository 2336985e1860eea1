"""Reports in, observations out: the sightings of one probe from every agent, joined by the probe's id.

The joiner never compares clocks. An agent's times are mapped by what its clock showed when it wrote the report, and
only to know whether it was *capturing* while a probe was under way. `now` and ``received`` are the controller's
monotonic seconds, handed in.
"""

from __future__ import annotations

import ipaddress
from collections import deque, namedtuple
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from prober import baseline, places, segment
from prober import observation as ob
from prober.address import Address
from prober.halfopen import Tables
from prober.handshake import State
from prober.inquiry import Inquiry
from prober.leftovers import Flow, Leftovers, Row, flow_of, in_flow
from prober.observation import Asked, Observation, Seen, Usual
from prober.peers import Peers
from prober.pending import Pending
from prober.places import Beside
from prober.probe import Kind
from prober.questions import early, questions
from prober.report import BYWAY, CONNECT, OFTEN, OUTCOME, Question, Report, report_every
from prober.segment import IN, Batch
from prober.sighting import SIGHTING, Where
from prober.targets import Targets
from prober.vantage import Vantage, moved

HOLD = 6.0
"""Seconds for which a judged probe may still gain evidence: ICMP for a failed ARP comes 3.05-3.07 s after."""
GRACE = 1.2
"""Seconds to wait for the other agents' coverage statements once the prober has said how its probe ended."""
PATIENCE = 2.0
"""Seconds to wait for routing tables' answers before judging without them; on a busy host they take more than one."""
SILENT = 2.0
"""Seconds without a report after which an agent is silent and nobody waits for it; or for as long as two take."""
UNCLAIMED = 75.0
"""Seconds for which sightings wait for the outcome they belong to: the longest timeout is 60 s."""
MOST_UNCLAIMED = 50_000
"""Probes with sightings and no outcome; beyond that the oldest go, and are not known any more."""
MOST_ECHOES = 4096
"""Sightings of copied answers that wait to be looked at; the oldest go."""
_outcome: Any = namedtuple("_Outcome", OUTCOME.names or ())._make  # type: ignore[attr-defined]  # noqa: PYI024  # the array's names
_PROBE, _NAME, _TIME, _KIND = (SIGHTING.names.index(n) for n in ("probe", "name", "time_ns", "kind"))  # type: ignore[union-attr]


class Joiner:
    """Holds what is known of the probes under way. One a controller, or one a replay.

    ``usual`` is how each cell went when it was healthy, by source, target and which responder answered: a load
    balancer's backends are not the same way. ``unclaimed`` counts probes whose outcome never came. ``copies`` are
    sightings of copied answers: they are no part of any probe, and wait for whoever asked for them. ``failing`` are
    observations of probes that were not answered, while routes are asked for: they wait for nobody else.
    A joiner of the `past` asks nobody for routes: what they are now says nothing of what they were.
    """

    def __init__(self, targets: Targets, past: bool = False) -> None:
        self.past = past
        self.vantages: dict[str, Vantage] = {}
        self.pending: dict[int, Pending] = {}
        self.usual: dict[tuple[str, str, str], Usual] = {}
        self.unclaimed = 0
        self.tables = Tables()
        self._peers = Peers()
        self.faults: list[str] = []
        self.copies: deque[Seen] = deque(maxlen=MOST_ECHOES)
        self.leftovers, self._latest = Leftovers(), dict[Flow, int]()
        self.failing: list[Observation] = []
        self._waiting: dict[int, None] = {}
        self._let_go = float("-inf")
        self._inquiry = Inquiry(self.pending)
        self.adopt(targets)

    def adopt(self, targets: Targets) -> None:
        """Another document; what is pending is judged by it."""
        self.targets = targets
        self.names = {str(a): agent.name for agent in targets.agents for a in agent.addresses}
        self._known = frozenset(self.names)
        every = report_every(len(targets.agents))
        self.silent, self.grace = max(SILENT, 2 * every + 1.0), GRACE + every - OFTEN
        self._nodes = {one.name: node.name for one in targets.agents if (node := targets.node_of(one))}

    def take(self, report: Report, received: float) -> None:
        """One report. Taking it again changes nothing but the time at which the agent was last heard."""
        vantage = self.vantages.setdefault(report.agent, Vantage())
        vantage.hear(report, received)
        for row in map(_outcome, report.outcome_rows().tolist()):
            self._outcome(report, row, vantage, received)
        rows = report.sighting_rows().tolist()
        for row, frame in zip(rows, report.frames or [b""] * len(rows), strict=True):
            if row[_KIND] in (Kind.ECHO, Kind.ICMP_ECHO):
                self.copies.append(ob.seen(report.agent, row, report.interfaces[row[_NAME]], frame, 0.0))
                continue
            at = (row[_TIME] + vantage.offset_ns) / 1e9
            if row[_KIND] == Kind.CHALLENGE:
                self._challenged((report.agent, row), report.interfaces[row[_NAME]], frame, at)
                continue
            self._probe(row[_PROBE], received).see((report.agent, row), report.interfaces[row[_NAME]], frame, at)
        for question in early(report.agent, rows, self.names) if not self.past else ():
            self._inquiry.ask(report.agent, question)
        for route in report.answers:
            self._inquiry.take(report.agent, route, received)
        if report.halfopen:
            self.tables.take(report.agent, report.halfopen, vantage.offset_ns, received)

    def answered(self, source: str, targets: Sequence[str], sent: Batch) -> None:
        """Probes that were answered and told briefly: they are no probes to join, but peers of those that are."""
        self._peers.all_answered(targets, source, sent)

    def rest(self, cells: Collection[tuple[str, str]]) -> None:
        """These are well and in a large matrix: how their handshakes went is not remembered for them."""
        resting = frozenset(cells)
        self.usual = {key: one for key, one in self.usual.items() if key[:2] not in resting} if resting else self.usual

    def _challenged(self, row: Row, interface: str, frame: bytes, at: float) -> None:
        """A bare ACK is no part of the probe it names; the newest one of its four-tuple has met it."""
        self.judge_again(self._latest.get(self.leftovers.challenged(row, interface, frame, at), 0))

    def _probe(self, number: int, received: float) -> Pending:
        """The probe of this id. Of those whose outcome nobody has told, only so many are kept, the newest."""
        known = self.pending.get(number)
        if known is None:
            known = self.pending[number] = Pending(received)
            self._waiting[number] = None
            while len(self._waiting) > MOST_UNCLAIMED:
                oldest = next(iter(self._waiting))
                self._let_go = self.pending[oldest].first
                self._forget(oldest)
        return known

    def _outcome(self, report: Report, row: Any, vantage: Vantage, received: float) -> None:
        number = row.probe
        probe = self._probe(number, received)
        if probe.asked is not None:
            return
        self._waiting.pop(number, None)
        probe.source, probe.target = report.agent, report.targets[row.target]
        probe.run = report.runs[row.run] if report.runs else ""
        probe.asked = Asked(
            src=segment.address_text(row.src_hi, row.src_lo), dst=segment.address_text(row.dst_hi, row.dst_lo),
            sport=row.sport, dport=row.dport, state=State(row.state), error=row.error,
            rtt_ms=row.rtt_ns / 1e6 or None,
        )  # fmt: skip
        # Nothing ends after it was told: a clock set meanwhile must not make a probe the newest for an hour.
        probe.sent = min((row.sent_ns + vantage.offset_ns) / 1e9, received)
        probe.done = min((row.done_ns + vantage.offset_ns) / 1e9, received)
        probe.known = received
        self._latest[flow_of(probe.asked)] = number
        if probe.asked.state == State.ANSWERED:
            self._peers.answered(probe.target, probe.source, probe.sent)

    def due(self, now: float) -> list[Observation]:
        """The probes to judge: those whose vantages have spoken, and those already judged that gained evidence."""
        self._inquiry.prune(now - HOLD - self.grace)
        result = []
        for number, probe in list(self.pending.items()):
            if now - max(probe.first, probe.known) > (HOLD + self.grace if probe.asked else UNCLAIMED):
                self._forget(number)
            elif probe.asked and (probe.fresh if probe.judged else self._ready(probe, now)):
                observed = self._observed(number, probe, now)
                if observed is None:
                    continue
                probe.fresh, first = False, probe.asked_at is None
                asking = self._still_asking(observed, probe, now)
                if probe.judged or not asking:
                    probe.judged = True
                    result.append(observed)
                elif first:
                    self.failing.append(observed)
        return result

    def _observed(self, number: int, probe: Pending, now: float) -> Observation | None:
        """The observation; a probe of which none can be made is let go and told in ``faults``, and stops no other."""
        try:
            return self._observe(number, probe, now)
        except Exception as error:  # noqa: BLE001  # whatever was wrong with this one
            self._forget(number)
            self.faults.append(f"probe {number:#010x} {probe.source} → {probe.target}: {type(error).__name__}: {error}")
            return None

    def _forget(self, number: int) -> None:
        probe = self.pending.pop(number)
        if probe.asked and self._latest.get(flow := flow_of(probe.asked)) == number:
            del self._latest[flow]
        self._waiting.pop(number, None)
        self.unclaimed += probe.asked is None
        self._inquiry.drop(number, probe)

    def _still_asking(self, observed: Observation, probe: Pending, now: float) -> bool:
        """A failed probe first asks the agents on its way for their routes, and waits a little for the answers."""
        if not observed.failed or probe.run.startswith(BYWAY):
            return False
        for wanted in questions(observed):
            if wanted not in probe.asked_for:
                probe.asked_for.add(wanted)
                if not self.past and self.is_alive(wanted[0], now):
                    self._inquiry.want(observed.probe, probe, wanted)
        if probe.asked_at is None:
            probe.asked_at = now
            return bool(probe.wanted or probe.routes)  # once more, now with the answers that were there already
        return bool(probe.wanted) and now - probe.asked_at < PATIENCE

    def is_alive(self, agent: str, now: float) -> bool:
        """Whether an agent reports."""
        return agent in self.vantages and now - self.vantages[agent].heard < self.silent

    def judge_again(self, number: int) -> None:
        """Something bears on this probe that is none of its sightings: observe it once more, if it is held still."""
        if number in self.pending:
            self.pending[number].fresh = True

    def questions(self, agent: str) -> list[Question]:
        """What this agent is to answer; handed out once."""
        return self._inquiry.questions(agent)

    def _ready(self, probe: Pending, now: float) -> bool:
        if now >= probe.known + self.grace:
            return True
        names = self.vantages if self.grace == GRACE else self._concerned(probe)
        live = (v for name in names if (v := self.vantages.get(name)) and now - v.heard < self.silent)
        return all(v.reaches(probe.done) for v in live)

    def _concerned(self, probe: Pending) -> list[str]:
        """Whose word decides most, and who saw anything; in a large fleet the others' only revises."""
        near = [probe.source, *(agent.name for agent in self.targets.responders(probe.target, _dialled(probe)))]
        nodes = [self._nodes[name] for name in near if name in self._nodes]
        return [*dict.fromkeys([*near, *nodes, *(agent for agent, _ in probe.rows)])]

    def _observe(self, number: int, probe: Pending, now: float) -> Observation:
        asked = probe.asked
        assert asked is not None
        dialled = _dialled(probe)
        agents = self.targets.responders(probe.target, dialled)
        answering = tuple(agent.name for agent in agents)
        node = self._nodes.get(answering[0], "") if len(answering) == 1 else ""
        inner, responders = (answering[0], (node, *answering)) if node else ("", answering)
        cover = self.targets.covering(dialled) if dialled else None
        through = (cover.name,) if cover and cover.name not in responders else ()
        watching = self._watching(probe)
        untapped, tables = self._untapped(probe, responders, bool(through))
        seen = tuple(self._seen(probe, asked, inner, untapped))
        pod = asked.dst if inner else self._pod(seen, responders, asked.dst)
        key = (probe.source, probe.target, _answering(seen, answering))
        beside = Beside(inner, self._nodes.get(probe.source, ""), tables)
        counting = (probe.source,) if asked.state == State.UNHEARD else responders
        result = Observation(
            probe=number, source=probe.source, target=probe.target, run=probe.run, sent=round(probe.sent, 6),
            asked=asked, responders=responders, through=through, seen=seen, pod=pod,
            subnet=self._subnet(probe.source, asked.src),
            places=places.places(
                asked, probe.source, responders, seen, watching, bool(pod), probe.done - probe.sent, beside
            ),
            routes=tuple(probe.routes.values()), usual=self.usual.get(key), names=self.names,
            counters=moved(self.vantages, counting, probe.sent, probe.done),
            missing=tuple(self._missing(probe, responders, watching, now)),
            partial=tuple(sorted({one.agent for one in seen} - watching)),
            answering=self._peers.of(probe.target, probe.source, probe.sent),
            inner=inner, home=beside.home, untapped=untapped, held=self.leftovers.held(number, asked, probe.sent),
            steady=tuple(sorted(probe.steady)),
        )  # fmt: skip
        self.leftovers.leave(result)
        ordinary = not result.failed and not probe.run.startswith((CONNECT, BYWAY))
        if ordinary and (usual := baseline.usual(result, watching, result.usual)):
            self.usual[key] = usual
        return result

    def _watching(self, probe: Pending) -> frozenset[str]:
        """Who captured throughout this probe, and whose sightings of it, had there been any, would still be held."""
        if probe.full or probe.sent <= self._let_go:
            return frozenset()
        late = probe.known - probe.sent > UNCLAIMED - self.grace
        names = [probe.source] if late else self.vantages if self.grace == GRACE else self._concerned(probe)
        return frozenset(n for n in names if n in self.vantages and self.vantages[n].watched(probe.sent, probe.done))

    def _untapped(
        self, probe: Pending, responders: tuple[str, ...], nat: bool
    ) -> tuple[tuple[str, ...], frozenset[str]]:
        """The responders that capture nothing, and those of them whose table says what it does not hold."""
        asked = probe.asked
        assert asked is not None
        mute = [n for n in responders if n in self.vantages and self.vantages[n].read_table(probe.sent, probe.done)]
        able = {n for n in mute if not nat and not self.tables.strangers(n, asked, probe.sent, self._known)}
        return tuple(mute), frozenset(able)

    def _seen(self, probe: Pending, asked: Asked, inner: str, untapped: tuple[str, ...]) -> Iterator[Seen]:
        """What was seen, in the order of time. To the agent inside a pod the pod's own end of its veth is a NIC."""
        told = [
            ob.seen(agent, row, interface, frame, (at - probe.sent) * 1e3)
            for (agent, row), (interface, frame, at) in sorted(probe.rows.items(), key=lambda one: (one[1][2], one[0]))
        ]
        told = [
            msgspec.structs.replace(one, where=Where.POD) if one.agent == inner and one.where == Where.NIC else one
            for one in told
        ]
        told += [one for name in untapped if (one := self.tables.of(name, asked, probe.sent))]
        flows = {(asked.src, asked.sport, asked.dst, asked.dport)}
        flows |= {(one.src, one.sport, one.dst, one.dport) for one in told if one.sealed and one.kind == Kind.SYN}
        told += self.leftovers.met(flows, probe.sent, probe.done, inner)
        return (one for one in told if one.sealed or in_flow(one, flows))

    def _pod(self, seen: tuple[Seen, ...], responders: tuple[str, ...], dst: str) -> str:
        came = [s for s in seen if s.agent in responders and s.kind == Kind.SYN and s.way == IN]
        arrived = [s for s in came if s.where == Where.POD] or came
        address = arrived[-1].dst if arrived else dst
        return "" if address in self.names else address

    def _subnet(self, source: str, src: str) -> str:
        zone = next((z for z in self.targets.zones if z.name == self.targets.agent(source).zone), None)
        mine = [str(c) for c in zone.cidrs if ipaddress.ip_address(src) in c] if zone else []
        return f"{source} {mine[0]}" if mine else f"{source} {src}"

    def _missing(
        self, probe: Pending, responders: tuple[str, ...], watching: frozenset[str], now: float
    ) -> Iterator[str]:
        if not responders:
            yield f"no agent covers {probe.target}: nobody saw whether the SYN arrived or an answer left"
        for name in dict.fromkeys((*responders, probe.source)):
            vantage = self.vantages.get(name)
            if self.past and name not in watching:
                yield f"what agent {name} saw at that time has not come"
            elif vantage is None:
                yield f"agent {name} has never reported"
            elif now - vantage.heard > self.silent:
                yield f"agent {name} is silent: it has not reported for more than {self.silent:.0f} s"
            elif vantage.read_table(probe.sent, probe.done):
                yield f"agent {name} may not capture (no CAP_NET_RAW): only its half-open sockets were watched"
            elif probe.full or probe.sent <= self._let_go:
                yield f"more packets came than can be kept: what {name} saw of this probe is not known"
            elif name not in watching:
                yield f"agent {name} was not capturing throughout this probe"


_address = lru_cache(maxsize=65_536)(ipaddress.ip_address)


def _dialled(probe: Pending) -> Address | None:
    """Where its SYN went: a host name may have been given another address since, or have none yet after a start."""
    return _address(probe.asked.dst) if probe.asked else None


def _answering(seen: tuple[Seen, ...], responders: tuple[str, ...]) -> str:
    """Which responder had to do with this probe; the only one, where there is only one."""
    if len(responders) == 1:
        return responders[0]
    return min((one.agent for one in seen if one.agent in responders), default="")
