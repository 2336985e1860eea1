"""What sending met is told once, with how often."""

from __future__ import annotations

from dataclasses import dataclass

from prober.agent.mishaps import Mishaps


@dataclass
class Wire:
    lost_resets: int = 0
    waits: int = 0


def test_each_mishap_is_told_once() -> None:
    wire = Wire()
    mishaps = Mishaps(wire, wire)
    assert list(mishaps.since()) == []
    wire.lost_resets, wire.waits = 2, 3
    assert list(mishaps.since()) == [
        "2 RSTs could not be sent: targets keep half-open sockets a while",
        "the send queue was full 3 times, and was waited for",
    ]
    wire.waits = 4
    assert list(mishaps.since()) == ["the send queue was full 1 times, and was waited for"]
