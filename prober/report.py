"""What an agent and the controller say to each other: msgpack, columns as bytes.

An agent posts a `Report` a few times a second and reads `Orders` in the answer. Times in a report are
nanoseconds of the agent's *own* clock, and the report says what that clock showed when it was written and how long
ago that is: the controller uses differences only (ages), so a clock that is an hour wrong changes nothing.

A report is named by ``(agent, epoch, sequence)``; taking it twice changes nothing.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np

from prober.segment import Batch
from prober.sighting import SIGHTING

OUTCOME = np.dtype(
    [
        ("probe", "<u4"), ("target", "<u2"), ("run", "<u2"), ("state", "u1"), ("error", "<i4"),
        ("src_hi", "<u8"), ("src_lo", "<u8"), ("dst_hi", "<u8"), ("dst_lo", "<u8"),
        ("sport", "<u2"), ("dport", "<u2"), ("sent_ns", "<i8"), ("done_ns", "<i8"), ("rtt_ns", "<i8"),
    ]
)  # fmt: skip
"""How one probe ended for its prober. ``target`` and ``run`` are indexes into the report's names (run 0 is
continuous probing); ``state`` is a `handshake.State`; ``error`` an errno of the send, `handshake.REFUSED_ONCE`, or 0;
times on the agent's clock; ``rtt_ns`` between the kernel's own timestamps, 0 where there is none."""


BEFORE_TUNNELS = SIGHTING.fields["outer_src_hi"][1]  # type: ignore[index]  # the dtype has fields
"""Bytes of a sighting's row before tunnels were told."""

_EVERYDAY = ("main", "local", "default", "")
"""The tables that every host has."""


EXPERIMENT = "experiment-"
"""How the run of an experiment's probes begins: they count nowhere, and leave room for those that do."""
CONNECT = f"{EXPERIMENT}connect"
"""The run of what is no probe of ours but a connect() of the prober's kernel: no packet carries its id."""
BYWAY = f"{EXPERIMENT}byway-"
"""How the run of SYNs begins that go, or may go, another way than this host's routes say: no cell is known by them."""
BESIDE = "beside"
"""The run of probes that are asked because a pair beside them, or they themselves, failed in their turn: they count in
the matrix, and in no objective: what is asked for a failure's sake must not weigh there."""


class Question(msgspec.Struct, frozen=True):
    """The controller asks an agent for its own routing table's answer (``ip route get``), or, with a `port`, whether
    something on its host listens on ``dst`` and that port."""

    dst: str
    src: str = ""
    iif: str = ""
    port: int = 0


class Route(msgspec.Struct, frozen=True):
    """What the FIB answers to a `Question`: the matched prefix, next hop, device, table and type of the route.

    ``dst``, ``src`` and ``iif`` repeat the question; ``type`` is ``unicast``, ``blackhole`` … as ``ip route`` says it.

    ``error`` is the errno's name where there is no usable route (``ENETUNREACH``, ``EINVAL`` for a blackhole …).
    ``rule`` is the policy rule that led to the table, or that refuses by itself; '' for those every host has.
    ``neighbour`` is the next hop's (without one: the destination's) state and MAC, as ``ip neigh`` says it.
    Where a ``port`` was asked for, ``listening`` is the answer and the rest says nothing.
    """

    agent: str = ""
    dst: str = ""
    src: str = ""
    iif: str = ""
    prefix: str = ""
    via: str = ""
    dev: str = ""
    type: str = "unicast"
    table: str = "main"
    error: str = ""
    rule: str = ""
    neighbour: str = ""
    port: int = 0
    listening: bool = False

    def text(self, named: str = "") -> str:
        """The route as ``ip route`` writes it, with its policy table; `named` says whose its next hop is."""
        if not self.prefix:
            return self.rule or "no route"
        kind = "" if self.type in ("unicast", "") else f"{self.type} "
        hop = f" via {self.via}" if self.via else f" dev {self.dev}" if self.dev else ""
        table = "" if self.table in _EVERYDAY else f" table {self.table}"
        whose = f" ({named})" if named else ""
        return f"{kind}{self.prefix}{hop}{table}{whose}" + (f", {self.rule}" if self.rule else "")


MOST_COPIED = 128
"""Copies of answers that an agent takes in one order."""


class Echo(msgspec.Struct, frozen=True):
    """The controller asks a responder to send copies of its answer to a probe, one with each of these TTLs."""

    probe: int
    ttls: list[int]


class HalfOpen(msgspec.Struct, frozen=True):
    """A half-open socket that an agent without a tap found: a SYN that its TCP took, with that SYN's four-tuple.

    ``seen_ns`` is when it was found first, on the agent's clock.
    """

    src: str
    sport: int
    dst: str
    dport: int
    seen_ns: int


MOST_ROWS = 50_000
"""Sightings, and outcomes, that one report may hold."""
MOST_NAMES = 65_536
"""Names, answers, counters or notes of one report."""
MOST_GAPS = 1000
"""Gaps of one report; an agent tells one at a time, and each is written by itself."""
Names = Annotated[list[str], msgspec.Meta(max_length=MOST_NAMES)]


class Gap(msgspec.Struct, frozen=True):
    """Reports ``first .. last`` of an epoch that an agent had to let go: what they covered is not known.

    ``since_ns .. until_ns`` is their span on the agent's clock; ``probes`` ended in them and ``failed`` of those
    failed, as far as that was still known (0 and 0 where not).
    """

    epoch: int
    first: int
    last: int
    since_ns: int
    until_ns: int
    probes: int = 0
    failed: int = 0
    why: Annotated[str, msgspec.Meta(max_length=500)] = ""


class Held(msgspec.Struct, frozen=True):
    """What an agent's outbox held when a report was written. ``memory``: the disk takes nothing, a crash loses it."""

    reports: int = 0
    bytes: int = 0
    memory: bool = False


class Report(msgspec.Struct):
    """What an agent saw and did since its last report.

    ``since_ns .. until_ns`` is the coverage statement: its taps were capturing throughout, and the kernel dropped
    ``dropped`` frames of them meanwhile. ``tap`` is false where it may not capture (no CAP_NET_RAW): the statement is
    then that it read its table of half-open sockets at least twice in any `STACK_LOOKS`, and ``halfopen`` is what was
    new there.

    ``clock_ns`` is what the agent's clock showed when this was written, and ``age_ns`` how long ago that is, by a
    clock that nobody sets. ``live`` is false for what waited long, or for what a process told that has ended: it is
    counted and kept, and says nothing of now. ``via`` is the peer through which it comes, '' where it needs none.
    """

    agent: str
    epoch: int
    sequence: int
    clock_ns: int
    since_ns: int
    until_ns: int
    dropped: int = 0
    tap: bool = True
    interfaces: Names = []
    targets: Names = []
    runs: Names = []
    outcomes: bytes = b""
    sightings: bytes = b""
    frames: Annotated[list[bytes], msgspec.Meta(max_length=MOST_ROWS)] = []
    answers: Annotated[list[Route], msgspec.Meta(max_length=MOST_NAMES)] = []
    counters: Annotated[dict[str, int], msgspec.Meta(max_length=MOST_NAMES)] = {}
    notes: Names = []
    gaps: Annotated[list[Gap], msgspec.Meta(max_length=MOST_GAPS)] = []
    held: Held = Held()
    halfopen: Annotated[list[HalfOpen], msgspec.Meta(max_length=MOST_NAMES)] = []
    via: Annotated[str, msgspec.Meta(max_length=253)] = ""
    age_ns: int = 0
    live: bool = True  # these two stay the last ones: `aged` relies on it

    def outcome_rows(self) -> Batch:
        """The outcomes as an `OUTCOME` array. Raises ValueError where the bytes are no whole number of rows."""
        return np.frombuffer(self.outcomes, OUTCOME)

    def sighting_rows(self) -> Batch:
        """The sightings as a `SIGHTING` array; ``frames[i]`` is row i's frame. Raises ValueError as above.

        An older agent's rows are shorter, for new columns go to the end: those that it lacks read 0.
        """
        if len(self.frames) * BEFORE_TUNNELS != len(self.sightings) or not self.frames:
            return np.frombuffer(self.sightings, SIGHTING)
        rows = np.zeros((len(self.frames), SIGHTING.itemsize), np.uint8)
        rows[:, :BEFORE_TUNNELS] = np.frombuffer(self.sightings, np.uint8).reshape(len(rows), BEFORE_TUNNELS)
        return rows.view(SIGHTING)[:, 0]


class Task(msgspec.Struct, frozen=True):
    """One thing to probe: `flows` handshakes with a target every `every` seconds (0: once).

    Of a task done once, each flow (source port) is asked `attempts` times, the next one when the last has ended and
    up to ``spread`` seconds later, by chance: what comes and goes in step with the rounds must not look like a port.
    ``ports`` are the source ports to use; left out, the agent takes the next of its own. ``ttl`` is its SYNs'.
    ``via`` is the neighbour on the agent's link to which its SYNs are handed, whatever its routes say; '': as they say.
    ``phase``: its moment of each period, in seconds by the wall clock; below 0 any will do.
    """

    target: str
    address: str
    port: int
    every: float
    flows: int
    timeout: float
    attempts: int = 1
    run: str = ""
    ports: list[int] = []
    spread: float = 0.0
    ttl: int = 64
    via: str = ""
    phase: float = -1.0


class Plan(msgspec.Struct, frozen=True):
    """What an agent does until it hears otherwise. It stops by itself `expires_after` seconds after it last heard.

    ``allow`` is the policy, ``[network, first port, last port]`` each: the agent refuses whatever is outside it.
    ``connects``: now and then a pair is dialled by the kernel's own connect(), too.
    ``number`` is the agent's part of a probe's id. ``keys``: the fleet's current key first, then the one before.
    Of complete handshakes one of ``whole`` is told with all that was seen of it (`probe.is_whole`), of the others the
    prober's outcome alone.
    ``relay`` is the TCP port on which it takes others' reports for the controller (0: none). Its own may go through
    ``relays`` (name, address, port) while its way to the controller is broken, signed with ``relay_key``.
    """

    version: str
    number: int
    keys: list[bytes]
    allow: list[tuple[str, int, int]]
    tasks: list[Task]
    addresses: list[str]
    pods: list[str]
    listen: int = 0
    syns_per_second: float = 1.0
    expires_after: float = 600.0
    connects: bool = False
    whole: int = 1
    relay: int = 0
    relays: list[tuple[str, str, int]] = []
    relay_key: bytes = b""


class Orders(msgspec.Struct):
    """The controller's answer to a report: what it has taken, and what it wants.

    ``plan`` is left out where the agent goes by it already (`PLAN`); ``plan_version`` names it all the same.
    ``recall`` names probes of which the agent tells once more what it saw in the last minute, frames left out.
    """

    acknowledged: int
    report_every: float
    plan: Plan | None = None
    plan_version: str = ""
    questions: list[Question] = []
    once: list[Task] = []
    echoes: list[Echo] = []
    recall: list[int] = []

    @property
    def urgent(self) -> bool:
        """Whether they ask for anything."""
        return bool(self.plan or self.questions or self.once or self.echoes or self.recall)


OFTEN, SELDOM, POSTS = 0.25, 5.0, 200.0
"""Seconds between two reports of an agent at least and at most, and how many the fleet is to post a second."""


def report_every(agents: int) -> float:
    """Seconds between two reports of each, in a fleet of so many. Who has something failing to tell does not wait."""
    return min(SELDOM, max(OFTEN, agents / POSTS))


LATE_NS = 30_000_000_000
"""A report that waited longer tells of the past, whatever it says of itself."""


def is_late(report: Report) -> bool:
    """Whether a report tells of the past: it is counted and kept, and says nothing of now."""
    return not report.live or report.age_ns > LATE_NS


LANE = "Prober-Lane"
"""The header that says, before the body is read, whether a report tells of now."""


PLAN = "Prober-Plan"
"""The header with the version of the plan that an agent goes by: an answer holds the plan where it is another one."""


def lane(report: Report) -> str:
    """What `LANE` says of this report."""
    return lane_of(report.live)


def lane_of(live: bool) -> str:
    """What `LANE` says of a report that is live, or not."""
    return "live" if live else "behind"


def encode(message: Report | Orders) -> bytes:
    """The bytes on the wire (msgpack)."""
    return msgspec.msgpack.encode(message)


def aged(body: bytes, age_ns: int, live: bool) -> bytes:
    """An encoded report with its ``age_ns`` and ``live`` as given.

    As it is written both are at the end and one byte each, so nothing else need be read. Where they are not (a report
    that was written by another version, or is aged already), it is decoded: raises `msgspec.MsgspecError` as that does.
    """
    if body.endswith(_UNAGED):
        return b"".join((memoryview(body)[: -len(_UNAGED[0])], _tail(age_ns, live)))
    report = decode_report(body)
    report.age_ns, report.live = age_ns, live
    return encode(report)


def _tail(age_ns: int, live: bool) -> bytes:
    """Keys and values in turn, as a map holds them: each is its own bytes (the msgpack specification, "map format")."""
    return b"".join(map(msgspec.msgpack.encode, ("age_ns", age_ns, "live", live)))


_UNAGED = (_tail(0, False), _tail(0, True))


def decode_report(body: bytes) -> Report:
    """Raises `msgspec.ValidationError` or `msgspec.DecodeError`, both `msgspec.MsgspecError`."""
    return msgspec.msgpack.decode(body, type=Report)


def decode_orders(body: bytes) -> Orders:
    """Raises `msgspec.MsgspecError`."""
    return msgspec.msgpack.decode(body, type=Orders)


def plain(report: Report) -> dict[str, Any]:
    """A report as values that JSON takes (bytes become base64), for recordings."""
    value: dict[str, Any] = msgspec.to_builtins(report)
    return value
