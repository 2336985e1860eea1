"""The rules of a handshake: how far one gets, what may happen to it, and where that leads.

The default probe is SYN, SYN-ACK, RST: it never reaches the application, and the RST leaves no half-open socket
behind, neither when the answer came nor when it did not (the SYN may have arrived and only the answer be lost).
The rules are `TABLE`; docs/handshake.md is drawn from it, and `prober.handshakes` goes by it.
"""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import NamedTuple


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

REFUSED_ONCE = errno.EAGAIN
"""The error of a handshake that was answered after a refusal, or that heard nothing after one."""
STILL_OPEN = 68.0
"""Seconds for which a kernel keeps a half-open socket: 63 by ``tcp_synack_retries`` = 5, and its long timers are late
by as much as an eighth of their last step (kernel/time/timer.c, the wheel's granularity)."""


def picture() -> str:
    """The table as a Mermaid state diagram, for docs/handshake.md."""
    lines = ["stateDiagram-v2", "    [*] --> SENT: send SYN"]
    for (state, event), step in TABLE.items():
        closing = (" / RST" if step.closes else "") + (", SYN again" if step.again else "")
        lines.append(f"    {state.name} --> {step.state.name}: {event.name.lower().replace('_', ' ')}{closing}")
    ends = dict.fromkeys(step.state for step in TABLE.values() if step.state != State.SENT)
    return "\n".join(lines + [f"    {state.name} --> [*]" for state in ends]) + "\n"
