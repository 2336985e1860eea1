"""The life of a handshake, in columns: what was heard in, segments to send and outcomes out.

The default probe is SYN, SYN-ACK, RST: it never reaches the application, and the RST leaves no half-open socket
behind, neither when the answer came nor when it did not (the SYN may have arrived and only the answer be lost).
The rules are `TABLE`; docs/handshake.md is drawn from it. Time is an argument: ``now_ns`` is the agent's clock.
"""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from prober import segment
from prober.idtable import IdTable
from prober.probe import Kind
from prober.report import OUTCOME
from prober.segment import IN, OUT, RST, SYN, Batch
from prober.sighting import Where


class State(IntEnum):
    """How far a handshake got. All but SENT are final and are told as the outcome."""

    SENT = 1
    ANSWERED = 2
    REFUSED = 3
    TIMED_OUT = 4
    NOT_SENT = 5
    REWRITTEN = 6
    """Answered, the acknowledgement and ports right, but from an address that was not asked."""
    UNHEARD = 7
    """A connect() of the kernel's own: the tap saw its SYN-ACK arrive, and it was never connected."""


class Event(IntEnum):
    """What may happen to a handshake."""

    ANSWER = 1
    """A SYN-ACK that acknowledges this probe, on its ports, from the address asked."""
    STRANGE_ANSWER = 2
    """The same from another address."""
    REFUSAL = 3
    """An RST that acknowledges this probe and agrees with the whole four-tuple: the first."""
    DEADLINE = 4
    """The timeout has passed."""
    SEND_FAILED = 5
    """The kernel refused to send the SYN; ``error`` says why."""
    CHALLENGE = 6
    """A bare ACK: the four-tuple was still taken there, by the socket of an earlier SYN. Heard once a handshake."""
    SECOND_REFUSAL = 7
    """Another one, after the SYN was sent again."""
    NO_SECOND = 8
    """The timeout has passed, and it was refused once."""


class Step(NamedTuple):
    """Where an event leads, whether an RST closes the responder's socket, and whether the SYN is sent again."""

    state: State
    closes: bool
    again: bool = False


TABLE: dict[tuple[State, Event], Step] = {
    (State.SENT, Event.ANSWER): Step(State.ANSWERED, True),
    (State.SENT, Event.STRANGE_ANSWER): Step(State.REWRITTEN, True),
    # The socket of an earlier SYN may have said that, and is gone with it (tcp_check_req, net/ipv4/tcp_minisocks.c, a
    # number inside its window); where nothing listens, the second SYN is refused as well.
    (State.SENT, Event.REFUSAL): Step(State.SENT, False, True),
    (State.SENT, Event.SECOND_REFUSAL): Step(State.REFUSED, False),
    (State.SENT, Event.NO_SECOND): Step(State.REFUSED, True),
    (State.SENT, Event.DEADLINE): Step(State.TIMED_OUT, True),
    (State.SENT, Event.SEND_FAILED): Step(State.NOT_SENT, False),
    # As a connection would (RFC 9293, 3.10.7.3 and 3.5.1, figure 9): the old socket is closed, and asked again.
    (State.SENT, Event.CHALLENGE): Step(State.SENT, True, True),
    # Retransmitted by the responder's kernel: our RST was lost, or had not arrived. Close again, say nothing.
    (State.ANSWERED, Event.ANSWER): Step(State.ANSWERED, True),
    (State.REWRITTEN, Event.STRANGE_ANSWER): Step(State.REWRITTEN, True),
    (State.REFUSED, Event.ANSWER): Step(State.REFUSED, True),
    (State.TIMED_OUT, Event.ANSWER): Step(State.TIMED_OUT, True),
    (State.TIMED_OUT, Event.STRANGE_ANSWER): Step(State.TIMED_OUT, True),
}
"""Every transition there is; what is not in it changes nothing."""

LINGER_NS = 3_500_000_000
"""How long a finished handshake still closes what its responder retransmits (after 1 and 3 s, RFC 6298, 2.1)."""

_TUPLE = ("src_hi", "src_lo", "dst_hi", "dst_lo", "sport", "dport")
_FLOW = np.dtype([(name, OUTCOME[name].str) for name in _TUPLE])
_LEFT = [(f"left_{name}", OUTCOME[name].str) for name in _TUPLE]

ROW = np.dtype(
    [
        *OUTCOME.descr, ("tsval", "<u4"), ("left_ns", "<i8"), ("deadline_ns", "<i8"), ("refused_ns", "<i8"),
        ("challenged", "?"), *_LEFT,
    ]
)  # fmt: skip
"""An open handshake: its outcome so far, the seal it carries, when its SYN was seen to leave, its deadline, when it was
asked again for a refusal, whether it was for a challenge, and the four-tuple it left with: this host's own NAT may have
changed it (a service's address), and undoes it for the answer only after the tap has seen that."""

REFUSED_ONCE = errno.EAGAIN
"""The error of a handshake that was answered after a refusal, or that heard nothing after one."""
STILL_OPEN = 68.0
"""Seconds for which a kernel keeps a half-open socket: 63 by ``tcp_synack_retries`` = 5, and its long timers are late
by as much as an eighth of their last step (kernel/time/timer.c, the wheel's granularity)."""
MOST_CHALLENGES = 64
"""Bare ACKs that are looked up at once; each is matched with every handshake that waits."""

_ENDS, _LEFT_ENDS, _TOLD = ("src_hi", "dport"), ("left_src_hi", "left_dport"), ("probe", "rtt_ns")
"""The first and last columns of a four-tuple, of the one that it left with, and of an outcome: they lie side by side
and in the same order in all dtypes."""

_LEAST = 1024
"""Rows that there is always room for."""
_NEVER = 2**63 - 1

_STATES, _EVENTS = max(State) + 1, max(Event) + 1
_NEXT, _CLOSES = np.zeros((_STATES, _EVENTS), np.uint8), np.zeros((_STATES, _EVENTS), bool)
for (_state, _event), _step in TABLE.items():
    _NEXT[_state, _event], _CLOSES[_state, _event] = _step[:2]

_SYN, _SYN_ACK, _REFUSAL = int(Kind.SYN), int(Kind.SYN_ACK), int(Kind.REFUSAL)
_POD = int(Where.POD)
_SENT, _NOT_SENT, _ANSWERED = int(State.SENT), int(State.NOT_SENT), int(State.ANSWERED)
_REFUSED_ONCE, _SECOND, _NO_SECOND = int(Event.REFUSAL), int(Event.SECOND_REFUSAL), int(Event.NO_SECOND)
"""As numbers: numpy asks an enum's member for a dozen attributes before it takes it for one."""


class Handshakes:
    """The table of open handshakes, found by id. `linger_ns` is how long finished ones are still closed again.

    Whatever is asked of it costs as much as it is asked about, not as much as it holds; `expire` looks through all
    of it, but only when the earliest deadline has come.
    """

    def __init__(self, linger_ns: int = LINGER_NS) -> None:
        self._rows, self._count = np.zeros(_LEAST, ROW), 0
        self._places = IdTable(_LEAST)
        self._linger_ns = linger_ns
        self._waiting = 0
        self._earliest = _NEVER
        """No deadline is before this."""

    def __len__(self) -> int:
        """How many still wait for an answer."""
        return self._waiting

    def open(self, asked: Batch, targets: Batch, runs: Batch, timeout_ns: int | Batch, now_ns: int) -> None:
        """Take SYNs about to be sent. ValueError where an id is still in the table: its answers could not be told."""
        if len(asked) == 0:
            return
        again = self._refuse_twice(asked["seq"], now_ns)
        if self._count + len(asked) > len(self._rows) or again:
            self._make_room(len(asked), now_ns)
        fresh = slice(self._count, self._count + len(asked))
        rows = self._rows[fresh]
        rows.view(np.uint8).fill(0)
        for ends in (_ENDS, _LEFT_ENDS):
            segment.span(rows, *ends)[:] = segment.span(asked, *_ENDS)
        rows["tsval"] = asked["tsval"]
        rows["probe"], rows["target"], rows["run"] = asked["seq"], targets, runs
        rows["state"], rows["sent_ns"], rows["deadline_ns"] = _SENT, now_ns, now_ns + np.asarray(timeout_ns)
        self._places.put(asked["seq"], np.arange(fresh.start, fresh.stop))
        self._count, self._waiting = fresh.stop, self._waiting + len(asked)
        self._earliest = min(self._earliest, int(rows["deadline_ns"].min()))

    def again(self, asked: Batch) -> Batch:
        """RSTs for finished handshakes of the same four-tuples as these SYNs: sent before them, in case one was lost.

        A SYN that meets its predecessor's half-open socket is answered with a challenge ACK (RFC 9293, 3.10.7.4).
        """
        rows, names = self._rows[: self._count], list(_TUPLE)
        ended = (rows["state"] != _SENT) & (rows["state"] != _NOT_SENT)
        ended = rows[ended & np.isin(rows["sport"], asked["sport"])]
        return _closing(ended[np.isin(ended[names].astype(_FLOW), asked[names].astype(_FLOW))])

    def fail(self, ids: Batch, errnos: Batch, now_ns: int) -> Batch:
        """The sends that failed, errnos beside ids -> their outcomes."""
        at, known = self._find(np.asarray(ids), now_ns)
        self._rows["error"][at] = np.asarray(errnos)[known]
        _, outcomes = self._advance(at, np.full(len(at), Event.SEND_FAILED), now_ns)
        return outcomes

    def hear(self, sightings: Batch, now_ns: int) -> tuple[Batch, Batch]:
        """This agent's own sightings -> ``(RSTs, and SYNs again, to send; outcomes)``.

        Only what *arrives* answers: a forwarding node also sees other agents' segments, and its own leave. ICMP
        errors end nothing: they are evidence for the sighting's reader. Round trips are between the kernel's
        stamps, SYN leaving to answer arriving (the SYN's ``sent_ns`` where nobody saw it leave).
        """
        kind = sightings["kind"]
        inward = sightings["way"] == np.where(sightings["where"] == _POD, OUT, IN)  # a pod's veth, from inside
        self._left(sightings, np.flatnonzero(~inward & (kind == _SYN)), now_ns)
        answering = np.flatnonzero(inward & ((kind == _SYN_ACK) | (kind == _REFUSAL)))
        at, known = self._find(sightings["probe"][answering], now_ns)
        answers = sightings.take(answering[known])
        events = self._events(at, answers)
        first = _first(at, events, answers["time_ns"])
        closing, outcomes = self._advance(at[first], events[first], now_ns, answers.take(first))
        if len(refused := at[first[events[first] == _REFUSED_ONCE]]):
            closing = segment.join([closing, self._refused(refused, now_ns)], segment.SEGMENT)
        challenges = np.flatnonzero(inward & (kind == Kind.CHALLENGE))
        if len(challenges):
            again = self._challenged(sightings.take(challenges[:MOST_CHALLENGES]))
            closing = segment.join([closing, again], segment.SEGMENT)
        return closing, outcomes

    def expire(self, now_ns: int) -> tuple[Batch, Batch]:
        """Whatever is past its deadline -> ``(RSTs to send, outcomes)``."""
        if now_ns < self._earliest:
            return segment.empty(), np.zeros(0, OUTCOME)
        rows = self._rows[: self._count]
        late = np.flatnonzero((rows["state"] == _SENT) & (rows["deadline_ns"] <= now_ns))
        events = np.where(self._rows["refused_ns"][late] != 0, _NO_SECOND, int(Event.DEADLINE))
        ended = self._advance(late, events, now_ns)
        earliest = self.next_deadline()
        self._earliest = _NEVER if earliest is None else earliest
        return ended

    @property
    def earliest(self) -> int | None:
        """No deadline is before this; None where nothing waits. It costs nothing, and `expire` brings it up to date."""
        return self._earliest if self._waiting else None

    def next_deadline(self) -> int | None:
        """When `expire` next has something to say, or None."""
        rows = self._rows[: self._count]
        waiting = rows["deadline_ns"][rows["state"] == _SENT]
        return int(waiting.min()) if len(waiting) else None

    def _find(self, ids: Batch, now_ns: int) -> tuple[Batch, Batch]:
        """``(places, known)``: which ids have a row that is alive, and the places of those alone.

        Alive are those that wait, and those that ended so lately that they are still closed again.
        """
        at = self._places.find(ids)
        known = np.flatnonzero(at >= 0)
        places = at[known]
        alive = self._rows["state"][places] == _SENT
        alive |= self._rows["done_ns"][places] > now_ns - self._linger_ns
        return places[alive], known[alive]

    def _refuse_twice(self, ids: Batch, now_ns: int) -> bool:
        """ValueError where an id is asked for twice, now or by a row that is alive; True where a dead row has one."""
        there = np.flatnonzero(self._places.find(ids) >= 0)
        dead = len(there) > 0
        if dead:
            _, there = self._find(ids, now_ns)
        ordered = np.sort(ids)
        twice = [*ids[there[:1]], *ordered[1:][ordered[1:] == ordered[:-1]][:1]]
        if twice:
            raise ValueError(f"probe {int(twice[0]):#010x} is still open")
        return dead

    def _make_room(self, count: int, now_ns: int) -> None:
        """Room for `count` more rows: the dead go, and where they are too few the table grows."""
        places, _ = self._find(self._rows["probe"][: self._count], now_ns)
        kept = self._rows.take(places)
        size = max(_LEAST, 1 << (2 * (len(kept) + count) - 1).bit_length())
        self._rows, self._count = np.zeros(size, ROW), len(kept)
        self._rows[: len(kept)] = kept
        self._places = IdTable(size)
        self._places.put(kept["probe"], np.arange(len(kept)))

    def _left(self, sightings: Batch, leaving: Batch, now_ns: int) -> None:
        """SYNs seen leaving: when, and with which four-tuple."""
        at, known = self._find(sightings["probe"][leaving], now_ns)
        syns = sightings.take(leaving[known])
        self._rows["left_ns"][at] = syns["time_ns"]
        segment.span(self._rows, *_LEFT_ENDS)[at] = segment.span(syns, *_ENDS)

    def _refused(self, at: Batch, now_ns: int) -> Batch:
        """These were refused for the first time, those that wait: their SYNs again."""
        waits = at[self._rows["state"][at] == _SENT]
        self._rows["refused_ns"][waits], self._rows["error"][waits] = now_ns, REFUSED_ONCE
        return _asking(self._rows.take(waits))

    def _challenged(self, seen: Batch) -> Batch:
        """For each bare ACK to a SYN that waits: the RST that closes the older socket, and after it that SYN again.

        The ACK names the older SYN, so it is matched by the four-tuple. The RST is what that socket expects: it has
        the ACK's own number and time stamp.
        """
        sent: list[Batch] = []
        for one in seen:
            rows = self._rows[: self._count]
            waits = np.flatnonzero((rows["state"] == State.SENT) & ~rows["challenged"])
            agrees = _agrees(one, rows[waits], "")[1] | _agrees(one, rows[waits], "left_")[1]
            for at in waits[agrees & (rows["probe"][waits] + np.uint32(1) != one["ack"])].tolist():
                self._rows["challenged"][at] = True
                closing = _closing(self._rows[[at]])
                closing["seq"], closing["tsval"] = one["ack"], one["tsecr"]
                sent += [closing, _asking(self._rows[[at]])]
        return segment.join(sent, segment.SEGMENT) if sent else segment.empty()

    def _events(self, at: Batch, seen: Batch) -> Batch:
        """What each answer that arrived means to its row; 0 for nothing.

        From a strange address or to a strange port (a NAT took another) only a sealed answer counts.
        """
        rows = self._rows.take(at)
        asked, exact = (a | b for a, b in zip(_agrees(seen, rows, ""), _agrees(seen, rows, "left_"), strict=True))
        says_yes = seen["kind"] == _SYN_ACK
        answer = seen["sealed"] & says_yes
        refusal, once = exact & (seen["kind"] == _REFUSAL), rows["refused_ns"] != 0
        again = refusal & once & (seen["time_ns"] > rows["refused_ns"])  # the first may be seen at two interfaces
        choices = [(answer & asked) | (exact & says_yes), answer, refusal & ~once, again]
        return np.select(choices, [Event.ANSWER, Event.STRANGE_ANSWER, _REFUSED_ONCE, _SECOND], 0)

    def _advance(self, at: Batch, events: Batch, now_ns: int, answers: Batch | None = None) -> tuple[Batch, Batch]:
        """Apply one event each to different rows, by `TABLE`; `answers` are the sightings behind them."""
        rows = self._rows.take(at)
        before = rows["state"].copy()
        after, closes = _NEXT[before, events], _CLOSES[before, events]
        ends = (after > _SENT) & (before == _SENT)
        rows["state"] = np.where(after != 0, after, before)
        rows["done_ns"] = np.where(ends, now_ns, rows["done_ns"])
        if answers is not None:
            since = np.where(rows["left_ns"] != 0, rows["left_ns"], rows["sent_ns"])
            rows["rtt_ns"] = np.where(ends, np.maximum(answers["time_ns"] - since, 0), rows["rtt_ns"])
            rows["error"] = np.where(events == _SECOND, 0, rows["error"])
        for name in ("state", "error", "done_ns", "rtt_ns"):
            self._rows[name][at] = rows[name]
        self._waiting -= int(np.count_nonzero(ends))
        closed = np.flatnonzero(closes)
        resets = _closing(rows.take(closed))
        if answers is not None:
            proof = np.where(rows["state"] == _ANSWERED, answers["seq"] + np.uint32(1), 0)
            resets["ack"] = proof.take(closed)
        return resets, _outcomes(rows.take(np.flatnonzero(ends)))


def _outcomes(rows: Batch) -> Batch:
    told = np.empty(len(rows), OUTCOME)
    segment.span(told, *_TOLD)[:] = segment.span(rows, *_TOLD)
    return told


def _agrees(seen: Batch, rows: Batch, name: str) -> tuple[Batch, Batch]:
    """Masks: the source, and the whole four-tuple, are the mirror image of the row's (or its ``left_``)."""
    ports = (seen["sport"] == rows[f"{name}dport"]) & (seen["dport"] == rows[f"{name}sport"])
    asked = (seen["src_hi"] == rows[f"{name}dst_hi"]) & (seen["src_lo"] == rows[f"{name}dst_lo"])
    ours = (seen["dst_hi"] == rows[f"{name}src_hi"]) & (seen["dst_lo"] == rows[f"{name}src_lo"])
    return asked, ports & asked & ours


def _first(at: Batch, events: Batch, times: Batch) -> Batch:
    """Which sightings count: the earliest one with an event for each row (a bridge shows the same frame twice)."""
    telling = np.flatnonzero(events)
    telling = telling[np.argsort(times[telling], kind="stable")]
    return telling[np.unique(at[telling], return_index=True)[1]]


def _closing(rows: Batch) -> Batch:
    """RSTs that close the responder's side: in sequence (id + 1), with the SYN's own timestamp (RFC 9293, 3.10.7.4).

    `_advance` lets the RST of one that was answered show the answer's number, as if it acknowledged it; without the
    flag ACK nobody heeds it (RFC 9293, 3.1). So whoever sees it knows from the packet alone that the answer arrived.
    """
    batch = segment.empty(len(rows))
    segment.span(batch, *_ENDS)[:] = segment.span(rows, *_ENDS)
    batch["tsval"] = rows["tsval"]
    batch["seq"], batch["flags"], batch["ttl"] = rows["probe"] + np.uint32(1), RST, 64
    return batch


def _asking(rows: Batch) -> Batch:
    """The SYNs of these once more: the same four-tuples, numbers and seals."""
    batch = _closing(rows)
    batch["seq"], batch["flags"] = rows["probe"], SYN
    return batch


def picture() -> str:
    """The table as a Mermaid state diagram, for docs/handshake.md."""
    lines = ["stateDiagram-v2", "    [*] --> SENT: send SYN"]
    for (state, event), step in TABLE.items():
        closing = (" / RST" if step.closes else "") + (", SYN again" if step.again else "")
        lines.append(f"    {state.name} --> {step.state.name}: {event.name.lower().replace('_', ' ')}{closing}")
    ends = dict.fromkeys(step.state for step in TABLE.values() if step.state != State.SENT)
    return "\n".join(lines + [f"    {state.name} --> [*]" for state in ends]) + "\n"
