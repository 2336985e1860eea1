"""Agents on a made-up clock that report as real ones do, four times a second, to a real joiner.

Seconds are the controller's. Each agent's own clock shows something else, by its ``shift``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from prober import segment
from prober.classify import classify
from prober.handshake import State
from prober.joiner import Joiner
from prober.observation import Observation
from prober.probe import Kind, identity
from prober.report import OUTCOME, HalfOpen, Question, Report, Route
from prober.segment import IN, OUT
from prober.sighting import SIGHTING, Where
from prober.targets import parse
from prober.verdict import Verdict
from tests.stories import FIREWALL, POD

TARGETS = parse((Path(__file__).parent.parent / "targets.yaml").read_text())
PROBE = identity(1, 5)
EVERY = 0.25
WHENCE = 1_700_000_000.0
"""What the agents' clocks would show at second 0, were they right."""


def saw(kind: Kind, way: int, at: float, where: Where = Where.NIC, probe: int = PROBE, **columns: int) -> np.ndarray:
    """One row of sightings at second `at`: firewall and the ingress pod, the way its kind goes."""
    row = np.zeros(1, SIGHTING)
    back = kind in (Kind.SYN_ACK, Kind.REFUSAL, Kind.ICMP_SYN_ACK, Kind.CHALLENGE)
    ends = ((POD, 8080), (FIREWALL, 61440)) if back else ((FIREWALL, 61440), (POD, 8080))
    for name, (address, port) in zip(("src", "dst"), ends, strict=True):
        row[f"{name}_hi"], row[f"{name}_lo"] = segment.pair(address)
        row["sport" if name == "src" else "dport"] = port
    row["probe"], row["kind"], row["where"], row["way"], row["sealed"] = probe, kind, where, way, True
    row["ttl"], row["seq"], row["ack"], row["time_ns"] = 62, probe, 0, int(at * 1e9)
    for name, value in columns.items():
        row[name] = value
    return row


def ended(state: State, sent: float, done: float, probe: int = PROBE) -> np.ndarray:
    """One row of outcomes: the same probe's."""
    row = np.zeros(1, OUTCOME)
    row["src_hi"], row["src_lo"] = segment.pair(FIREWALL)
    row["dst_hi"], row["dst_lo"] = segment.pair(POD)
    row["probe"], row["state"], row["sport"], row["dport"] = probe, state, 61440, 8080
    row["sent_ns"], row["done_ns"] = int(sent * 1e9), int(done * 1e9)
    return row


@dataclass
class Agent:
    """``events`` are (second, row); ``mute`` are seconds (from, to) in which its reports wait and then come at once."""

    name: str
    events: list[tuple[float, np.ndarray]] = field(default_factory=list)
    route: Callable[[Question], Route] | None = None
    shift: float = 0.0
    starts: float = 0.0
    mute: tuple[float, float] = (0.0, 0.0)
    dropped: tuple[float, float] = (0.0, 0.0)
    counters: dict[str, int] = field(default_factory=dict)
    tap: bool = True
    halfopen: list[tuple[float, HalfOpen]] = field(default_factory=list)
    targets: list[str] = field(default_factory=lambda: ["ingress"])
    epoch: int = 1
    sequence: int = 0
    waiting: list[Report] = field(default_factory=list)

    def report(self, now: float, questions: list[Question]) -> list[Report]:
        """What it sends at `now`: nothing while it is mute, all that waited afterwards."""
        if now < self.starts:
            return []
        self.waiting.append(self._written(now, questions))
        if self.mute[0] <= now < self.mute[1]:
            return []
        sent, self.waiting = self.waiting, []
        return sent

    def _written(self, now: float, questions: list[Question]) -> Report:
        rows = [row for at, row in self.events if now - EVERY <= at < now]
        own = int((WHENCE + self.shift) * 1e9)
        clock, since = own + int(now * 1e9), own + int((now - EVERY) * 1e9)
        self.sequence += 1
        lost = int(self.dropped[0] <= now < self.dropped[1])
        answers = [self.route(one) for one in questions] if self.route else []
        return Report(
            self.name, self.epoch, self.sequence, clock, since, clock, lost, self.tap, ["eth0"], self.targets,
            runs=[""], outcomes=_on(rows, OUTCOME, own), sightings=_on(rows, SIGHTING, own), answers=answers,
            counters=self.counters, halfopen=[one for at, one in self.halfopen if now - EVERY <= at < now],
        )  # fmt: skip


def _on(rows: list[np.ndarray], dtype: np.dtype, own: int) -> bytes:
    """The rows of this kind, on the agent's own clock."""
    made = [row.copy() for row in rows if row.dtype == dtype]
    for row in made:
        for name in ("time_ns", "sent_ns", "done_ns"):
            if name in (dtype.names or ()):
                row[name] += own
    return b"".join(row.tobytes() for row in made)


def play(
    agents: list[Agent], until: float = 20.0, twice: bool = False, joiner: Joiner | None = None
) -> list[Observation]:
    """Every observation the joiner makes, in order. With `twice` each report comes a second time."""
    joiner, made = joiner or Joiner(TARGETS), []
    for turn in range(int(until / EVERY)):
        now = turn * EVERY
        for agent in agents:
            for report in agent.report(now, joiner.questions(agent.name)):
                joiner.take(report, now + 0.004)
                if twice:
                    joiner.take(report, now + 0.1)
        made += joiner.due(now + 0.15)
    assert joiner.faults == []
    return made


def last_words(observations: list[Observation]) -> dict[int, Verdict]:
    """What was said of each probe in the end."""
    return {o.probe: classify(o) for o in observations}


def incident(at: float = 10.0, probe: int = PROBE) -> list[Agent]:
    """The incident: firewall's SYN reaches the pod, and node19 catches the answer; healthy at second 5."""
    well = [one for agent in healthy(at - 5.0, probe + 1) for one in [(agent.name, agent.events)]]
    before = dict(well)
    firewall = [(at, saw(Kind.SYN, OUT, at, probe=probe)), (at + 1.0, ended(State.TIMED_OUT, at, at + 1.0, probe))]
    node1 = [
        (at, saw(kind, way, at + 0.001 * step, where, probe))
        for step, (kind, way, where) in enumerate((
            (Kind.SYN, IN, Where.NIC), (Kind.SYN, IN, Where.POD), (Kind.SYN_ACK, OUT, Where.POD),
            (Kind.SYN_ACK, OUT, Where.NIC),
        ))
    ]  # fmt: skip
    caught = [(at, saw(Kind.SYN_ACK, IN, at + 0.004, probe=probe))]
    return [
        Agent(
            "firewall", before["firewall"] + firewall, route=lambda q: _route("firewall", q, "0.0.0.0/0", "10.19.0.1")
        ),
        Agent("node1", before["node1"] + node1, route=lambda q: _route("node1", q, "10.19.0.0/16", "10.224.0.23")),
        Agent("node19", caught, route=lambda q: _route("node19", q, "10.19.0.0/16", "")),
    ]


def healthy(at: float = 10.0, probe: int = PROBE) -> list[Agent]:
    """A handshake that completes."""
    there = [saw(Kind.SYN, IN, at), saw(Kind.SYN, IN, at, Where.POD), saw(Kind.SYN_ACK, OUT, at, Where.POD)]
    rows = [*there, saw(Kind.SYN_ACK, OUT, at)]
    for row in rows:
        row["probe"] = probe
    back = [saw(Kind.SYN, OUT, at, probe=probe), saw(Kind.SYN_ACK, IN, at + 0.001, probe=probe)]
    done = ended(State.ANSWERED, at, at + 0.001, probe)
    return [
        Agent("firewall", [(at, row) for row in (*back, done)], route=lambda q: _route("firewall", q, "0.0.0.0/0", "")),
        Agent("node1", [(at, row) for row in rows]), Agent("node19"),
    ]  # fmt: skip


def _route(agent: str, asked: Question, prefix: str, via: str) -> Route:
    return Route(agent, asked.dst, asked.src, asked.iif, prefix, via, "eth0" if via else "pods0")
