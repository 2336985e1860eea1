"""What this agent listens on, as its plan says: its responder, and the port where others hand in their reports."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from prober.agent.line import Line
from prober.agent.relaying import Relaying
from prober.agent.responder import Responder
from prober.report import Plan

Door = TypeVar("Door", Responder, Relaying)


class Doors:
    """`https` and `reaches`: see `Relaying`."""

    def __init__(self, https: Callable[[], list[Line]], reaches: Callable[[], bool]) -> None:
        self.responder: Responder | None = None
        self.relaying: Relaying | None = None
        self.https, self.reaches = https, reaches

    def adopt(self, plan: Plan) -> list[str]:
        """Listens where this plan says; for each port on which it can't, a sentence."""
        return [*self._respond(plan), *self._relay(plan)]

    def _respond(self, plan: Plan) -> list[str]:
        made = partial(Responder, plan.addresses, plan.listen)
        self.responder, wrong = _opened(self.responder, plan, plan.listen, made)
        return wrong

    def _relay(self, plan: Plan) -> list[str]:
        made = partial(Relaying, plan.addresses, plan.relay, self.https, self.reaches)
        self.relaying, wrong = _opened(self.relaying, plan, plan.relay, made)
        return wrong

    def serve(self) -> None:
        """Whoever dialled the responder; what is handed in has threads of its own."""
        if self.responder is not None:
            self.responder.serve()

    def close(self) -> None:
        for door in (self.responder, self.relaying):
            if door is not None:
                door.close()


def _opened(door: Door | None, plan: Plan, port: int, made: Callable[[], Door]) -> tuple[Door | None, list[str]]:
    """The door at this port, 0 for none, and why there is none. One that stands elsewhere is closed before."""
    if door is not None and door.key != (tuple(plan.addresses), port):
        door.close()
        door = None
    if not port or door is not None:
        return door, []
    try:
        return made(), []
    except OSError as error:
        return None, [f"can't listen on port {port} of {', '.join(plan.addresses)}: {error.strerror}"]
