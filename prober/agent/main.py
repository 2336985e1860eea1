"""An agent as a process: sockets, then no privilege, then the loop until SIGTERM or SIGINT."""

from __future__ import annotations

import signal

from prober.agent.loop import Agent


def run(name: str, controller: str, token: str) -> None:
    """Until a signal ends it. Raises `CannotMeasure` where packets can't be sent or captured and no plan comes."""
    agent = Agent(name, controller, token)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: agent.stop())
    agent.run()
