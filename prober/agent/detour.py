"""The way through a peer, for as long as this agent's own way to the controller is broken.

A report goes signed to one of the plan's relays, and counts as delivered when the controller's own receipt for it comes
back (`prober.relay`): whatever a peer does, nothing is lost. It is kept to a peer through which it works.
"""

from __future__ import annotations

import socket
from collections import deque

import msgspec

from prober import logs, relay
from prober.agent import exchange
from prober.relay import Receipt
from prober.report import Plan, Report, decode_report, encode

CONNECT = 1.0
"""Seconds for a peer to take the connection."""
PATIENCE = 3.0
"""Seconds for a peer to hear a report, and to bring the receipt (`exchange`)."""
TRIED = 3
"""Peers that are tried with one report, one after the other."""
OWN_WAY_EVERY = 10.0
"""Seconds between two tries of the own way while it is broken."""
BROKEN, DOUBTED = 2.0, 3.0
"""Seconds that the own way is given while it is broken, and while there are peers to turn to."""

Way = tuple[str, str, int]
"""A peer's name, address and port."""
_log = logs.get_logger("prober.uplink")


class Detour:
    """``by`` names the peer through which reports go now; '' while they go their own way."""

    def __init__(self) -> None:
        self.ways: deque[Way] = deque()
        self.by = ""
        self._key = b""
        self._own_way_at = 0.0

    def adopt(self, plan: Plan) -> None:
        """The peers that the plan names; the one through which it works stays the first."""
        if set(plan.relays) != set(self.ways):
            self.ways = deque(plan.relays)
        self._key = plan.relay_key

    def patience(self) -> float | None:
        """Seconds that the own way is given; None: as long as where there is no other."""
        return (BROKEN if self.by else DOUBTED) if self.ways else None

    def stands(self, now: float) -> bool:
        """Whether reports go through a peer, and the own way need not be tried again yet."""
        return bool(self.by) and now < self._own_way_at

    def failed(self, now: float) -> None:
        """The own way did not work at `now` (monotonic seconds)."""
        self._own_way_at = now + OWN_WAY_EVERY

    def send(self, body: bytes) -> Receipt | None:
        """The controller's receipt for this encoded report, through the first peer that brings one; None where none
        does."""
        ways, self.by = self.ways, ""
        if not ways:
            return None
        report = decode_report(body)
        for _ in range(min(TRIED, len(ways))):
            try:
                receipt = self._through(ways[0], report)
            except (OSError, ValueError) as error:  # what can't be decoded is a ValueError: msgspec.MsgspecError
                _log.debug("a peer is of no use", peer=ways[0][0], why=f"{type(error).__name__}: {error}")
                ways.rotate(-1)
                continue
            self.by = ways[0][0]
            return receipt
        return None

    def _through(self, way: Way, report: Report) -> Receipt:
        name, address, port = way
        bundle = relay.seal(report.agent, encode(msgspec.structs.replace(report, via=name)), self._key)
        told = relay.encode(bundle)
        if len(told) > relay.MOST:
            raise OSError(f"a report of {len(told)} bytes is too large for a peer")
        with socket.create_connection((address, port), CONNECT) as connection:
            exchange.tell(connection, told, PATIENCE)
            receipt = relay.decode_receipt(exchange.hear(connection, relay.MOST_BACK, PATIENCE))
        if not relay.is_for(receipt, bundle, self._key):
            raise OSError("its answer is no receipt of the controller's for this report")
        return receipt
