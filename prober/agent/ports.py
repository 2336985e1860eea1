"""Which source port a target is asked from next: low and high in turn, and none that it may still hold a socket of.

A SYN that was not answered may have been taken all the same, its answer lost and the RST that closes it, too. For as
long as that socket lives, a SYN of the same four-tuple is answered with a bare ACK of the older one, or not at all
(tcp_check_req, net/ipv4/tcp_minisocks.c; tcp_oow_rate_limited, net/ipv4/tcp_input.c).
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from prober import probe, segment
from prober.handshake import STILL_OPEN, State
from prober.segment import Batch

REST = STILL_OPEN
"""Seconds for which a port whose probe timed out is left alone."""

_pair = lru_cache(maxsize=65_536)(segment.pair)

Key = tuple[int, int, int]
"""A target: its address as `segment.pair` has it, and its port."""


class Ports:
    """The source ports that an agent holds; each target address goes round them on its own, from `begin` on."""

    def __init__(self, held: tuple[int, ...], begin: int) -> None:
        self._held, self._begin = _mixed(held), begin
        self._turns: dict[str, int] = {}
        self._resting: dict[Key, dict[int, float]] = {}

    def next(self, address: str, port: int, now: float, taken: Collection[int] = ()) -> int:
        """The next one that is neither `taken` nor resting; where all are, the one that was used longest ago."""
        turn, count = self._turns.get(address, self._begin), len(self._held)
        if not self._resting and not taken:
            self._turns[address] = turn + 1
            return self._held[turn % count]
        resting = self._rests((*_pair(address), port), now)
        order = range(turn, turn + count)
        for chosen in order:
            if (own := self._held[chosen % count]) not in resting and own not in taken:
                break
        else:
            chosen = next((at for at in order if self._held[at % count] not in taken), turn)
        self._turns[address] = chosen + 1
        return self._held[chosen % count]

    def rest(self, outcomes: Batch, now: float) -> None:
        """Handshakes that ended: the ports of those that timed out are left alone for a while."""
        late = outcomes[outcomes["state"] == State.TIMED_OUT]
        for hi, lo, port, own in late[["dst_hi", "dst_lo", "dport", "sport"]].tolist():
            self._resting.setdefault((hi, lo, port), {})[own] = now + REST

    def _rests(self, key: Key, now: float) -> Collection[int]:
        """The ports of this target that rest still; those that have rested are forgotten."""
        known = self._resting.get(key)
        if known is None:
            return ()
        for port in [port for port, until in known.items() if until <= now]:
            del known[port]
        if not known:
            del self._resting[key]
        return known


def _mixed(ports: tuple[int, ...]) -> list[int]:
    """Low and high ports in turn."""
    middle = sum(probe.PORT_BANDS) // 2
    low, high = [p for p in ports if p < middle], [p for p in ports if p >= middle]
    both = [port for pair in zip(low, high, strict=False) for port in pair]
    return both + low[len(high) :] + high[len(low) :]
