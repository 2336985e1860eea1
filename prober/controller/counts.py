"""What the objectives' minutes in the store hold already, so that a probe counts once however a controller ends.

The store keeps counts together with the moment up to which reports are in them. That moment goes no further than the
first report that still waits to be written or to be judged. Whoever starts next judges what was received after it,
whenever those probes were sent, and counts that alone. Times are Unix nanoseconds of the controller.
"""

from __future__ import annotations

from collections.abc import Iterable

from prober.declared import Objective
from prober.slo import Ledger, Row

COUNTED = 0
"""In the place of the time of a report that the stored counts hold."""
FORGOTTEN_NS = 15_000_000_000
"""A probe that was not judged this long after its report will never be: `prober.joiner` has let it go."""

Probe = tuple[bool, int]
"""Whether a report of the past told it, and its id."""


class Counts:
    """``settled`` is what the store holds, or will with the next rows; ``until_ns`` the moment of those rows."""

    def __init__(self, objectives: Iterable[Objective], until_ns: int = 0) -> None:
        self.settled, self.until_ns = Ledger(objectives), until_ns
        self._touched: set[int] = set()
        self._unsettled: list[tuple[int, str, float, int, int]] = []
        self._received: dict[Probe, int] = {}

    def told(self, past: bool, probes: Iterable[int], received_ns: int) -> None:
        """Outcomes of these probes came in a report that was received then."""
        at = received_ns if received_ns > self.until_ns else COUNTED
        self._received.update(((past, probe), at) for probe in probes)

    def judged(self, past: bool, probe: int) -> int:
        """A probe is judged: when its report was received, or `COUNTED`."""
        return self._received.pop((past, probe), COUNTED)

    def count(self, received_ns: int, objective: str, asked_at: float, good: int, total: int = 1) -> None:
        """So many probes, in the minute of `asked_at` (Unix seconds)."""
        self._unsettled.append((received_ns, objective, asked_at, good, total))

    def settle(self, now_ns: int, waiting_ns: int) -> list[Row]:
        """The rows to store next, as of the new ``until_ns``; `waiting_ns` is when the oldest report that is not
        written yet was received."""
        self._received = {
            one: at for one, at in self._received.items() if at == COUNTED or at > now_ns - FORGOTTEN_NS
        }  # fmt: skip
        first = min((at for at in self._received.values() if at != COUNTED), default=now_ns + 1)
        self.until_ns = max(self.until_ns, min(now_ns, first - 1, waiting_ns - 1))
        later = []
        for one in self._unsettled:
            received_ns, objective, asked_at, good, total = one
            if received_ns > self.until_ns:
                later.append(one)
            else:
                self.settled.count(objective, asked_at, good, total)
                self._touched.add(self.settled.minute(asked_at))
        self._unsettled = later
        touched, self._touched = self._touched, set()
        return [row for row in self.settled.rows(min(touched)) if row[1] in touched] if touched else []

    def passed(self, until_ns: int, now_ns: int) -> None:
        """Another controller keeps the counts, and has all up to `until_ns` in them."""
        self._unsettled = [one for one in self._unsettled if one[0] > until_ns]
        self._received = {one: at for one, at in self._received.items() if at > now_ns - FORGOTTEN_NS}

    def take_over(self, rows: Iterable[Row], until_ns: int) -> Ledger:
        """From now on this controller keeps them: `rows` are in the store, up to `until_ns`. All counts as of now."""
        self.settled, self.until_ns = Ledger(self.settled.objectives.values()), until_ns
        self.settled.load(row for row in rows if row[0] in self.settled.objectives)
        self._unsettled = [one for one in self._unsettled if one[0] > until_ns]
        self._received = {one: at if at > until_ns else COUNTED for one, at in self._received.items()}
        everything = Ledger(self.settled.objectives.values())
        everything.load(self.settled.rows())
        for _, objective, asked_at, good, total in self._unsettled:
            everything.count(objective, asked_at, good, total)
        return everything

    def adopt(self, objectives: Iterable[Objective]) -> None:
        """Another document: objectives that are still declared keep their counts."""
        rows, self.settled = self.settled.rows(), Ledger(objectives)
        self.settled.load(row for row in rows if row[0] in self.settled.objectives)
        self._unsettled = [one for one in self._unsettled if one[1] in self.settled.objectives]
