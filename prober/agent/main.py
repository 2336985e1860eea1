"""An agent as a process: sockets, then no privilege, then the loop until SIGTERM or SIGINT."""

from __future__ import annotations

import gc
import signal
from pathlib import Path
from urllib.parse import quote

from prober.agent.loop import Agent


def run(name: str, controller: str, token: str, state: Path | None = None) -> None:
    """Until a signal ends it. Raises `CannotMeasure` where packets can't be sent or captured and no plan comes.

    What it has to report outlives it in a folder of its own below `state`; without one it is kept in memory.
    """
    folder = state / f"outbox-{quote(name, safe='')}" if state is not None else None
    agent = Agent(name, controller, token, folder)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
    gc.freeze()  # what is imported by now stays: no collection need look through it again
    agent.run()
