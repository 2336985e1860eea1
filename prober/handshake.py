"""The life of a handshake, in columns: what was heard in, segments to send and outcomes out.

The default probe is SYN, SYN-ACK, RST: it never reaches the application, and the RST leaves no half-open socket
behind, neither when the answer came nor when it did not (the SYN may have arrived and only the answer be lost).
The rules are `TABLE`; docs/handshake.md is drawn from it. Time is an argument: ``now_ns`` is the agent's clock.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from prober import segment
from prober.probe import Kind
from prober.report import OUTCOME
from prober.segment import IN, OUT, RST, Batch
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


class Event(IntEnum):
    """What may happen to a handshake."""

    ANSWER = 1
    """A SYN-ACK that acknowledges this probe, on its ports, from the address asked."""
    STRANGE_ANSWER = 2
    """The same from another address."""
    REFUSAL = 3
    """An RST that acknowledges this probe and agrees with the whole four-tuple."""
    DEADLINE = 4
    """The timeout has passed."""
    SEND_FAILED = 5
    """The kernel refused to send the SYN; ``error`` says why."""


class Step(NamedTuple):
    """Where an event leads, and whether an RST closes the responder's socket."""

    state: State
    closes: bool


TABLE: dict[tuple[State, Event], Step] = {
    (State.SENT, Event.ANSWER): Step(State.ANSWERED, True),
    (State.SENT, Event.STRANGE_ANSWER): Step(State.REWRITTEN, True),
    (State.SENT, Event.REFUSAL): Step(State.REFUSED, False),
    (State.SENT, Event.DEADLINE): Step(State.TIMED_OUT, True),
    (State.SENT, Event.SEND_FAILED): Step(State.NOT_SENT, False),
    # Retransmitted by the responder's kernel: our RST was lost, or had not arrived. Close again, say nothing.
    (State.ANSWERED, Event.ANSWER): Step(State.ANSWERED, True),
    (State.REWRITTEN, Event.STRANGE_ANSWER): Step(State.REWRITTEN, True),
    (State.TIMED_OUT, Event.ANSWER): Step(State.TIMED_OUT, True),
    (State.TIMED_OUT, Event.STRANGE_ANSWER): Step(State.TIMED_OUT, True),
}
"""Every transition there is; what is not in it changes nothing."""

LINGER_NS = 3_500_000_000
"""How long a finished handshake still closes what its responder retransmits (after 1 and 3 s, RFC 6298, 2.1)."""

_TUPLE = ("src_hi", "src_lo", "dst_hi", "dst_lo", "sport", "dport")
_LEFT = [(f"left_{name}", OUTCOME[name].str) for name in _TUPLE]

ROW = np.dtype([*OUTCOME.descr, ("tsval", "<u4"), ("left_ns", "<i8"), ("deadline_ns", "<i8"), *_LEFT])
"""An open handshake: its outcome so far, the seal it carries, when its SYN was seen to leave, its deadline, and the
four-tuple it left with: this host's own NAT may have changed it (a service's address), and undoes it for the answer
only after the tap has seen that."""

_STATES, _EVENTS = max(State) + 1, max(Event) + 1
_NEXT, _CLOSES = np.zeros((_STATES, _EVENTS), np.uint8), np.zeros((_STATES, _EVENTS), bool)
for (_state, _event), _step in TABLE.items():
    _NEXT[_state, _event], _CLOSES[_state, _event] = _step


class Handshakes:
    """The table of open handshakes, sorted by id. `linger_ns` is how long finished ones are still closed again."""

    def __init__(self, linger_ns: int = LINGER_NS) -> None:
        self._rows = np.zeros(0, ROW)
        self._linger_ns = linger_ns

    def __len__(self) -> int:
        """How many still wait for an answer."""
        return int(np.count_nonzero(self._rows["state"] == State.SENT))

    def open(self, asked: Batch, targets: Batch, runs: Batch, timeout_ns: int | Batch, now_ns: int) -> None:
        """Take SYNs about to be sent. ValueError where an id is still in the table: its answers could not be told."""
        rows = np.zeros(len(asked), ROW)
        for name in (*_TUPLE, "tsval"):
            rows[name] = asked[name]
            if name in _TUPLE:
                rows[f"left_{name}"] = asked[name]
        rows["probe"], rows["target"], rows["run"] = asked["seq"], targets, runs
        rows["state"], rows["sent_ns"], rows["deadline_ns"] = State.SENT, now_ns, now_ns + np.asarray(timeout_ns)
        together = np.concatenate([self._rows, rows])
        together = together[np.argsort(together["probe"], kind="stable")]
        twice = np.flatnonzero(together["probe"][1:] == together["probe"][:-1])
        if len(twice):
            raise ValueError(f"probe {int(together['probe'][twice[0]]):#010x} is still open")
        self._rows = together

    def fail(self, ids: Batch, errnos: Batch, now_ns: int) -> Batch:
        """The sends that failed, errnos beside ids -> their outcomes."""
        at, known = self._find(np.asarray(ids))
        self._rows["error"][at[known]] = np.asarray(errnos)[known]
        _, outcomes = self._advance(at[known], np.full(int(known.sum()), Event.SEND_FAILED), now_ns)
        return outcomes

    def hear(self, sightings: Batch, now_ns: int) -> tuple[Batch, Batch]:
        """This agent's own sightings -> ``(RSTs to send, outcomes)``.

        Only what *arrives* answers: a forwarding node also sees other agents' segments, and its own leave. ICMP
        errors end nothing: they are evidence for the sighting's reader. Round trips are between the kernel's
        stamps, SYN leaving to answer arriving (the SYN's ``sent_ns`` where nobody saw it leave).
        """
        at, known = self._find(sightings["probe"])
        at, seen = at[known], sightings[known]
        inward = seen["way"] == np.where(seen["where"] == Where.POD, OUT, IN)  # a pod's veth is named from inside
        leaving = ~inward & (seen["kind"] == Kind.SYN)
        self._rows["left_ns"][at[leaving]] = seen["time_ns"][leaving]
        for name in _TUPLE:
            self._rows[f"left_{name}"][at[leaving]] = seen[name][leaving]
        events = self._events(at, seen, inward)
        first = _first(at, events, seen["time_ns"])
        return self._advance(at[first], events[first], now_ns, seen["time_ns"][first])

    def expire(self, now_ns: int) -> tuple[Batch, Batch]:
        """Whatever is past its deadline -> ``(RSTs to send, outcomes)``; forgets what has lingered long enough."""
        keep = (self._rows["state"] == State.SENT) | (self._rows["done_ns"] > now_ns - self._linger_ns)
        self._rows = self._rows[keep]
        late = np.flatnonzero((self._rows["state"] == State.SENT) & (self._rows["deadline_ns"] <= now_ns))
        return self._advance(late, np.full(len(late), Event.DEADLINE), now_ns)

    def next_deadline(self) -> int | None:
        """When `expire` next has something to say, or None."""
        waiting = self._rows["deadline_ns"][self._rows["state"] == State.SENT]
        return int(waiting.min()) if len(waiting) else None

    def _find(self, ids: Batch) -> tuple[Batch, Batch]:
        """``(places, known)`` of ids in the table; a place counts only where known."""
        at = np.searchsorted(self._rows["probe"], ids.astype(np.uint32))
        inside = at < len(self._rows)
        known = inside.copy()
        known[inside] = self._rows["probe"][at[inside]] == ids[inside]
        return at, known

    def _events(self, at: Batch, seen: Batch, inward: Batch) -> Batch:
        """What each sighting means to its row; 0 for nothing.

        From a strange address or to a strange port (a NAT took another) only a sealed answer counts.
        """
        rows = self._rows[at]
        asked, whole = (a | b for a, b in zip(_agrees(seen, rows, ""), _agrees(seen, rows, "left_"), strict=True))
        exact = inward & whole
        answer = inward & seen["sealed"] & (seen["kind"] == Kind.SYN_ACK)
        choices = [
            (answer & asked) | (exact & (seen["kind"] == Kind.SYN_ACK)),
            answer,
            exact & (seen["kind"] == Kind.REFUSAL),
        ]
        return np.select(choices, [Event.ANSWER, Event.STRANGE_ANSWER, Event.REFUSAL], 0)

    def _advance(self, at: Batch, events: Batch, now_ns: int, times: Batch | None = None) -> tuple[Batch, Batch]:
        """Apply one event each to different rows, by `TABLE`."""
        before = self._rows["state"][at]
        after, closes = _NEXT[before, events], _CLOSES[before, events]
        ended = at[(after != 0) & (before == State.SENT)]
        self._rows["state"][at] = np.where(after != 0, after, before)
        self._rows["done_ns"][ended] = now_ns
        if times is not None:
            since = np.where(self._rows["left_ns"][at] != 0, self._rows["left_ns"][at], self._rows["sent_ns"][at])
            fresh = np.isin(at, ended)
            self._rows["rtt_ns"][at[fresh]] = np.maximum(times - since, 0)[fresh]
        return _closing(self._rows[at[closes]]), self._outcomes(ended)

    def _outcomes(self, at: Batch) -> Batch:
        rows = np.zeros(len(at), OUTCOME)
        for name in OUTCOME.names or ():
            rows[name] = self._rows[name][at]
        return rows


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
    """RSTs that close the responder's side: in sequence (id + 1), with the SYN's own timestamp (RFC 9293, 3.10.7.4)."""
    batch = segment.empty(len(rows))
    for name in (*_TUPLE, "tsval"):
        batch[name] = rows[name]
    batch["seq"], batch["flags"], batch["ttl"] = rows["probe"] + np.uint32(1), RST, 64
    return batch


def picture() -> str:
    """The table as a Mermaid state diagram, for docs/handshake.md."""
    lines = ["stateDiagram-v2", "    [*] --> SENT: send SYN"]
    for (state, event), step in TABLE.items():
        closing = " / RST" if step.closes else ""
        lines.append(f"    {state.name} --> {step.state.name}: {event.name.lower().replace('_', ' ')}{closing}")
    ends = dict.fromkeys(step.state for step in TABLE.values())
    return "\n".join(lines + [f"    {state.name} --> [*]" for state in ends]) + "\n"
