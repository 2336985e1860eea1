"""What is told of a cell, and when: its probes, and the handshakes of an experiment that speak for or against them."""

from __future__ import annotations

from prober.flip import Debounce, Flip, news
from prober.matrix import WINDOW, Cell
from prober.verdict import Label, Verdict


def of_probe(debounce: Debounce, cell: Cell, now: float, wall: float) -> Flip | None:
    """A probe of the cell was judged: the flip that it completes, if any."""
    said = _news(debounce, cell, now)
    return debounce.judge(wall, cell.source, cell.target, said.label.value, said.sentence)


def of_handshake(debounce: Debounce, cell: Cell, verdict: Verdict, now: float, wall: float) -> Flip | None:
    """An experiment's handshake was judged, for the first time. It makes no state; it bears one out, or speaks against.

    It speaks until the failure is told: of what was under way while a fault healed, or turned into another, the routing
    tables are asked too late, and an experiment has a good many handshakes under way at once.

    So a cell that is asked every ten seconds is told of as soon as the experiment has met the same failure, and one
    that lost a packet is not, for the handshakes after it pass.
    """
    before = Label(debounce.told.get((cell.source, cell.target), Label.HEALTHY))
    if not before.passes and before != Label.UNKNOWN:
        return None
    said = _news(debounce, cell, now)
    if said.label.passes or said.label in (Label.INTERMITTENT, Label.UNKNOWN):
        return None
    if verdict.label == said.label:
        return debounce.judge(wall, cell.source, cell.target, said.label.value, said.sentence)
    if verdict.label.passes:
        debounce.doubt(cell.source, cell.target)
    return None


def _news(debounce: Debounce, cell: Cell, now: float) -> Verdict:
    """What was told to come and go does so until the cell itself says otherwise."""
    said = cell.verdict(now)
    if not cell.recent or debounce.told.get((cell.source, cell.target)) == Label.INTERMITTENT:
        return said
    passed = [one.verdict.label.passes for one in cell.recent[-2 * WINDOW :]]
    return news(said, cell.recent[-1].verdict, passed, cell.finding)
