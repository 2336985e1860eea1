"""What agents do with a run that somebody asked for in a chat."""

from __future__ import annotations

import time
from typing import Any

from tests.controller.centres import Controller, verdict


def finish(running: Controller, label: str = "healthy", **given: Any) -> None:
    """What the agents do with a run: each of its pairs is judged."""
    runs = running.centre.runs.known
    end = time.monotonic() + 5
    while not runs and time.monotonic() < end:
        time.sleep(0.01)
    run = list(runs.values())[-1]
    for number, (source, target) in enumerate(run.matrix.cells):
        told = verdict(source, target, label, **given)
        run.matrix.take(source, target, 1000 + number, running.centre.now(), told, 0.3)
