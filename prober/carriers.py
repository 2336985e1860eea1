"""Who carried a probe's packets: on their usual way or off it, handing them on or keeping them.

Agents' clocks are never compared: what lies further along a way is told by its TTL, never by its time.
"""

from __future__ import annotations

import ipaddress

from prober.facts import syn_arrived
from prober.observation import Observation, Seen
from prober.probe import Kind
from prober.report import Route
from prober.routing import REFUSING, is_default, wider_than_home
from prober.segment import OUT
from prober.sighting import Where


def regular(o: Observation, agent: str) -> bool:
    """True where this agent carried the cell's packets, either way, when it was healthy."""
    return o.usual is not None and agent in (*o.usual.witnesses, *o.usual.forwarders)


def irregular(o: Observation, agent: str) -> bool:
    """True where this agent was watching when the cell was healthy, and carried none of its packets."""
    return o.usual is not None and agent in o.usual.watched and not regular(o, agent)


def passed_on(o: Observation, agent: str, *kinds: Kind) -> bool:
    """True where the packet was also seen leaving that agent's NIC."""
    return bool(o.saw(*kinds, by=agent, way=OUT, where=Where.NIC))


def kept(o: Observation, agent: str, *kinds: Kind) -> bool:
    """True where that agent captured throughout, and the packet left it by no NIC."""
    return agent not in o.partial and not passed_on(o, agent, *kinds)


def strays(o: Observation, *kinds: Kind) -> tuple[Seen, ...]:
    """Packets in the hands of whoever is not on their way, the furthest (lowest TTL) last.

    An agent is on the way where it carried the cell's packets when all was well, where it carried this very probe's
    SYN to the responder, or, where no healthy probe of the cell says otherwise, where it passed the packet on.
    """
    met = [one for one in o.witnesses(*kinds) if one.where != Where.STACK and not _on_the_way(o, one.agent, kinds)]
    met = [one for one in met if not one.outer or o.name(one.outer) == one.agent]  # a tunnel that passes is not met
    return tuple(sorted(met, key=lambda one: (-one.ttl, one.agent)))


def _on_the_way(o: Observation, agent: str, kinds: tuple[Kind, ...]) -> bool:
    carried = Kind.SYN not in kinds and (syn_arrived(o) or o.saw(Kind.SYN_ACK)) and bool(o.saw(Kind.SYN, by=agent))
    return regular(o, agent) or carried or (not irregular(o, agent) and passed_on(o, agent, *kinds))


def last_carrier(o: Observation, *kinds: Kind) -> str:
    """Who on the declared or usual way saw the packet last, or ''."""
    met = [s for s in o.saw(*kinds) if s.agent not in (o.source, *o.responders) and s.where == Where.NIC]
    return min(met, key=lambda s: (s.ttl, s.agent)).agent if met else ""


def dead_end(o: Observation, stray: Seen) -> Route | None:
    """The stray's own route where it shows that the packet ends there: refused, or taken for a local one."""
    told = fate(o, stray)
    if told is None or is_default(told):
        return None
    claimed = not told.via and told.dev != "" and (wider_than_home(o, told) or _new_claim(o, stray, told))
    return told if told.type in (*REFUSING, "local") or claimed else None


def _new_claim(o: Observation, stray: Seen, fate: Route) -> bool:
    """True where who never carried the cell's packets holds a part of the prober's network for its own, on a device
    where no address of its own is known: a router into that network has the whole of it, and one there."""
    whole = ipaddress.ip_network(o.subnet.split()[-1] if o.subnet else o.asked.src)
    other = ipaddress.ip_network(fate.prefix) != whole
    return other and irregular(o, stray.agent) and not _attached(o, stray.agent, fate)


def _attached(o: Observation, agent: str, fate: Route) -> bool:
    block = ipaddress.ip_network(fate.prefix)
    return any(name == agent and ipaddress.ip_address(address) in block for address, name in o.names.items())


def fate(o: Observation, one: Seen) -> Route | None:
    """Its holder's own route for the packet that it holds."""
    return next((r for r in reversed(o.routes) if (r.agent, r.dst) == (one.agent, one.dst)), None)


def onward(o: Observation, stray: Seen) -> Route | None:
    """The stray's own route where it shows an ordinary router: it would send the packet on by another interface than
    it came by, to a next hop or into a network of its own. Whatever stops the packet there is no wrong route."""
    told = fate(o, stray)
    if told is None or told.error or told.type != "unicast" or not told.prefix:
        return None
    by_another = told.dev not in ("", stray.interface)
    return told if by_another and (told.via or _attached(o, stray.agent, told)) else None
