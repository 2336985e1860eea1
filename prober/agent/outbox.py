"""What is to be reported: sightings and outcomes collected in columns, closed into numbered reports.

A closed report is handed to what keeps it until the controller has it, see `prober.agent.backlog`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from prober import segment
from prober.agent.backlog import Backlog
from prober.report import OUTCOME, HalfOpen, Report, Route
from prober.segment import Batch
from prober.sighting import SIGHTING

MOST_SIGHTINGS = 20_000
"""Sightings in one report; what is beyond counts as dropped, as a frame that the kernel had no room for."""
NAMES = 16_384
"""Names that an agent remembers for handshakes that are open; far more than can be open at a time."""


class Lasting:
    """Names and their indexes for as long as a handshake is open; of many names the oldest make room."""

    def __init__(self, *first: str) -> None:
        self.order = list(first)
        self._index = {name: index for index, name in enumerate(first)}
        self._next, self._kept = len(first), len(first)

    def index(self, name: str) -> int:
        """The name's index, below 65536."""
        found = self._index.get(name)
        if found is not None:
            return found
        place = self._next
        if place < len(self.order):
            del self._index[self.order[place]]
            self.order[place] = name
        else:
            self.order.append(name)
        self._index[name] = place
        self._next = place + 1 if place + 1 < NAMES else self._kept
        return place

    def indexes(self, names: list[str]) -> Batch:
        """The indexes of many names."""
        found = list(map(self._index.get, names))
        return np.array([self.index(name) for name in names] if None in found else found, np.uint16)


class Outbox:
    """Collects for the next report; a closed one goes to `waiting`."""

    def __init__(self, agent: str, epoch: int, waiting: Backlog | None = None) -> None:
        self.agent, self.epoch = agent, epoch
        self.waiting: Backlog | deque[Report] = deque() if waiting is None else waiting
        self.tap = True
        self._sequence = 0
        self._open()

    def _open(self) -> None:
        self._sightings: list[Batch] = []
        self._frames: list[bytes] = []
        self._outcomes: list[Batch] = []
        self._answers: list[Route] = []
        self._notes: list[str] = []
        self._halfopen: list[HalfOpen] = []
        self._seen = self._unseen = 0

    def saw(self, sightings: Batch, frames: list[bytes]) -> None:
        """Sightings and their frames, row by row."""
        room = MOST_SIGHTINGS - self._seen
        if len(sightings) > room:
            self._unseen += len(sightings) - room
            sightings, frames = sightings[:room], frames[:room]
        if len(sightings):
            self._seen += len(sightings)
            self._sightings.append(sightings)
            self._frames.extend(frames)

    def ended(self, outcomes: Batch) -> None:
        """Outcomes whose ``target`` and ``run`` index the agent's lasting tables; `close` makes them the report's."""
        if len(outcomes):
            self._outcomes.append(outcomes)

    def answered(self, route: Route) -> None:
        """The routing table's answer to a question of the controller."""
        self._answers.append(route)

    def found(self, halfopen: list[HalfOpen]) -> None:
        """Half-open sockets that are new."""
        self._halfopen += halfopen

    def note(self, sentence: str) -> None:
        """Something the operator should read in the controller's log."""
        if sentence not in self._notes:
            self._notes.append(sentence)

    def close(
        self, clock_ns: int, covered: tuple[int, int], dropped: int, counters: dict[str, int],
        interfaces: dict[int, str], targets: list[str], runs: list[str],
    ) -> None:  # fmt: skip
        """Close what was collected into a report; `targets` and `runs` are the agent's tables of names."""
        seen = _join(self._sightings, SIGHTING)
        done = _join(self._outcomes, OUTCOME)
        names, seen["name"] = _renamed(seen["interface"], lambda one: interfaces.get(one, f"if{one}"))
        told, done["target"] = _renamed(done["target"], targets.__getitem__)
        ran, done["run"] = _renamed(done["run"], runs.__getitem__, first=(0,))
        self._sequence += 1
        self.waiting.append(
            Report(
                agent=self.agent, epoch=self.epoch, sequence=self._sequence, clock_ns=clock_ns, since_ns=covered[0],
                until_ns=covered[1], dropped=dropped + self._unseen, interfaces=names, targets=told,
                runs=ran, outcomes=done.tobytes(), sightings=seen.tobytes(), frames=self._frames,
                answers=self._answers, counters=counters, notes=self._notes, tap=self.tap,
                halfopen=self._halfopen,
            )
        )  # fmt: skip
        self._open()


def _renamed(column: Batch, name: Callable[[int], str], first: tuple[int, ...] = ()) -> tuple[list[str], Batch]:
    """The names of the numbers in a column, in order of appearance behind those of `first`, and indexes into them."""
    begin = [*first, *column[:1].tolist()]
    if begin and begin[0] == begin[-1] and (column == begin[0]).all():  # most often all are the same
        return [name(begin[0])], np.zeros(len(column), np.uint16)
    whole = np.concatenate([np.array(first, column.dtype), column])
    numbers, appeared, places = np.unique(whole, return_index=True, return_inverse=True)
    order = np.argsort(appeared)
    index = np.zeros(len(numbers), np.uint16)
    index[order] = np.arange(len(numbers))
    return [name(one) for one in numbers[order].tolist()], index[places[len(first) :]]


def _join(parts: list[Batch], dtype: np.dtype[np.void]) -> Batch:
    """A copy, made of bytes: numpy would copy each field of each row."""
    return np.frombuffer(bytearray(segment.join(parts, dtype).tobytes()), dtype)
