"""A large fleet in one process: every agent keeps a connection of its own and speaks HTTP/1.1 as an agent does.

What is spent here is taken from the controller's processors, so bytes are written and read by hand and a report's
columns are made at once. An agent closes a report when it is due and posts one at a time; what is refused waits as
long as it was told and is posted again, under its own name. A report's latency runs from when it was due, so one that
waits behind another is not flattered. Now and then a report that was taken is posted once more.

An agent answers what it is asked about its routes. What it is asked to try once it leaves: it has no network.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from bench.fleet.oracle import Oracle
from bench.fleet.simulated import HOUR_NS
from prober import probe, segment
from prober.agent.credential import Credential
from prober.agent.line import PATH
from prober.handshake import State
from prober.host.counters import Counters
from prober.probe import Kind
from prober.report import LANE, OUTCOME, PLAN, Orders, Question, Report, Route, decode_orders, encode
from prober.segment import IN, OUT, Batch
from prober.sighting import SIGHTING, Where

FAIL, TWICE = 1e-5, 0.01
"""Of the probes so many are not answered; of the reports so many are posted twice."""
TIMEOUT_NS, WAY_NS, GAP_NS = 1_000_000_000, 1_000_000, 100_000
"""What a lost probe waits, a handshake takes, and how far apart its packets are seen at the agent."""
FIRST = 0.25
"""Seconds between reports until the controller says otherwise."""
RECONNECT = 0.1
CROWDED = 1.0
"""Seconds between two reports while an earlier one still waits, as `prober.agent.loop` has it."""
SEGMENTS = ((Kind.SYN, OUT, 0), (Kind.SYN_ACK, IN, WAY_NS), (Kind.RST, OUT, WAY_NS + GAP_NS))
"""What an agent sees of a handshake of its own, and when after the SYN."""
FRAME = bytes(74)
"""As long as a SYN with options on Ethernet."""


@dataclass(slots=True)
class Told:
    """What came of it all. ``latencies`` in seconds; ``probes`` of reports that were acknowledged, each once."""

    kept: Oracle = field(default_factory=Oracle)
    latencies: list[float] = field(default_factory=list)
    joining: list[float] = field(default_factory=list)
    """The latencies of those that were taken before all had joined."""
    probes: int = 0
    failed: int = 0
    twice: int = 0
    made_up: int = 0
    """Refusals of reports that were taken later."""


@dataclass(slots=True)
class Due:
    """A report that waits for its acknowledgement."""

    report: Report
    rows: int
    failed: int
    at: float
    refused: bool = False
    again: bool = False


class Fleet:
    """All agents of a world: so many targets each, one after the other, all of them within `every` seconds."""

    def __init__(
        self, credentials: dict[str, Credential], targets: int, every: float, address: tuple[str, int], seed: int
    ) -> None:
        self.address, self.every, self.targets = address, every, targets
        self.told, self.chance, self.dice = Told(), random.Random(seed), np.random.default_rng(seed)  # noqa: S311  # dice
        self.names = [f"target{number}" for number in range(targets)]
        self.counters = Counters().read()
        self.closing = self.ending = False
        self.members = [Member(self, name, number, key) for number, (name, key) in enumerate(credentials.items())]

    async def play(self, joining: float, seconds: float, patience: float) -> float:
        """All agents join within `joining` seconds; from `seconds` later on each ends with its next report, when that
        is due. How long it takes after the last one until all are acknowledged, `patience` at most.

        What a report took while they joined is kept apart."""
        loop = asyncio.get_running_loop()
        for number, member in enumerate(self.members):
            loop.call_later(joining * number / len(self.members), member.begin)
        await asyncio.sleep(joining)
        while not all(member.joined for member in self.members):
            await asyncio.sleep(0.1)
        self.told.joining, self.told.latencies = self.told.latencies, []
        await asyncio.sleep(seconds)
        self.closing = True
        while not all(member.ended for member in self.members):
            await asyncio.sleep(0.02)
        began = time.monotonic()
        while self.backlog() and time.monotonic() - began < patience:
            await asyncio.sleep(0.02)
        self.ending = True
        for member in self.members:
            member.close()
        return time.monotonic() - began

    def lived(self) -> float:
        """Seconds for which an agent probed, on the average."""
        spans = [member.covered_ns - member.began_ns for member in self.members]
        return sum(spans) / len(spans) / 1e9

    def backlog(self) -> int:
        """Reports that were made and not acknowledged."""
        return sum(len(member.waiting) for member in self.members)


class Member(asyncio.Protocol):
    """One agent: its clock, its probes' serials, its connection and what it has to tell."""

    def __init__(self, fleet: Fleet, name: str, number: int, credential: Credential) -> None:
        self.fleet, self.name, self.number, self.credential = fleet, name, number, credential
        self.epoch, self.sequence, self.wrong_ns = 1, count(1), (number % 3 - 1) * HOUR_NS
        self.report_every, self.whole, self.holds = FIRST, 1, ""
        self.joined = self.ended = False
        self.waiting: deque[Due] = deque()
        self.asked: list[Question] = []
        self.transport: asyncio.Transport | None = None
        self._heard = bytearray()
        self._posted = False
        self.began_ns = self.covered_ns = self._serial = 0
        self._head = (
            f"POST {PATH} HTTP/1.1\r\nHost: {fleet.address[0]}:{fleet.address[1]}\r\nAccept: */*\r\n"
            f"Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nUser-Agent: python-httpx\r\n"
            f"Content-Type: application/msgpack\r\n{LANE}: live\r\n"
        )
        self._rows = self._template()

    def _template(self) -> Batch:
        rows = np.zeros(self.fleet.targets, OUTCOME)
        rows["src_hi"], rows["src_lo"] = segment.pair(f"10.1.{self.number // 250}.{self.number % 250 + 1}")
        for at in range(len(rows)):
            rows["dst_hi"][at], rows["dst_lo"][at] = segment.pair(f"10.2.{at // 250}.{at % 250 + 1}")
        rows["sport"] = np.resize(np.array(probe.PORTS, np.uint16), len(rows))
        rows["dport"], rows["state"] = 80, State.ANSWERED
        return rows

    # -- what is told -----------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Connected, and its first report says nothing: without a plan it does not probe."""
        self.covered_ns = time.time_ns()
        self._connect()
        self._close_report()

    def _close_report(self) -> None:
        self.ended = self.fleet.closing
        if not self.ended:
            asyncio.get_running_loop().call_later(self.report_every, self._close_report)
        if self.ended or not self.waiting or time.time_ns() - self.covered_ns >= CROWDED * 1e9:
            self.waiting.append(self._made(time.time_ns()))
            self._post()

    def _made(self, now_ns: int) -> Due:
        """What ended since the last report, in the order in which it was asked."""
        fleet, step = self.fleet, int(self.fleet.every * 1e9 / self.fleet.targets)
        upto = max(self._serial, (now_ns - self.began_ns - WAY_NS) // step) if self.joined else 0
        serials = np.arange(self._serial, upto)
        self._serial = upto
        rows = self._rows.take(serials % fleet.targets)
        rows["probe"] = self.number << probe.SERIAL_BITS | serials % probe.SERIALS
        rows["target"] = np.arange(len(rows)) % fleet.targets
        names = [fleet.names[one] for one in (serials[: fleet.targets] % fleet.targets).tolist()]
        rows["sent_ns"] = self.began_ns + serials * step + self.wrong_ns
        rows["rtt_ns"] = fleet.dice.integers(WAY_NS // 2, WAY_NS, len(rows))
        rows["done_ns"] = rows["sent_ns"] + rows["rtt_ns"]
        failed = fleet.dice.random(len(rows)) < FAIL
        if failed.any():
            rows["state"][failed], rows["rtt_ns"][failed] = State.TIMED_OUT, 0
            rows["sent_ns"][failed] -= TIMEOUT_NS
        seen = self._seen(rows, failed)
        clock_ns, since_ns = now_ns + self.wrong_ns, self.covered_ns + self.wrong_ns
        self.covered_ns = now_ns
        answers, self.asked = [self._route(one) for one in self.asked], []
        told = Report(
            self.name, self.epoch, next(self.sequence), clock_ns, since_ns, clock_ns, interfaces=["eth0"],
            targets=names, runs=[""], outcomes=rows.tobytes(), sightings=seen.tobytes(), frames=[FRAME] * len(seen),
            answers=answers, counters={name: value + self._serial for name, value in fleet.counters.items()},
        )  # fmt: skip
        return Due(told, len(rows), int(failed.sum()), time.monotonic())

    def _seen(self, rows: Batch, failed: Batch) -> Batch:
        """The packets of its probes: of those that failed, and of the answered ones that it tells entirely."""
        entire = rows[~failed & probe.is_whole(rows["probe"], self.whole)]
        return np.concatenate([handshakes(entire), sightings(rows[failed], Kind.SYN, OUT, 0)])

    def _route(self, asked: Question) -> Route:
        return Route(self.name, asked.dst, asked.src, asked.iif, "0.0.0.0/0", "10.1.255.254", "eth0")

    # -- HTTP -------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        if not self.fleet.ending:
            task = asyncio.ensure_future(
                asyncio.get_running_loop().create_connection(lambda: self, *self.fleet.address)
            )
            task.add_done_callback(self._connected)

    def _connected(self, task: asyncio.Future[object]) -> None:
        if task.exception() is not None:
            asyncio.get_running_loop().call_later(RECONNECT, self._connect)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self._posted = transport, False
        self._heard.clear()
        self._post()

    def connection_lost(self, _: Exception | None) -> None:
        self.transport, self._posted = None, False
        self._connect()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def _post(self) -> None:
        if self.transport is None or self._posted or not self.waiting:
            return
        self._posted, due = True, self.waiting[0]
        due.report.age_ns = int((time.monotonic() - due.at) * 1e9)
        body = encode(due.report)
        plan = f"{PLAN}: {self.holds}\r\n" if self.holds else ""
        signed = self.credential.signed(PATH, body, int(time.time()))
        said = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
        self.transport.write(f"{self._head}{said}{plan}Content-Length: {len(body)}\r\n\r\n".encode() + body)

    def data_received(self, data: bytes) -> None:
        self._heard += data
        end = self._heard.find(b"\r\n\r\n")
        if end < 0:
            return
        words = self._heard[:end].decode("latin-1").lower().split("\r\n")
        headers = dict(line.split(": ", 1) for line in words[1:])
        whole = end + 4 + int(headers["content-length"])
        if len(self._heard) < whole:
            return
        body = bytes(self._heard[end + 4 : whole])
        del self._heard[:whole]
        self._posted = False
        self._answered(int(words[0].split()[1]), headers, body)

    def _answered(self, status: int, headers: dict[str, str], body: bytes) -> None:
        told, due = self.fleet.told, self.waiting[0]
        if status != 200:
            told.kept.refused[status] = told.kept.refused.get(status, 0) + 1
            due.refused = True
            wait = float(headers.get("retry-after", "0")) + self.fleet.chance.uniform(0.0, 0.2)
            asyncio.get_running_loop().call_later(wait, self._post)
            return
        orders = decode_orders(body)
        if orders.acknowledged != due.report.sequence:
            raise RuntimeError(f"{self.name}: {due.report.sequence} was posted, {orders.acknowledged} acknowledged")
        told.latencies.append(time.monotonic() - due.at)
        told.made_up += due.refused
        self._obey(orders)
        if due.again:
            self.waiting.popleft()
        else:
            told.kept.acknowledged.add((self.name, self.epoch, due.report.sequence))
            told.probes += due.rows
            told.failed += due.failed
            due.again, due.at = self.fleet.chance.random() < TWICE, time.monotonic()
            told.twice += due.again
            if not due.again:
                self.waiting.popleft()
        self._post()

    def _obey(self, orders: Orders) -> None:
        self.report_every = orders.report_every
        self.asked += orders.questions
        if orders.plan is not None:
            self.holds = orders.plan.version
            self.whole, self.joined, self.began_ns = orders.plan.whole, True, self.began_ns or time.time_ns()
            if orders.plan.number != self.number:
                raise RuntimeError(f"{self.name} is agent number {orders.plan.number}")


def handshakes(rows: Batch) -> Batch:
    """What an agent sees of answered probes of its own; `rows` of `OUTCOME`."""
    return np.concatenate([sightings(rows, *one) for one in SEGMENTS])


def sightings(rows: Batch, kind: Kind, way: int, after_ns: int) -> Batch:
    """A packet of each probe, so long after its SYN."""
    seen = np.zeros(len(rows), SIGHTING)
    ends = ("src", "dst") if kind != Kind.SYN_ACK else ("dst", "src")
    for end, other in zip(("src", "dst"), ends, strict=True):
        seen[f"{end}_hi"], seen[f"{end}_lo"] = rows[f"{other}_hi"], rows[f"{other}_lo"]
        seen[f"{end[0]}port"] = rows[f"{other[0]}port"]
    seen["probe"], seen["kind"], seen["where"], seen["way"] = rows["probe"], kind, Where.NIC, way
    seen["sealed"], seen["ttl"], seen["time_ns"] = True, 62 if way == IN else 64, rows["sent_ns"] + after_ns
    return seen
