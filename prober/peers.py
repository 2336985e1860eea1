"""Whom a target answered around the time of a probe that it did not answer: what meets every source is no rule for one.

A target that only began to answer afterwards may have been healed meanwhile, so it must have answered before as well.
Times are the controller's monotonic seconds.
"""

from __future__ import annotations

from collections import deque

BEFORE = 2.5
"""Seconds before a probe in which another source's answered one shows that the target answered until then."""
MOST = 256
"""Answered probes of a target that are remembered."""


class Peers:
    """The answered probes of each target: when they were sent, and by whom."""

    def __init__(self) -> None:
        self._answered: dict[str, deque[tuple[float, str]]] = {}

    def answered(self, target: str, source: str, sent: float) -> None:
        """A probe of this target was answered."""
        known = self._answered.get(target)
        if known is None:
            known = self._answered[target] = deque(maxlen=MOST)
        known.append((sent, source))

    def of(self, target: str, source: str, sent: float) -> tuple[str, ...]:
        """The other sources answered since a probe was sent, where some were answered shortly before it, too."""
        others = [one for one in self._answered.get(target, ()) if one[1] != source]
        if not any(sent - BEFORE <= then < sent for then, _ in others):
            return ()
        return tuple(sorted({name for then, name in others if then >= sent}))
