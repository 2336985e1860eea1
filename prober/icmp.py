"""What ICMP errors say of a probe: which of them are about it, and what each means to a handshake."""

from __future__ import annotations

from enum import StrEnum

from prober.observation import ANSWERS, Observation, Seen
from prober.probe import Kind
from prober.segment import IN, OUT

_NEIGHBOUR_MS = 300.0
"""An ICMP host unreachable at once is a route's; one that took longer is a neighbour that did not answer (3 s, ARP)."""

_AT_ONCE_MS = 20.0
"""So soon after the RST by which a prober gives up, an error quotes that; the SYN's own was over the router's limit."""


class Error(StrEnum):
    """What an ICMP error means to a handshake; the two families number the same things differently."""

    NO_ROUTE = "it has no route there"
    REFUSES = "its route there says unreachable"
    NO_HOST = "nobody answers there for that address"
    REJECTED = "a rule rejects it"
    LOOP = "it goes round in a loop"
    OTHER = "it says nothing of where it is lost"


def meaning(o: Observation, one: Seen) -> Error:
    """What an ICMP error says (RFC 792; RFC 1812, 5.2.7; RFC 4443, 3): types 1 and 3 differ between the families."""
    six = ":" in one.icmp_from
    if (one.icmp_type, one.icmp_code) == ((3, 0) if six else (11, 0)):
        return Error.LOOP
    if one.icmp_type != (1 if six else 3):
        return Error.OTHER
    if one.icmp_code in ((3,) if six else (1, 7)):
        return Error.NO_HOST if _waited(o, one) > _NEIGHBOUR_MS else Error.REFUSES
    if one.icmp_code in ((0,) if six else (0, 6, 11)):
        return Error.NO_ROUTE
    return Error.REJECTED if one.icmp_code in ((1, 4, 5, 6) if six else (2, 3, 9, 10, 13)) else Error.OTHER


def _waited(o: Observation, error: Seen) -> float:
    """Milliseconds between the quoted packet and the error, on the clock of the agent that saw both."""
    kinds = (Kind.SYN,) if error.kind == Kind.ICMP_SYN else ANSWERS
    before = [s.after_ms for s in o.saw(*kinds, by=error.agent)]
    resets = [s.after_ms for s in o.saw(Kind.RST, by=error.agent, way=OUT) if error.kind == Kind.ICMP_SYN]
    quoted = [at for at in resets if 0.0 <= error.after_ms - at < _AT_ONCE_MS]
    return error.after_ms - min(quoted or before or [0.0])


def errors_to_prober(o: Observation) -> list[Seen]:
    """ICMP errors that quote the SYN, to the prober first, then to the load balancer for it."""
    askers = (o.source, *o.through)
    errors = [s for s in o.saw(Kind.ICMP_SYN, way=IN) if s.agent in askers and meaning(o, s) != Error.OTHER]
    return sorted(errors, key=lambda s: askers.index(s.agent))


def errors_to_responder(o: Observation) -> list[Seen]:
    """ICMP errors that quote the answer and reached the responder."""
    return [s for s in o.saw(Kind.ICMP_SYN_ACK, way=IN) if s.agent in o.responders]


def text(one: Seen) -> str:
    """An ICMP error in words, with the TTL that its quote has left."""
    return f"ICMP {one.icmp_type}/{one.icmp_code} (quoted TTL {one.ttl})"
