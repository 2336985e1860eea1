"""Any observation that an honest fleet could make of a handshake, for whoever holds the rules against all of them.

Agents see what they please, where they please; they watched throughout or not. What the wire can't do is left out:
a node that asks its own pod is seen by nobody else, and one SYN is not both answered and, on its way, refused or kept.
"""

from __future__ import annotations

import errno

from hypothesis import strategies as st

from prober.handshake import REFUSED_ONCE, State
from prober.observation import Observation, Usual
from prober.report import Route
from tests.stories import EVERYBODY, FIREWALL, LB, NODE1, NODE19, NORMAL, POD, story

AGENTS = st.sampled_from(sorted(EVERYBODY))
SEGMENTS = st.builds(
    lambda agent, place, arrow, what, ttl, after, rest: f"{agent}{place} {arrow} {what} ttl {ttl} after {after}{rest}",
    AGENTS, st.sampled_from(["", "", "", "/pod", "/stack"]), st.sampled_from(["<<", ">>"]),
    st.sampled_from([
        "SYN", "SYN-ACK", "RST", "own RST", "bare ACK",
        f"ICMP 3/1 of SYN-ACK from {NODE19}", "ICMP 3/0 of SYN from 10.19.0.1",
        "ICMP 3/13 of SYN-ACK from 10.224.0.1", "ICMP 11/0 of SYN-ACK from 10.224.0.1", f"ICMP 3/1 of SYN from {NODE1}",
        "ICMP 3/4 of SYN from 10.19.0.1", "ICMP 1/3 of SYN-ACK from fd00::1",
    ]),
    st.integers(60, 64), st.sampled_from([0, 1, 3070]), st.sampled_from(["", "", " unsealed", f" from {LB}"]),
)  # fmt: skip
ROUTES = st.builds(
    Route, AGENTS, st.sampled_from([FIREWALL, POD, LB]), st.just(POD), st.just("veth"),
    st.sampled_from(["10.19.0.0/16", "10.19.0.0/24", "0.0.0.0/0", "", "::/0", "10.0.0.0/8", "fd00::/8"]),
    st.sampled_from(["", NODE19, "10.224.0.1", LB, f"{NODE19},10.224.0.1"]),
    st.sampled_from(["", "eth0", "eth1", "pods0"]),
    st.sampled_from(["unicast", "blackhole", "unreachable", "local", ""]), st.just("main"),
    st.sampled_from(["", "", "ENETUNREACH", "EINVAL", "ENODEV"]),
)  # fmt: skip
SOME = st.lists(AGENTS, unique=True).map(tuple)
USUALS = st.none() | st.builds(
    Usual, st.integers(60, 64), st.sampled_from([(), NORMAL.exits, ("node1 pods0 x",)]), SOME, SOME, SOME
)
COUNTERS = st.sampled_from(["TcpExtIPReversePathFilter", "TcpExtListenOverflows", "IpOutNoRoutes"])
STATES = st.sampled_from([s for s in State if s != State.SENT] + [State.TIMED_OUT] * 5)


def _possible(lines: list[str], responders: tuple[str, ...], deaf: tuple[str, ...]) -> list[str]:
    """What can be seen together: see this file's head."""
    if "firewall" in responders:
        own = ("firewall/pod << SYN ", "firewall/pod >> SYN-ACK", "firewall/pod >> RST")
        return [line for line in lines if line.startswith(own)]
    own = (
        "firewall >> SYN ",
        "firewall << SYN-ACK",
        "firewall << bare ACK",
        "firewall << RST",
        "firewall << ICMP",
        "firewall >> own RST",
    )
    lines = [line for line in lines if line.startswith(own) or not line.startswith("firewall")]
    lines = [line for line in lines if "/stack" not in line or "/stack << SYN " in line]
    accepted = any(" SYN-ACK " in line or " bare ACK ttl" in line for line in lines)
    came = any(line.split("/")[0].split()[0] in responders and "<< SYN ttl" in line for line in lines)
    if not accepted and not came and not any("> RST" in line or "< RST" in line for line in lines):
        return lines
    passed = {line.split()[0] for line in lines if ">> SYN " in line} | {"firewall", *responders, *deaf}
    stopped = [line for line in lines if "<< SYN " in line and line.split()[0].split("/")[0] not in passed]
    answered = any("> RST" in line or "< RST" in line for line in lines)
    told = ["of SYN from", "> RST", "< RST"] if accepted else ["of SYN from"] if answered else []
    return [line for line in lines if line not in stopped and not any(words in line for words in told)]


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    """One probe of the firewall's, timed out more often than not."""
    responders = draw(st.sampled_from([("node1",), ("node1", "node2"), (), ("firewall",)]))
    deaf = draw(SOME)
    pod = draw(st.sampled_from([POD, ""]))
    lines = _possible(draw(st.lists(SEGMENTS, max_size=10)), responders, deaf)
    if not pod:  # a host's own answer comes out of no pod
        lines = [line for line in lines if not line.startswith(("node1/pod >> ", "node2/pod >> "))]
    routes = draw(st.lists(ROUTES, max_size=3, unique_by=lambda route: (route.agent, bool(pod) and route.dst == POD)))
    return story(
        "\n".join(lines), draw(STATES), deaf=deaf, routes=tuple(routes), usual=draw(USUALS),
        responders=responders, through=draw(st.sampled_from([(), ("lb",)])),
        error=draw(st.sampled_from([0, errno.EPERM, errno.ENETUNREACH, REFUSED_ONCE])), pod=pod,
        counters=draw(st.dictionaries(COUNTERS, st.just(1))), held=draw(st.sampled_from([None, None, 31.5])),
    )  # fmt: skip
