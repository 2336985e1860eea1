"""The plan that an agent goes by, until it hears another one, or for long nobody has said that it still holds."""

from __future__ import annotations

from prober.agent.policy import unsound
from prober.report import Plan


class Mandate:
    """``plan`` is None before the first one. One that has expired still says what was allowed, and whose keys hold.

    ``heard_at`` is when the controller was heard last. Times are monotonic seconds, handed in.
    """

    def __init__(self, now: float) -> None:
        self.plan: Plan | None = None
        self.heard_at = now
        self._expired = False

    def is_news(self, plan: Plan | None) -> bool:
        """Whether this is another plan than the one that holds; an expired one, told again, is news."""
        return plan is not None and (self.plan is None or self._expired or plan.version != self.plan.version)

    def take(self, plan: Plan) -> str | None:
        """Goes by this plan from now on; or why not, and the one before holds."""
        why = unsound(plan)
        if why is None:
            self.plan, self._expired = plan, False
        return why

    def ends(self, now: float) -> bool:
        """True once, where the plan expires now."""
        if self.plan is None or self._expired or now - self.heard_at <= self.plan.expires_after:
            return False
        self._expired = True
        return True
