"""A token bucket for a whole agent: how many packets may leave now. Times are seconds, handed in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """`rate` packets a second, of which `burst` may leave at once; a rate of 0 is no limit."""

    rate: float
    burst: int = 64
    tokens: float = 0.0
    at: float = 0.0

    def take(self, wanted: int, now: float) -> int:
        """How many of `wanted` may leave now; they are taken from the bucket. The first call finds it full."""
        if self.rate <= 0.0:
            return wanted
        since = now - self.at if self.at else self.burst / self.rate
        self.tokens = min(float(self.burst), self.tokens + max(0.0, since) * self.rate)
        self.at = now
        count = min(wanted, int(self.tokens + 1e-9))
        self.tokens -= count
        return count

    def wait(self, wanted: int) -> float:
        """Seconds until `wanted` (or as many as the bucket holds) may leave."""
        if self.rate <= 0.0:
            return 0.0
        return max(0.0, (min(wanted, self.burst) - self.tokens) / self.rate)
