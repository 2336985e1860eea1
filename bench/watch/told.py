"""What came of trials and quiet times, summed up: lines for people, and figures beside what is asked for."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from bench.figures import Figure, against

WITHIN = 5.0
"""Seconds within which a fault must be told: of every cell that it breaks, with the right label."""

Outcome = dict[str, Any]
"""A `trials.Trial` or an `ambient.Ambient`, as its ``document()`` has it."""


def seconds(trial: Outcome) -> float | None:
    """From the break until its last cell was told; None where one never was."""
    times = list(trial["cells"].values())
    return None if None in times else max(times)


def in_time(trial: Outcome) -> bool:
    """Whether every broken cell was told, rightly and soon enough."""
    at = seconds(trial)
    return at is not None and at <= WITHIN


def lines(outcomes: Sequence[Outcome]) -> list[str]:
    """The last lines."""
    trials, quiet = _of(outcomes, "trial"), _of(outcomes, "ambient")
    told = []
    if trials:
        times = [at for one in trials if (at := seconds(one)) is not None]
        shown = f"median {statistics.median(times):.1f} s, most {max(times):.1f} s" if times else "none was told"
        false = sum(len(one["wrong"]) for one in trials)
        good = sum(map(in_time, trials))
        told.append(
            f"watch: {good} of {len(trials)} faults told within {WITHIN:.0f} s ({shown}), {false} false flips;"
            f" {_healed(trials)}"
        )
    for one in quiet:
        told.append(
            f"watch: {one['minutes']:.0f} min of 0.1 % loss: {one['probes']:,} probes, {one['lost']:,} lost"
            f" ({one['dropped']:,} packets), {len(one['flips'])} false flips"
        )
        told += [f"watch: trouble: {trouble}" for trouble in one["troubles"]]
    return told


def _healed(trials: Sequence[Outcome]) -> str:
    times = [one["healed"] for one in trials if one["healed"] is not None]
    never = f", {len(trials) - len(times)} never" if len(times) < len(trials) else ""
    return (
        f"healing told in {statistics.median(times):.1f} s, most {max(times):.1f} s{never}" if times else "none healed"
    )


def kept(outcomes: Sequence[Outcome]) -> bool:
    """Whether what was asked for is so. A quiet time in which nothing was lost shows nothing."""
    trials, quiet = _of(outcomes, "trial"), _of(outcomes, "ambient")
    return all(in_time(one) and not one["wrong"] and one["healed"] is not None for one in trials) and all(
        not one["flips"] and not one["troubles"] and one["lost"] > 0 for one in quiet
    )


def figures(outcomes: Sequence[Outcome]) -> list[Figure]:
    """Against what is asked for."""
    trials, quiet = _of(outcomes, "trial"), _of(outcomes, "ambient")
    told = lines(outcomes)
    result = []
    if trials:
        work, count = "a fault under continuous probing at 1 s, told", len(trials)
        good = sum(in_time(one) and not one["wrong"] for one in trials)
        note = told[0].removeprefix("watch: ")
        result.append(against(work, f"of {count} faults", [good], count, more_is_better=True, note=note))
        times = [at for one in trials if (at := seconds(one)) is not None]
        if times:
            result.append(against(work, "s, the slowest", [max(times)], WITHIN, more_is_better=False))
    for one in quiet:
        until = one["minutes"] if one["first"] is None else one["first"]
        note = next(line for line in told if f"{one['probes']:,} probes" in line).removeprefix("watch: ")
        work = "0.1 % loss on every link, until something is told"
        result.append(against(work, "min", [until], one["minutes"], more_is_better=True, note=note))
    return result


def _of(outcomes: Sequence[Outcome], kind: str) -> list[Outcome]:
    return [one for one in outcomes if one["kind"] == kind]
