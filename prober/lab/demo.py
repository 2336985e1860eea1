"""The incident, live on a terminal: healthy, the break, what prober says of it and when, the heal, healthy again."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.rule import Rule
from rich.text import Text

from prober.errors import CannotMeasure
from prober.lab import standing
from prober.lab.incident import Incident
from prober.lab.stage import Stage
from prober.surfaces import terminal

LOOK = 1.5
"""Seconds at least for which the healthy network is shown before it breaks; half as long as the break stays."""
PATIENCE = 15.0
"""Seconds after which a change that should have shown is a failure of the demo."""

Document = dict[str, Any]


def play(incident: Incident, folder: Path, listen: str, hold: float, once: bool, console: Console) -> int:
    """The whole play; 0 when each act ended as the incident says, 1 otherwise."""
    signal.signal(signal.SIGTERM, _interrupt)
    console.print(Text("Building the network and starting the controller and its agents …", style="dim"))
    with Stage(incident, folder, [listen]) as stage:
        show = Show(stage, console)
        stage.await_judged()
        show.until("1  The network as it should be", _all_pass)
        console.print(
            Text(f"The page: http://{listen}   From another terminal: curl -I http://{listen}/status", style="dim")
        )
        time.sleep(max(LOOK, hold / 2))
        stage.break_it()
        seconds, document = show.until(f"2  {incident.title}", lambda one: _as_expected(one, incident))
        show.why(document, seconds)
        show.stay(hold)
        stage.heal_it()
        seconds, _ = show.until("3  Healed", _all_pass)
        console.print(Text(f"Healthy again {seconds:.1f} s after the heal.", style="bold green"))
        if not once:
            standing.attend(stage, lambda sentence: console.print(Text(sentence, style="dim")))
    console.print(Text("Ended; nothing is left.", style="dim"))
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _all_pass(document: Document) -> bool:
    return all(cell["label"] == "healthy" for cell in document["cells"])


def _as_expected(document: Document, incident: Incident) -> bool:
    """Has every cell earned what the incident's file says? It is compared here, and told to nobody who judges."""
    return all(
        incident.expected(c["source"], c["target"]).met_by(c["label"], c["cause"], c["confidence"], c["culprit"])
        for c in document["cells"]
    )


class Show:
    """The matrix on the terminal, redrawn in place while an act lasts; elsewhere printed once at its end."""

    def __init__(self, stage: Stage, console: Console) -> None:
        self.stage, self.console = stage, console

    def until(self, title: str, done: Callable[[Document], bool]) -> tuple[float, Document]:
        """Seconds until the matrix is as wanted, and that matrix. Raises `CannotMeasure` when it never is."""
        began = time.monotonic()
        with self._live() as live:
            while True:
                document = self.stage.get("/api/v1/matrix")
                seconds = time.monotonic() - began
                live.update(self._act(title, document, seconds), refresh=self.console.is_terminal)
                if done(document):
                    break
                if seconds > PATIENCE:
                    raise CannotMeasure(
                        f"after {PATIENCE:.0f} s the matrix is not what {self.stage.incident.name} expects"
                    )
                time.sleep(0.1)
        if not self.console.is_terminal:
            self.console.print()  # rich leaves the last line open there
        return seconds, document

    def _live(self) -> Live:
        return Live(console=self.console, auto_refresh=False, transient=False)

    def _act(self, title: str, document: Document, seconds: float) -> RenderableType:
        head = Rule(Text(f"{title}  {seconds:4.1f} s", style="bold"), align="left", style="dim")
        return Group(Text(), head, terminal.matrix(document))

    def why(self, document: Document, seconds: float) -> None:
        """The ladder of the first cell that the incident is about."""
        first = self.stage.incident.expect[0] if self.stage.incident.expect else None
        if first is None:
            return
        cell = next(c for c in document["cells"] if c["source"] in first.source and c["target"] in first.target)
        self.console.print(Text(f"\nSaid {seconds:.1f} s after the break:", style="bold"))
        self.console.print(terminal.ladder(self.stage.get(f"/api/v1/paths/{cell['source']}/{cell['target']}")))

    def stay(self, seconds: float) -> None:
        """Leave the break in place, so that somebody can look."""
        self.console.print(
            Text(
                f"It stays broken for {seconds:.0f} s: look at the page, try `prober why firewall ingress`.",
                style="dim",
            )
        )
        time.sleep(seconds)
