"""SYNs that are handed to a neighbour on this host's link, past its own routes: to read the neighbour's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prober.errors import Refused
from prober.host.routes import Routes
from prober.report import Question, Task
from prober.wire.neighbour import Neighbour, Neighbours


class Handing:
    """`routes` are this host's; `able` says whether it may open raw sockets."""

    def __init__(self, routes: Routes, able: bool) -> None:
        self.routes, self.door = routes, Neighbours() if able else None

    def parted(self, tasks: list[Task], note: Callable[[str], object]) -> Iterator[tuple[Neighbour | None, list[Task]]]:
        """Tasks by who sends them: first those that go as routes say (None), then each that is handed over.

        Where there is no such neighbour nothing is sent, and that is noted.
        """
        handed = [task for task in tasks if task.via]
        if straight := [task for task in tasks if not task.via] if handed else tasks:
            yield None, straight
        for task in handed:
            try:
                yield self.neighbour(task.via), [task]
            except Refused as why:
                note(f"nothing was sent to {task.target} by way of a neighbour: {why}")

    def neighbour(self, address: str) -> Neighbour:
        """Who has this address. Refused where that is nobody on this host's link, or nobody who is known to answer."""
        route = self.routes.ask(Question(address))
        if self.door is None or route.error or route.via or route.type != "unicast" or not route.dev:
            raise Refused(f"{address} is not on this host's link")
        known = route.neighbour.split(",", 1)[0].split()
        if len(known) != 2 or known[0] in ("FAILED", "INCOMPLETE"):
            raise Refused(f"{address} is not known on {route.dev}")
        return Neighbour(self.door, route.dev, known[1])

    def close(self) -> None:
        if self.door is not None:
            self.door.close()
