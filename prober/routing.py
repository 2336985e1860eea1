"""Routes as agents told them, read: what one refuses, whose its next hop is, whose network its prefix covers."""

from __future__ import annotations

import ipaddress

from prober.facts import asked_from, names
from prober.observation import Observation
from prober.report import Route
from prober.verdict import Cause

REFUSING = ("blackhole", "unreachable", "prohibit", "throw")

_NO_ROUTE = ("ENETUNREACH", "EHOSTUNREACH", "EACCES")


def is_default(route: Route) -> bool:
    """True for a default route, and where no prefix is known."""
    return route.prefix in ("default", "0.0.0.0/0", "::/0", "")


def refuses(route: Route) -> Cause | None:
    """R6 for a route that refuses, R2 for none at all; None for a usable one, and for an answer that says neither."""
    if route.type in REFUSING:
        return Cause.R6
    return Cause.R2 if route.error in _NO_ROUTE else None


def unanswered(route: Route) -> bool:
    """True where the route's next hop does not answer ARP or neighbour discovery."""
    return "FAILED" in route.neighbour or "INCOMPLETE" in route.neighbour


def owners(o: Observation, route: Route) -> tuple[str, ...]:
    """The agents that the route's next hops are (a multipath route has several)."""
    return tuple(name for hop in route.via.split(",") if (name := o.name(hop)))


def describe(o: Observation, route: Route) -> str:
    """The route as ``ip route`` writes it, with the name of its next hop."""
    return route.text(names(owners(o, route)))


def wider_than_home(o: Observation, route: Route) -> bool:
    """True where the route covers more than the network in which the prober is declared to live."""
    home, asked = ipaddress.ip_network(o.subnet.split()[-1] if o.subnet else o.asked.src), asked_from(o)
    if is_default(route) or home.prefixlen == home.max_prefixlen or ipaddress.ip_address(asked) not in home:
        return False
    block = ipaddress.ip_network(route.prefix)
    return block.version == home.version and block.prefixlen < home.prefixlen


def overlap(o: Observation, route: Route) -> str:
    """The address plan's part of the story: who lies inside the wrong route. Empty for a default route."""
    if is_default(route):
        return ""
    owner = ", ".join(owners(o, route)) or route.via or route.agent
    address = ipaddress.ip_address(asked_from(o))
    block = ipaddress.ip_network(route.prefix)
    home = ipaddress.ip_network(o.subnet.split()[-1] if o.subnet else o.asked.src)
    inside = home.version == block.version and home.subnet_of(block) and address in home  # type: ignore[arg-type]
    who = o.subnet if o.subnet and inside else str(address)
    return f"{who[:1].upper()}{who[1:]} lies inside {owner}'s block {route.prefix}."
