"""Networks that really are so: a handshake is sent through one, dies where it dies, and each agent that was not deaf
tells what it saw. What is said of it can then be held against the truth."""

from __future__ import annotations

from dataclasses import dataclass

from prober.handshake import State
from prober.observation import Observation, Usual
from prober.report import Route
from tests.stories import EVERYBODY, FIREWALL, NODE1, NODE2, NODE19, NORMAL, POD, story

DEATHS = {
    "none": "healthy", "closed": "target", "nic": "local ingress-drop", "way in": "ingress-drop",
    "refused": "ingress-drop",
    "wrong node in": "ingress-drop", "node": "ingress-drop", "inside": "ingress-drop return-path-loss",
    "kept": "return-path-misroute return-path-loss", "no route": "return-path-loss",
    "elsewhere": "return-path-misroute return-path-loss", "routers fault": "return-path-misroute return-path-loss",
    "way back": "return-path-loss", "told back": "return-path-loss", "healed": "return-path-loss",
}  # fmt: skip
"""Where a handshake dies, and what may be said of it then (besides *unknown*)."""


@dataclass(frozen=True)
class World:
    """``router``: node2 is an ordinary router on the way, with an agent of its own. ``beyond``: it dies behind it."""

    death: str
    pod: bool
    router: bool
    beyond: bool
    past: bool
    answers: bool
    specific: bool
    deaf: tuple[str, ...]

    @property
    def may_be(self) -> set[str]:
        return set(DEATHS[self.death].split()) | {"unknown"}

    def observe(self) -> Observation:
        lines = [line for line in self._lines() if line.split()[0].split("/")[0] not in self.deaf]
        state = {"none": State.ANSWERED, "closed": State.REFUSED, "refused": State.REFUSED}.get(
            self.death, State.TIMED_OUT
        )
        if "firewall" in self.deaf and state != State.REFUSED:
            state = State.TIMED_OUT  # answers are heard by the tap
        routes = tuple(one for one in self._routes() if self.answers and one.agent not in self.deaf)
        target = POD if self.pod else NODE1
        steady = () if self.death == "healed" else ("node1",)
        return story(
            "\n".join(lines), state, deaf=self.deaf, routes=routes, usual=self._usual(), dst=target, steady=steady
        )

    def _usual(self) -> Usual | None:
        carried = ("node2",) if self.router else ()
        watched = tuple(sorted(EVERYBODY - set(self.deaf)))
        return Usual(62 - self.router, NORMAL.exits, carried, carried, watched) if self.past else None

    def _routes(self) -> list[Route]:
        src, iif = (POD, "veth") if self.pod else (NODE1, "")
        gateway = NODE2 if self.router else "10.224.0.1"
        way = Route("node1", FIREWALL, src, iif, "10.19.0.0/24" if self.specific else "0.0.0.0/0", gateway, "eth0")
        claim = Route("node19", FIREWALL, src, "eth0", "10.19.0.0/16", "", "pods0")
        if self.death in ("elsewhere", "routers fault"):
            wrong = Route("node1", FIREWALL, src, iif, "10.19.0.0/16", NODE19, "eth0")
            return [wrong if self.death == "elsewhere" else way, claim]
        if self.death == "kept":
            return [Route("node1", FIREWALL, src, iif, "10.19.0.0/16", "", "pods0")]
        if self.death == "no route":
            return [Route("node1", FIREWALL, src, iif, "10.19.0.0/16", type="blackhole", error="EINVAL")]
        return [way, Route("node2", FIREWALL, src, "eth0", "10.19.0.0/24", "", "eth1")]

    def _lines(self) -> list[str]:
        if self.death == "nic":
            return []
        return ["firewall >> SYN ttl 64", *self._way_in()]

    def _way_in(self) -> list[str]:
        passes = ["node2 << SYN ttl 63", "node2 >> SYN ttl 62"] if self.router else []
        if self.death == "wrong node in":
            return ["node19 << SYN ttl 63"]
        if self.death in ("way in", "refused"):
            met = passes if self.beyond else passes[:1]
            return met + (["firewall << RST ttl 64"] if self.death == "refused" else [])
        return [*passes, "node1 << SYN ttl 62", *self._inside()]

    def _inside(self) -> list[str]:
        if self.death == "node":
            return []
        into = (
            ["node1/pod << SYN ttl 61"] if self.pod else ["node1/stack << SYN ttl 62"] if self.death == "kept" else []
        )
        if self.death == "inside" or (self.death in ("no route", "healed") and not self.pod):
            return into  # "healed": the route is back by the time it is asked for
        what = "RST" if self.death == "closed" else "SYN-ACK"
        out = ["node1/pod >> SYN-ACK ttl 64"] if self.pod else []
        return [*into, *(line.replace("SYN-ACK", what) for line in out + self._way_back())]

    def _way_back(self) -> list[str]:
        if self.death in ("kept", "no route", "healed"):
            return []
        if self.death == "elsewhere":
            return ["node1 >> SYN-ACK ttl 63", "node19 << SYN-ACK ttl 63"]
        met = ["node2 << SYN-ACK ttl 63", "node2 >> SYN-ACK ttl 62"] if self.router else []
        left = ["node1 >> SYN-ACK ttl 63"]
        if self.death == "routers fault":
            return [*left, *met, "node19 << SYN-ACK ttl 62"]
        if self.death in ("way back", "told back"):
            told = ["node1 << ICMP 3/13 of SYN-ACK from 10.224.0.1"] if self.death == "told back" else []
            return [*left, *(met if self.beyond else met[:1]), *told]
        return [*left, *met, f"firewall << SYN-ACK ttl {62 - self.router}"]
