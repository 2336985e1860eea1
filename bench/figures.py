"""What was measured, as values: samples in, one figure a comparison out."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Run = Callable[[], float]


@dataclass(frozen=True)
class Figure:
    """One comparison. ``ratio`` > 1 means prober is better; ``spread`` is the ratio's own, lowest to highest of the
    rounds, each side of a round measured right after the other."""

    work: str
    unit: str
    ours: float
    peer: float
    peer_name: str
    ratio: float
    spread: tuple[float, float]
    must: float = 0.0
    """The ratio that the project promises; 0 where it only shows a peer."""
    note: str = field(default="", compare=False)


def turns(runs: Mapping[str, Run], rounds: int) -> dict[str, list[float]]:
    """A B C A B C …: whatever drifts on the machine meets them all."""
    samples: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            samples[name].append(run())
    return samples


def compare(
    work: str, unit: str, ours: Sequence[float], peer: Sequence[float], peer_name: str, *, more_is_better: bool,
    must: float = 0.0, note: str = "",
) -> Figure:  # fmt: skip
    """Medians of both, and the median of the rounds' ratios."""
    pairs = list(zip(ours, peer, strict=True))
    ratios = sorted(a / b if more_is_better else b / a for a, b in pairs)
    return Figure(
        work, unit, statistics.median(ours), statistics.median(peer), peer_name, statistics.median(ratios),
        (ratios[0], ratios[-1]), must, note,
    )  # fmt: skip


def against(
    work: str, unit: str, ours: Sequence[float], limit: float, *, more_is_better: bool, note: str = ""
) -> Figure:
    """Against a number that is promised, and not a program."""
    fixed = [limit] * len(ours)
    return compare(work, unit, ours, fixed, "the limit set", more_is_better=more_is_better, must=1.0, note=note)
