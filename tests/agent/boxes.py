"""Reports and outboxes for tests: small, with so many probes of which so many failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from prober.agent.backlog import Backlog
from prober.handshake import State
from prober.report import OUTCOME, Report, decode_report

SECOND = 1_000_000_000


def report(sequence: int, epoch: int = 1, probes: int = 1, failed: int = 0, size: int = 0, **given: Any) -> Report:
    """Written at second `sequence` of the agent's clock, of the second before."""
    rows = np.zeros(probes, OUTCOME)
    rows["state"] = State.ANSWERED
    rows["state"][:failed] = State.TIMED_OUT
    now = sequence * SECOND
    return Report(
        "firewall", epoch, sequence, now, now - SECOND, now, targets=["ingress"], runs=[""], outcomes=rows.tobytes(),
        frames=[b"x" * size] if size else [], **given,
    )  # fmt: skip


class Clock:
    """CLOCK_BOOTTIME, set by hand."""

    def __init__(self) -> None:
        self.ns = 1000 * SECOND

    def __call__(self) -> int:
        return self.ns


def box(folder: Path | None, epoch: int = 1, **given: Any) -> Backlog:
    return Backlog("firewall", epoch, folder, **given)


def filled(folder: Path | None, *reports: Report, epoch: int = 1, **given: Any) -> Backlog:
    """With these reports, each in a group of its own."""
    made = box(folder, epoch, **given)
    for one in reports:
        made.append(one)
        made.write()
    return made


def taken(waiting: Backlog, most: int = 10_000) -> list[Report]:
    """What is delivered, in the order in which it would be sent."""
    came = []
    while len(came) < most and (found := waiting.next(1.0)) is not None:
        came.append(decode_report(found[1]))
        waiting.done(found[0])
    return came


def names(reports: list[Report]) -> list[tuple[int, int]]:
    return [(one.epoch, one.sequence) for one in reports]
