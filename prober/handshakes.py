"""The open handshakes, in columns: what was heard in, segments to send and outcomes out.

They go by `prober.handshake.TABLE`. Time is an argument: ``now_ns`` is the agent's clock.
"""

from __future__ import annotations

import numpy as np

from prober import ledger, segment
from prober.handshake import REFUSED_ONCE, TABLE, Event, State
from prober.ledger import ENDS, LEFT_ENDS, LINGER_NS, TUPLE, Ledger
from prober.probe import Kind
from prober.report import OUTCOME
from prober.segment import IN, OUT, Batch
from prober.sighting import Where

MOST_CHALLENGES = 64
"""Bare ACKs that are looked up at once; each is matched with every handshake that waits."""

_FLOW = np.dtype([(name, OUTCOME[name].str) for name in TUPLE])
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
        self._ledger = Ledger(linger_ns)
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
        rows = self._ledger.begin(asked, now_ns)
        rows["target"], rows["run"] = targets, runs
        rows["state"], rows["sent_ns"], rows["deadline_ns"] = _SENT, now_ns, now_ns + np.asarray(timeout_ns)
        self._waiting += len(asked)
        self._earliest = min(self._earliest, int(rows["deadline_ns"].min()))

    def again(self, asked: Batch) -> Batch:
        """RSTs for finished handshakes of the same four-tuples as these SYNs: sent before them, in case one was lost.

        A SYN that meets its predecessor's half-open socket is answered with a challenge ACK (RFC 9293, 3.10.7.4).
        """
        rows, names = self._ledger.held, list(TUPLE)
        ended = (rows["state"] != _SENT) & (rows["state"] != _NOT_SENT)
        ended = rows[ended & np.isin(rows["sport"], asked["sport"])]
        return ledger.closing(ended[np.isin(ended[names].astype(_FLOW), asked[names].astype(_FLOW))])

    def fail(self, ids: Batch, errnos: Batch, now_ns: int) -> Batch:
        """The sends that failed, errnos beside ids -> their outcomes."""
        at, known = self._ledger.find(np.asarray(ids), now_ns)
        self._ledger.rows["error"][at] = np.asarray(errnos)[known]
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
        at, known = self._ledger.find(sightings["probe"][answering], now_ns)
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
        rows = self._ledger.held
        late = np.flatnonzero((rows["state"] == _SENT) & (rows["deadline_ns"] <= now_ns))
        events = np.where(self._ledger.rows["refused_ns"][late] != 0, _NO_SECOND, int(Event.DEADLINE))
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
        rows = self._ledger.held
        waiting = rows["deadline_ns"][rows["state"] == _SENT]
        return int(waiting.min()) if len(waiting) else None

    def _left(self, sightings: Batch, leaving: Batch, now_ns: int) -> None:
        """SYNs seen leaving: when, and with which four-tuple."""
        at, known = self._ledger.find(sightings["probe"][leaving], now_ns)
        syns = sightings.take(leaving[known])
        self._ledger.rows["left_ns"][at] = syns["time_ns"]
        segment.span(self._ledger.rows, *LEFT_ENDS)[at] = segment.span(syns, *ENDS)

    def _refused(self, at: Batch, now_ns: int) -> Batch:
        """These were refused for the first time, those that wait: their SYNs again."""
        waits = at[self._ledger.rows["state"][at] == _SENT]
        self._ledger.rows["refused_ns"][waits], self._ledger.rows["error"][waits] = now_ns, REFUSED_ONCE
        return ledger.asking(self._ledger.rows.take(waits))

    def _challenged(self, seen: Batch) -> Batch:
        """For each bare ACK to a SYN that waits: the RST that closes the older socket, and after it that SYN again.

        The ACK names the older SYN, so it is matched by the four-tuple. The RST is what that socket expects: it has
        the ACK's own number and time stamp.
        """
        sent: list[Batch] = []
        for one in seen:
            rows = self._ledger.held
            waits = np.flatnonzero((rows["state"] == State.SENT) & ~rows["challenged"])
            agrees = _agrees(one, rows[waits], "")[1] | _agrees(one, rows[waits], "left_")[1]
            for at in waits[agrees & (rows["probe"][waits] + np.uint32(1) != one["ack"])].tolist():
                self._ledger.rows["challenged"][at] = True
                closing = ledger.closing(self._ledger.rows[[at]])
                closing["seq"], closing["tsval"] = one["ack"], one["tsecr"]
                sent += [closing, ledger.asking(self._ledger.rows[[at]])]
        return segment.join(sent, segment.SEGMENT) if sent else segment.empty()

    def _events(self, at: Batch, seen: Batch) -> Batch:
        """What each answer that arrived means to its row; 0 for nothing.

        From a strange address or to a strange port (a NAT took another) only a sealed answer counts.
        """
        rows = self._ledger.rows.take(at)
        asked, exact = (a | b for a, b in zip(_agrees(seen, rows, ""), _agrees(seen, rows, "left_"), strict=True))
        says_yes = seen["kind"] == _SYN_ACK
        answer = seen["sealed"] & says_yes
        refusal, once = exact & (seen["kind"] == _REFUSAL), rows["refused_ns"] != 0
        again = refusal & once & (seen["time_ns"] > rows["refused_ns"])  # the first may be seen at two interfaces
        choices = [(answer & asked) | (exact & says_yes), answer, refusal & ~once, again]
        return np.select(choices, [Event.ANSWER, Event.STRANGE_ANSWER, _REFUSED_ONCE, _SECOND], 0)

    def _advance(self, at: Batch, events: Batch, now_ns: int, answers: Batch | None = None) -> tuple[Batch, Batch]:
        """Apply one event each to different rows, by `TABLE`; `answers` are the sightings behind them."""
        rows = self._ledger.rows.take(at)
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
            self._ledger.rows[name][at] = rows[name]
        self._waiting -= int(np.count_nonzero(ends))
        closed = np.flatnonzero(closes)
        resets = ledger.closing(rows.take(closed))
        if answers is not None:
            proof = np.where(rows["state"] == _ANSWERED, answers["seq"] + np.uint32(1), 0)
            resets["ack"] = proof.take(closed)
        return resets, ledger.outcomes(rows.take(np.flatnonzero(ends)))


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
