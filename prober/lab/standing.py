"""A lab that stands until Ctrl-C; `lab break` and `lab heal` reach it by a signal."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from prober.errors import CannotMeasure
from prober.lab.incident import Incident
from prober.lab.stage import Stage

SIGNALS = {"break": signal.SIGUSR1, "heal": signal.SIGUSR2}
TITLE = "prober-lab-up"
"""The standing process's name (/proc/PID/comm): how `lab break` finds it without leaving a file behind."""


def keep(incident: Incident, folder: Path, listen: str, say: Callable[[str], None]) -> int:
    """Build, wait, act on signals, until Ctrl-C or SIGTERM."""
    with Stage(incident, folder, [listen]) as stage:
        stage.await_judged()
        say(f"{incident.name} stands, healthy: http://{listen}")
        attend(stage, say)
    return 0


def attend(stage: Stage, say: Callable[[str], None]) -> None:
    """Act on `lab break` and `lab heal` until Ctrl-C or SIGTERM."""
    wanted: list[str] = []

    def note(number: int, _: FrameType | None) -> None:
        wanted.append(next((name for name, one in SIGNALS.items() if one == number), "end"))

    for number in (*SIGNALS.values(), signal.SIGTERM, signal.SIGINT):
        signal.signal(number, note)
    Path("/proc/self/comm").write_text(TITLE)
    say("`prober lab break` breaks it, `prober lab heal` heals it; Ctrl-C ends it and leaves nothing behind.")
    while "end" not in wanted:
        if wanted:
            _act(wanted.pop(0), stage, say)
        time.sleep(0.05)


def _act(what: str, stage: Stage, say: Callable[[str], None]) -> None:
    try:
        stage.break_it() if what == "break" else stage.heal_it()
    except CannotMeasure as error:
        say(f"can't {what}: {error}")
    else:
        say("broken" if what == "break" else "healed")


def tell(what: str, say: Callable[[str], None]) -> int:
    """Tell the standing lab of this user. Raises `CannotMeasure` where none stands."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "comm").read_text().strip() == TITLE and entry.stat().st_uid == os.getuid():
                os.kill(int(entry.name), SIGNALS[what])
                say(f"told the lab (process {entry.name}) to {what}")
                return 0
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue  # it ended while we looked, or is somebody else's
    raise CannotMeasure("no lab stands: start one with `prober lab up`; a demo takes commands once it has healed")
