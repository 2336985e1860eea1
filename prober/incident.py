"""Cells that are told to fail -> incidents: one cause is one incident, however many cells it breaks.

An incident opens with the flip of its first cell and closes when the last of its cells was told to pass again. Which
cells belong together says `prober.localise`; what has been put together stays so until a culprit says otherwise, and
its id is the same as long as it lasts. A cell of which nothing is known any more is not well: it stays.

Times are Unix seconds, those of flips.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from prober.flip import Cell, Flip
from prober.localise import HOP, Finding, localise
from prober.verdict import Confidence, Label, Verdict

SETTLE = 10.0
"""Seconds in which a failing cell beside an open incident may still turn out to be a part of it: experiments are over
by then, and it names a culprit or has none. The first incident waits for nothing."""
HEALED, UNDECLARED, MERGED = "healed", "undeclared", "merged"
"""Why an incident is closed: its cells pass again, nobody asks them any more, another turned out to be the same."""


_SURE = [one.value for one in Confidence]
"""The surest first."""


class Member(msgspec.Struct):
    """A cell of an incident, with what was last known of its failure.

    It fails ``since``, names this culprit (or none) since ``named``, and was over at ``until``, because of ``end``.
    """

    source: str
    target: str
    label: str
    sentence: str
    since: float
    named: float
    cause: str | None = None
    culprit: str | None = None
    confidence: str | None = None
    next_step: str = ""
    until: float | None = None
    end: str = ""

    @property
    def cell(self) -> Cell:
        return self.source, self.target

    def hear(self, said: Verdict, at: float) -> bool:
        """What is said of the cell now; True where that is news. A probe of which less is known takes nothing back."""
        culprit = str(said.culprit) if said.culprit else None
        less = (culprit is None and self.culprit is not None) or _SURE.index(said.confidence.value) > self._unsure()
        if said.label.passes or said.label == Label.UNKNOWN or less:
            return False
        before = self.label, self.cause, self.culprit, self.confidence
        if culprit != self.culprit:
            self.culprit, self.named = culprit, at
        self.label, self.cause = said.label.value, said.cause.value if said.cause else None
        self.confidence, self.sentence, self.next_step = said.confidence.value, said.sentence, said.next_step
        return before != (self.label, self.cause, self.culprit, self.confidence)

    def _unsure(self) -> int:
        return len(_SURE) if self.confidence is None else _SURE.index(self.confidence)


class Incident(msgspec.Struct):
    """Cells with one cause. ``because`` is why it is closed, ``into`` the incident that it turned out to be."""

    id: str
    opened: float
    members: dict[Cell, Member] = {}
    closed: float | None = None
    because: str = ""
    into: str = ""

    def failing(self) -> Iterator[Member]:
        """The cells that are not over."""
        return (one for one in self.members.values() if one.until is None)


class Book:
    """The open incidents. ``cells`` fail now; ``home`` says in which incident each is, once it is in one."""

    def __init__(self, kept: Iterable[Incident] = ()) -> None:
        self.open = {one.id: one for one in kept}
        self.cells = {member.cell: member for one in self.open.values() for member in one.failing()}
        self.home = {member.cell: one.id for one in self.open.values() for member in one.failing()}
        self._changed = {one.id for one in self.open.values() if not any(one.failing())}
        self._unsettled = bool(self.open)

    def take(self, flip: Flip) -> None:
        """A flip was told. `unknown` neither begins nor ends anything."""
        cell, label = (flip.source, flip.target), Label(flip.after)
        if label.passes:
            self.end(cell, flip.at, HEALED)
        elif label != Label.UNKNOWN:
            self._fails(cell, label, flip)

    def _fails(self, cell: Cell, label: Label, flip: Flip) -> None:
        """A cell that fails in another way than before names no culprit yet, and stays where it is until it does."""
        member = self.cells.get(cell)
        if member is None:
            self.cells[cell] = Member(*cell, label.value, flip.sentence, flip.at, flip.at)
        elif member.label != label.value:
            member.label, member.sentence, member.named = label.value, flip.sentence, flip.at
            member.cause, member.culprit, member.confidence, member.next_step = None, None, None, ""
            self._changed |= {self.home[cell]} if cell in self.home else set()
        self._unsettled = True

    def hear(self, cell: Cell, said: Verdict, at: float) -> None:
        """What is said of a cell now, if it is one that fails."""
        member = self.cells.get(cell)
        if member is not None and member.hear(said, at):
            self._unsettled = True
            self._changed |= {self.home[cell]} if cell in self.home else set()

    def end(self, cell: Cell, at: float, why: str) -> None:
        """The cell is over. What was told and over within moments was an incident too."""
        member = self.cells.pop(cell, None)
        if member is None:
            return
        home = self.home.pop(cell, None) or self._opened([member], at, cell).id
        self.open[home].members[cell] = member
        member.until, member.end = at, why
        self._changed.add(home)

    def due(self) -> bool:
        """Whether `settle` may have something to say."""
        return self._unsettled or bool(self._changed) or len(self.home) < len(self.cells)

    def settle(self, now: float, zones: Mapping[str, str] | None = None) -> list[Incident]:
        """Every incident that has changed since the last time, those that are closed now among them."""
        if self._unsettled or len(self.home) < len(self.cells):
            found = localise((_as_cell(one) for one in self.cells.values()), zones)
            taken = set[str]()
            for finding in sorted(found, key=lambda one: not one.cells[0]["culprit"]):  # evidence before patterns
                self._place(finding, now, taken)
        changed = sorted((self.open[name] for name in self._changed), key=lambda one: (one.opened, one.id))
        self._changed, self._unsettled = set(), False
        for one in changed:
            self._close(one)
        return changed

    def _place(self, finding: Finding, now: float, taken: set[str]) -> None:
        """An incident is the home of one culprit's cells at most; cells that name none stay where they are."""
        cells: list[Cell] = [(one["source"], one["target"]) for one in finding.cells]
        blamed = bool(finding.cells[0]["culprit"])
        moving = cells if blamed else [cell for cell in cells if cell not in self.home]
        if not moving:
            return
        home = self._owner(cells, taken if blamed else set())
        if home is None and self._ripe(moving, finding, now):
            home = self._opened([self.cells[cell] for cell in moving], now, cells[0])
        if home is not None:
            taken |= {home.id} if blamed else set()
            self._move(moving, home, now)

    def _owner(self, cells: list[Cell], taken: set[str]) -> Incident | None:
        """The oldest incident whose cells are all among these, else the one with the most of its cells here."""
        counts = Counter(self.home[cell] for cell in cells if cell in self.home)
        several = [(self.open[name], count) for name, count in counts.items() if name not in taken]
        whole = [one for one, count in several if count == sum(1 for _ in one.failing())]
        if whole:
            return min(whole, key=lambda one: (one.opened, one.id))
        return max(several, key=lambda one: (one[1], -one[0].opened), default=(None, 0))[0]

    def _ripe(self, cells: list[Cell], finding: Finding, now: float) -> bool:
        """Whether these cells are an incident of their own, or may yet turn out to be of another that is open."""
        sure = bool(finding.cells[0]["culprit"]) and finding.element.kind != HOP
        if not self.open or (sure and not any(cell in self.home for cell in cells)):
            return True
        return now - min(self.cells[cell].named for cell in cells) >= SETTLE

    def _opened(self, members: list[Member], now: float, first: Cell) -> Incident:
        """A new incident: its id is of this moment and this cell."""
        key = f"{now!r} {first[0]} {first[1]}".encode("utf-8", "surrogatepass")
        name = hashlib.blake2b(key, digest_size=8).hexdigest()
        self.open[name] = Incident(name, min(one.since for one in members))
        return self.open[name]

    def _move(self, cells: list[Cell], home: Incident, now: float) -> None:
        left = {self.home[cell] for cell in cells if cell in self.home} - {home.id}
        for name in sorted(left):
            self._leave(self.open[name], {cell for cell in cells if self.home.get(cell) == name}, home, now)
        for cell in cells:
            if self.home.get(cell) != home.id:
                self._changed.add(home.id)
                self.home[cell], home.members[cell] = home.id, self.cells[cell]

    def _leave(self, one: Incident, cells: set[Cell], home: Incident, now: float) -> None:
        """One that has no cell left was the same as `home` all the time."""
        self._changed.add(one.id)
        if any(member.cell not in cells for member in one.failing()):
            for cell in cells:
                del one.members[cell]
            return
        one.closed, one.because, one.into = now, MERGED, home.id
        for cell, member in one.members.items():
            home.members.setdefault(cell, member)

    def _close(self, one: Incident) -> None:
        if one.closed is None and any(one.failing()):
            return
        if one.closed is None:
            ends = [(member.until or 0.0, member.end) for member in one.members.values()]
            one.closed = max(at for at, _ in ends)
            one.because = HEALED if any(why == HEALED for _, why in ends) else UNDECLARED
        del self.open[one.id]


def _as_cell(one: Member) -> dict[str, Any]:
    return {"source": one.source, "target": one.target, "label": one.label, "cause": one.cause, "culprit": one.culprit}
