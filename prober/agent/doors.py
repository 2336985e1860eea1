"""What this agent listens on, as its plan says: its responder, and the port where others hand in their reports."""

from __future__ import annotations

from collections.abc import Callable

from prober.agent.line import Line
from prober.agent.relaying import Relaying
from prober.agent.responder import Responder
from prober.report import Plan


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
        if self.responder is not None and self.responder.key != (tuple(plan.addresses), plan.listen):
            self.responder.close()
            self.responder = None
        if plan.listen and self.responder is None:
            try:
                self.responder = Responder(plan.addresses, plan.listen)
            except OSError as error:
                return [_cannot(plan, plan.listen, error)]
        return []

    def _relay(self, plan: Plan) -> list[str]:
        if self.relaying is not None and self.relaying.key != (tuple(plan.addresses), plan.relay):
            self.relaying.close()
            self.relaying = None
        if plan.relay and self.relaying is None:
            try:
                self.relaying = Relaying(plan.addresses, plan.relay, self.https, self.reaches)
            except OSError as error:
                return [_cannot(plan, plan.relay, error)]
        return []

    def serve(self) -> None:
        """Whoever dialled the responder; what is handed in has threads of its own."""
        if self.responder is not None:
            self.responder.serve()

    def close(self) -> None:
        for door in (self.responder, self.relaying):
            if door is not None:
                door.close()


def _cannot(plan: Plan, port: int, error: OSError) -> str:
    return f"can't listen on port {port} of {', '.join(plan.addresses)}: {error.strerror}"
