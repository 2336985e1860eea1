"""An agent as a process: sockets, then no privilege, then the loop until SIGTERM or SIGINT."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from prober.agent.credential import Credential
from prober.agent.loop import Agent


def run(name: str, controller: str, token: Callable[[], str | None], state: Path | None = None) -> None:
    """Until a signal ends it. Raises `CannotMeasure` where packets can't be sent or captured and no plan comes, where
    its key is none of its own, and where the controller does not enrol it; what `token` raises, where that is needed.

    Its key, and what it has to report, outlive it below `state`; without one they are kept in memory.
    """
    credential = Credential.open(name, token, state)
    folder = state / f"outbox-{quote(name, safe='')}" if state is not None else None
    agent = Agent(name, controller, credential, folder)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
    gc.freeze()  # what is imported by now stays: no collection need look through it again
    agent.run()
