"""Is one key used by two processes? Each process has an epoch of its own; two that take turns are a cloned machine.

A restart is one epoch after the other. An epoch that comes back after another is none. `now` is monotonic seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

RETURNS = 3
"""Times that an epoch must come back: one report of a process that has ended may still be on its way."""
LASTS = 60.0
"""Seconds for which a return counts, and for which the alarm stands after the last one."""
REMEMBERED = 16
"""Epochs of one agent that are remembered, the latest."""


@dataclass(slots=True)
class _Seen:
    current: int = -1
    epochs: dict[int, float] = field(default_factory=dict)
    returns: list[float] = field(default_factory=list)


class Epochs:
    """What each agent's live reports say of the processes behind them."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def hear(self, agent: str, epoch: int, now: float) -> bool:
        """A live report; True where it is the one that raises the alarm."""
        seen = self._seen.setdefault(agent, _Seen())
        before = self.doubled(agent, now)
        if epoch != seen.current and epoch in seen.epochs:
            seen.returns = [*(at for at in seen.returns if now - at < LASTS), now][-RETURNS:]
        seen.current = epoch
        seen.epochs.pop(epoch, None)
        seen.epochs[epoch] = now
        while len(seen.epochs) > REMEMBERED:
            del seen.epochs[next(iter(seen.epochs))]
        return not before and self.doubled(agent, now)

    def doubled(self, agent: str, now: float) -> bool:
        """Whether two processes report under this name now."""
        seen = self._seen.get(agent)
        return seen is not None and sum(now - at < LASTS for at in seen.returns) >= RETURNS

    def sentence(self, agent: str, now: float) -> str | None:
        """The alarm, for the operator."""
        if not self.doubled(agent, now):
            return None
        return (
            f"two processes report as {agent} with one key: is the machine cloned? What each of them sees is taken "
            f"for one agent's. Give each its own name, and a token: prober token create --agent NAME --zone ZONE"
        )
