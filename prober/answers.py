"""What routing tables said, to which question and when; and whether one said so while a probe was under way, too.

A table asked after a probe may have been mended meanwhile: then it looks clean, and what it was is not known. Times are
the controller's monotonic seconds; an answer is looked up before it is received.
"""

from __future__ import annotations

from collections import deque

import msgspec

from prober.questions import Wanted
from prober.report import Question, Route

BEFORE = 2.5
"""Seconds before a probe was sent in which a table still tells what it was then, if it says the same afterwards."""
MOST = 32
"""Answers to one question that are remembered; the oldest go."""
NEVER = float("-inf")


class Answers:
    """The answers of every agent, the question last answered standing last."""

    def __init__(self) -> None:
        self._told: dict[Wanted, deque[tuple[float, Route]]] = {}

    def __len__(self) -> int:
        return len(self._told)

    def take(self, agent: str, route: Route, received: float) -> Wanted:
        """One answer; what it answers."""
        key = (agent, Question(route.dst, route.src, route.iif, route.port))
        told = self._told.pop(key, None)
        self._told[key] = told = deque(maxlen=MOST) if told is None else told
        told.append((received, msgspec.structs.replace(route, agent=agent)))
        return key

    def newest(self, key: Wanted, since: float) -> Route | None:
        """The last answer to this question, where it came at `since` or later."""
        received, route = self._told[key][-1] if key in self._told else (NEVER, None)
        return route if received >= since else None

    def steady(self, key: Wanted, sent: float, done: float) -> bool:
        """True where the route was told before the probe's end, at most `BEFORE` before its start, and is so since."""
        told = self._told.get(key, ())
        before = max((received for received, _ in told if received <= done), default=NEVER)
        said = {msgspec.structs.replace(route, neighbour="") for received, route in told if received >= before}
        return before >= sent - BEFORE and len(said) == 1

    def prune(self, until: float) -> None:
        """Let go of questions that nobody answered since."""
        for key, told in list(self._told.items()):
            if told[-1][0] >= until:
                return
            del self._told[key]
