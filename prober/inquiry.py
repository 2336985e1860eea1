"""Routing tables that are asked about the probes under way: what is still to be asked, and who waits for which answer.

Times are the controller's monotonic seconds.
"""

from __future__ import annotations

from collections.abc import Mapping

from prober.answers import Answers
from prober.pending import Pending
from prober.questions import Wanted
from prober.report import EXPERIMENT, Question, Route


class Inquiry:
    """Of the `pending` probes by id, which whoever makes it adds to and takes from; see `drop`."""

    def __init__(self, pending: Mapping[int, Pending]) -> None:
        self._pending = pending
        self._answers = Answers()
        self._questions: dict[str, dict[Question, None]] = {}
        self._waiting: dict[Wanted, set[int]] = {}

    def __len__(self) -> int:
        """How many answers are remembered or waited for."""
        return len(self._answers) + len(self._waiting)

    def ask(self, agent: str, question: Question) -> None:
        """One more question to this agent; the same one again is none."""
        self._questions.setdefault(agent, {})[question] = None

    def want(self, number: int, probe: Pending, wanted: Wanted) -> None:
        """A probe wants this answer: the one that is there already, or it is asked for and waited for."""
        if not self._give(probe, wanted):
            probe.wanted.add(wanted)
            self._waiting.setdefault(wanted, set()).add(number)
            self.ask(*wanted)

    def take(self, agent: str, route: Route, received: float) -> None:
        """An answer serves every probe that wants it and ended before it came."""
        key = self._answers.take(agent, route, received)
        for number in self._waiting.pop(key, ()):
            if number in self._pending:
                self._give(self._pending[number], key)

    def _give(self, probe: Pending, key: Wanted) -> bool:
        since = probe.sent if probe.run.startswith(EXPERIMENT) else probe.known  # many of one cell ask for the same
        route = self._answers.newest(key, since)
        if route is None:
            return False
        probe.routes[key] = route
        if not route.port and self._answers.steady(key, probe.sent, probe.done):
            probe.steady.add(key[0])
        probe.wanted.discard(key)
        probe.fresh = True
        return True

    def drop(self, number: int, probe: Pending) -> None:
        """This one waits for nothing any more."""
        for key in probe.wanted:
            waiting = self._waiting.get(key, set())
            waiting.discard(number)
            if not waiting:
                self._waiting.pop(key, None)

    def questions(self, agent: str) -> list[Question]:
        """What this agent is to answer; handed out once."""
        return list(self._questions.pop(agent, {}))

    def prune(self, until: float) -> None:
        """Let go of answers that came before."""
        self._answers.prune(until)
