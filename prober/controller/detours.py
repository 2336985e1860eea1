"""Which agents report through a peer now, and what peers handed in that was not what it said."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from prober import relay
from prober.relay import Bundle
from prober.report import Report

_log = structlog.get_logger("prober.controller")


class Detours:
    """``via``: the peer through which each agent's newest word came, where it came so.

    ``relayed``: how many reports of each agent came so; ``forged``: what each peer handed in that its agent had not
    signed. `secret`: see `relay.key_of`.
    """

    def __init__(self, secret: bytes) -> None:
        self.secret = secret
        self.via: dict[str, str] = {}
        self.relayed: dict[str, int] = {}
        self.forged: dict[str, int] = {}

    def key(self, bundle: Bundle, peer: str, may_report: Callable[[str], bool]) -> bytes | None:
        """The key of the bundle's agent; None, counted and said, where it has not signed it or `may_report` no more."""
        key = relay.key_of(self.secret, bundle.agent)
        if relay.is_genuine(bundle, key) and may_report(bundle.agent):
            return key
        self.forged[peer] = self.forged.get(peer, 0) + 1
        _log.error("a relayed report is not what it says", agent=bundle.agent[:80], peer=peer)
        return None

    def hear(self, report: Report) -> None:
        """A report that is new; said where the way is another one than before."""
        if report.via:
            self.relayed[report.agent] = self.relayed.get(report.agent, 0) + 1
        if not report.live or report.via == self.via.get(report.agent, ""):
            return
        self.via.pop(report.agent, None)
        if report.via:
            self.via[report.agent] = report.via
        again = f"{report.agent} reaches the controller by itself again"
        _log.warning("an agent's way", why=self.sentence(report.agent) or again)

    def sentence(self, agent: str) -> str | None:
        """That this agent reports through a peer, for the operator; None where it does not."""
        via = self.via.get(agent)
        return f"{agent} reports through {via}: its own way to the controller is broken" if via else None
