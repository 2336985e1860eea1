"""Making this agent's key known, once, before its first report."""

from __future__ import annotations

from prober import enrolment
from prober.agent.line import Line, detail
from prober.errors import CannotMeasure


class NotEnrolled(CannotMeasure):
    """The controllers do not know this agent. ``for_good``: and never will by this token."""

    def __init__(self, why: str, for_good: bool = False) -> None:
        super().__init__(why)
        self.for_good = for_good


def enrol(line: Line) -> None:
    """Nothing where the line's key is known. Raises NotEnrolled, and what `Line.post` raises where no answer came.

    An answer that is lost does no harm: the same token with the same key is taken again.
    """
    credential = line.credential
    asked = credential.pending
    if asked is None:
        return
    answer = line.enrol(credential.token, enrolment.encode(asked))
    if answer.status_code == 204:  # what says 200 is no controller
        credential.enrolled()
        return
    why = f"{asked.agent} is not enrolled: {detail(answer)}"
    if answer.status_code == 404:
        why = f"{asked.agent} is not enrolled: the controller is older than this agent, upgrade it first"
    for_good = answer.status_code == 401
    if not (for_good and credential.refused(why)):
        raise NotEnrolled(why, for_good)
