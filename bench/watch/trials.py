"""Faults injected at random moments while everything is probed once a second: when each was told, and what else was."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.watch import faults, told
from bench.watch.ear import Ear, Told
from prober.lab.incident import Incident
from prober.lab.stage import Stage
from prober.lab.timeline import Pair
from prober.verdict import Label

PATIENCE, HEAL_PATIENCE = 15.0, 30.0
"""Seconds after which nobody waits for a fault, or for the healing, to be told."""
LOOK = 0.05
"""Seconds between two looks at what was told."""
AFTER = 1.0
"""Seconds for which a told fault stays, so that what is told wrongly beside it shows."""
STALL = 0.5
"""Seconds between two looks from which on it is said."""
REST = 45.0
"""Seconds for which a cell is left alone after it healed: a cell that breaks again while its last forty probes still
hold the other fault comes and goes, and prober says so."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One fault: seconds from the break until each broken cell was told; None for one that never was.

    ``wrong`` are the sentences told that should not have been: another label, or another cell. ``healed`` is when the
    last cell was told healthy again, in seconds from the heal. ``stalled``: for how long this process, which does
    nothing but look, was kept from it; a machine that starves its processes tells late. ``said`` of cells told late.
    """

    fault: str
    cells: dict[str, float | None]
    wrong: list[str]
    healed: float | None
    stalled: float = 0.0
    said: dict[str, list[str]] = field(default_factory=dict)

    def line(self) -> str:
        """For who looks on."""
        one = self.document()
        at, healed = told.seconds(one), "never" if self.healed is None else f"after {self.healed:.1f} s"
        late = [name for name, at in self.cells.items() if at is None or at > told.WITHIN]
        more = [f"late: {', '.join(late)}"] * bool(late) + [f"wrongly told: {one}" for one in self.wrong]
        said = "never told" if at is None else f"told after {at:.1f} s"
        more += [f"the machine stalled for {self.stalled:.1f} s"] * (self.stalled >= STALL)
        return "; ".join([f"{'✓' if told.kept([one]) else '✗'} {self.fault}: {said}, its healing {healed}", *more])

    def document(self) -> dict[str, Any]:
        return {"kind": "trial", **asdict(self)}


def run(count: int, skip: int, folder: Path, seed: int) -> Iterator[Trial]:
    """`count` faults of the queue, after the first `skip`, in one lab that stands all the time."""
    moments = random.Random(seed)  # noqa: S311  # of a test
    waiting = faults.queue(skip + count)[skip:]
    with Stage(waiting[0], folder) as stage:
        stage.await_judged()
        ear, free = Ear(stage.get), dict[Pair, float]()
        while waiting:
            one = _rested(waiting, free)
            time.sleep(moments.random())
            yield (trial := _trial(stage, ear, one))
            free |= dict.fromkeys(faults.cells(one), time.monotonic() + REST)
            if trial.healed is None or stage.gone():
                raise RuntimeError(f"the lab is not well after {one.name}: {stage.gone() or trial.line()}")


def _rested(waiting: list[Incident], free: Mapping[Pair, float]) -> Incident:
    """The first whose cells have been healthy long enough, taken off the list; if need be, once they have."""
    ready = [max((free.get(pair, 0.0) for pair in faults.cells(one)), default=0.0) for one in waiting]
    now = time.monotonic()
    chosen = next((n for n, at in enumerate(ready) if at <= now), ready.index(min(ready)))
    time.sleep(max(0.0, ready[chosen] - now))
    return waiting.pop(chosen)


def _trial(stage: Stage, ear: Ear, one: Incident) -> Trial:
    broken = faults.cells(one)
    wrong = [f"before the break: {flip.sentence}" for flip in ear.hear()]
    began = time.monotonic()
    stage.lab.run(one.break_steps)
    heard, stalled = _until(ear, lambda heard: all(right(heard, broken).values()), PATIENCE)
    when = {pair: flip.at - began if flip else None for pair, flip in right(heard, broken).items()}
    said = {f"{s} → {t}": _said(stage, s, t) for (s, t), at in when.items() if at is None or at > told.WITHIN}
    wrong += [flip.sentence for flip in heard if flip.after not in broken.get(flip.pair, ())]
    began = time.monotonic()
    stage.lab.run(one.heal_steps)
    ill = {flip.pair for flip in heard if not Label(flip.after).passes}
    healed, _ = _until(ear, lambda heard: ill <= well(heard), HEAL_PATIENCE)
    wrong += [f"after the heal: {flip.sentence}" for flip in healed if not Label(flip.after).passes]
    last = max((flip.at for flip in healed), default=began) - began if ill <= well(healed) else None
    shown = {f"{source} → {target}": None if at is None else round(at, 2) for (source, target), at in when.items()}
    return Trial(one.name, shown, wrong, None if last is None else round(last, 2), round(stalled, 2), said)


def _said(stage: Stage, source: str, target: str) -> list[str]:
    """What was said of a cell's failures lately, newest first: why it was told late."""
    history = stage.get(f"/api/v1/paths/{source}/{target}")["history"]
    return [f"{one['at']} {one['label']} {one['cause'] or ''}" for one in history[:8]]


def right(heard: Sequence[Told], broken: Mapping[Pair, Sequence[Label]]) -> dict[Pair, Told | None]:
    """For each broken cell the first flip that says what is right of it."""
    return {
        pair: next((flip for flip in heard if flip.pair == pair and flip.after in labels), None)
        for pair, labels in broken.items()
    }


def well(heard: Sequence[Told]) -> AbstractSet[Pair]:
    """The cells of which it was told last that they pass."""
    last = {flip.pair: Label(flip.after) for flip in heard}
    return {pair for pair, label in last.items() if label.passes}


def _until(ear: Ear, done: Callable[[list[Told]], bool], patience: float) -> tuple[list[Told], float]:
    """Everything told until it is `done` or time is up, and a while longer; the longest that sleeping took too long."""
    heard, stalled = list[Told](), 0.0
    end = time.monotonic() + patience
    while time.monotonic() < end:
        heard += ear.hear()
        if done(heard):
            break
        before = time.monotonic()
        time.sleep(LOOK)
        stalled = max(stalled, time.monotonic() - before - LOOK)
    time.sleep(AFTER)
    return heard + ear.hear(), stalled
