"""Each shipped incident does to the kernel's own TCP what its story says, and its heal leaves no trace."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterable
from typing import Any

import labelled
import pytest
from children import Sealed
from dialling import dial, frames, icmp_errors, tap

from prober import targets
from prober.lab import incident, namespaces
from prober.lab.incident import Incident
from prober.lab.topology import Lab

INGRESS, POD2, LB, VM = ("10.4.76.34", 8080), ("10.5.12.9", 8080), ("10.224.1.4", 80), ("10.224.0.100", 7007)
FIREWALL, NODE1, NODE19 = ("10.19.0.4", 7007), ("10.224.0.4", 7007), ("10.224.0.23", 7007)

WELL = [
    ("firewall", INGRESS), ("lb", INGRESS), ("vm", INGRESS), ("remote", INGRESS), ("node2", INGRESS),
    ("firewall", POD2), ("node1", POD2), ("private", LB), ("firewall", LB), ("firewall", VM), ("remote", VM),
    ("firewall", NODE1), ("firewall", NODE19), ("node1", FIREWALL), ("node19", FIREWALL), ("vm", FIREWALL),
]  # fmt: skip
"""All of these connect while the network is well; an incident changes those it names below, and no other."""

MISROUTED = {
    ("firewall", INGRESS): "times out",
    ("firewall", POD2): "times out",
    ("firewall", NODE1): "times out",
    ("firewall", NODE19): "times out",
    ("node1", FIREWALL): "times out",
    ("node19", FIREWALL): "times out",
}
PORT_CLOSED = {
    **{(source, INGRESS): "ECONNREFUSED" for source in ("firewall", "lb", "vm", "remote", "node2")},
    **{(source, LB): "ECONNREFUSED" for source in ("private", "firewall")},
}
NO_WAY_BACK = {("firewall", INGRESS): "times out", ("firewall", NODE1): "times out"}

APP, WEB, API, SHOP, BALANCER = (
    ("10.60.2.4", 8080), ("10.70.1.2", 8080), ("10.70.1.3", 8080), ("10.70.2.2", 8080), ("10.60.1.4", 80),
)  # fmt: skip
FROM = {source: [(source, one) for one in (APP, WEB, API)] for source in ("client", "caller", "beta")}
CHAIN_WELL = [*FROM["client"], ("client", SHOP), ("client", BALANCER), *FROM["caller"], *FROM["beta"]]
"""The same for the network named chain."""

TO_WEB = [("client", WEB), ("caller", WEB), ("beta", WEB)]


def all_of(calls: Iterable[tuple[str, tuple[str, int]]], how: str) -> dict[tuple[str, tuple[str, int]], str]:
    return dict.fromkeys(calls, how)


LOST = "times out"
UNREACHABLE = "EHOSTUNREACH or times out"
"""The router sends one destination no more than an ICMP error a second (icmp(7), icmp_ratelimit)."""

CHAIN_CHANGES: dict[str, dict[tuple[str, tuple[str, int]], str]] = {
    "local-blackhole": {("client", APP): "EINVAL"},
    "local-unreachable": {("client", APP): "EHOSTUNREACH"},
    "local-prohibit": {("client", APP): "EACCES"},
    "local-output-drop": {("client", WEB): "EPERM or times out"},
    "local-next-hop-dead": all_of([one for one in CHAIN_WELL if one[0] == "client"], LOST),
    "reject-port": {("client", WEB): "ECONNREFUSED"},
    "reject-host": {("client", WEB): "EHOSTUNREACH"},
    "reject-icmpx": {("client", WEB): "EHOSTUNREACH"},
    "router-unreachable": all_of([*TO_WEB, ("client", BALANCER)], UNREACHABLE),
    "router-prohibit": all_of([*TO_WEB, ("client", BALANCER)], UNREACHABLE),
    "router-blackhole": {("client", WEB): LOST},
    "router-blackhole-unwatched": all_of([*TO_WEB, ("client", BALANCER)], LOST),
    "router-no-route": all_of([("client", one) for one in (APP, WEB, API, SHOP)], "ENETUNREACH or times out"),
    "node-down": {
        ("client", SHOP): LOST,
        **all_of(FROM["beta"], "ENETUNREACH"),
        **all_of(FROM["caller"], "ENETUNREACH or times out"),
    },
    "pod-gone": all_of([*TO_WEB, ("client", BALANCER)], UNREACHABLE),
    "pod-gone-block": {("client", SHOP): LOST},
    "balancer-drops": {("client", BALANCER): LOST},
    "balancer-refuses": {("client", BALANCER): "ECONNREFUSED"},
    "egress-policy": {("caller", WEB): LOST},
    "host-reject": all_of([(source, APP) for source in FROM], "ECONNREFUSED"),
    "closed-port-host": all_of([(source, APP) for source in FROM], "ECONNREFUSED"),
    "accept-queue-full": all_of([(source, APP) for source in FROM], LOST),
    "accept-queue-full-pod": all_of([*TO_WEB, *((source, API) for source in FROM), ("client", BALANCER)], LOST),
    "policy-drop": all_of([("client", WEB), ("client", API)], LOST),
    "policy-reject": all_of([("client", WEB), ("client", API)], UNREACHABLE),
    "strict-rp-filter": all_of(FROM["client"], LOST),
    "pod-no-return-route": all_of([*TO_WEB, *((source, API) for source in FROM), ("client", BALANCER)], LOST),
    "pod-firewall-inside": {("client", API): LOST},
    "martian": all_of(FROM["client"], LOST),
    "unprivileged": {},
    "unprivileged-closed-port": all_of([(source, APP) for source in FROM], "ECONNREFUSED"),
    "unprivileged-filter": {("client", APP): LOST},
    "unprivileged-return-filter": {("client", APP): LOST},
    "unprivileged-misroute": all_of([*FROM["client"], ("client", SHOP)], LOST),
    "unprivileged-no-return-route": all_of(FROM["client"], LOST),
}

CHANGES: dict[str, dict[tuple[str, tuple[str, int]], str]] = CHAIN_CHANGES | {
    "healthy": {},
    "detour": {},
    "incident": MISROUTED,
    "incident-blackhole": MISROUTED | {("node19", FIREWALL): "EINVAL"},
    "own-block": NO_WAY_BACK | {("node1", FIREWALL): "times out"},
    "filter": {("firewall", INGRESS): "times out"},
    "reject": {("firewall", INGRESS): "EHOSTUNREACH"},
    "reject-reset": {("firewall", INGRESS): "ECONNREFUSED"},
    "missing-route": {
        **{(source, INGRESS): "ENETUNREACH" for source in ("firewall", "vm", "remote")},
        # All three hear of it through the balancer's address, and the router limits its errors to one address.
        ("lb", INGRESS): "ENETUNREACH or times out",
        **{(source, LB): "ENETUNREACH or times out" for source in ("private", "firewall")},
    },
    "forward-misroute": {
        **{(source, INGRESS): "times out" for source in ("firewall", "lb", "vm", "remote")},
        **{(source, LB): "times out" for source in ("private", "firewall")},
    },
    "host-firewall": {("firewall", VM): "times out", ("remote", VM): "times out"},
    "pod-firewall": {("firewall", INGRESS): "times out"},
    "return-filter": {("firewall", INGRESS): "times out"},
    "return-reject-reset": {("firewall", INGRESS): "times out"},
    "return-reject": {("firewall", INGRESS): "times out"},
    "no-return-route": NO_WAY_BACK | {("node1", FIREWALL): "ENETUNREACH"},
    "return-blackhole": NO_WAY_BACK | {("node1", FIREWALL): "EINVAL"},
    "return-prohibited": NO_WAY_BACK | {("node1", FIREWALL): "EACCES"},
    "return-unreachable": NO_WAY_BACK | {("node1", FIREWALL): "EHOSTUNREACH"},
    "closed-port": PORT_CLOSED,
    "closed-port-masquerade": PORT_CLOSED,
    "local-no-route": {("firewall", INGRESS): "ENETUNREACH"},
}


def well(lab: Lab) -> list[tuple[str, tuple[str, int]]]:
    """What connects in this network while nothing is broken."""
    return CHAIN_WELL if "inner" in lab.network.hosts else WELL


def outcomes(lab: Lab) -> dict[tuple[str, tuple[str, int]], str]:
    """How each of those fares now."""
    answers = dial(lab, [(place, *address) for place, address in well(lab)])
    return dict(zip(well(lab), answers, strict=True))


def kernel_state(lab: Lab, places: Iterable[str]) -> dict[str, Any]:
    """Routes, rules of nft and links of these places, without what moves by itself."""

    def look() -> list[Any]:
        asked = (["ip", "-j", "route", "show", "table", "all"], ["nft", "-n", "list", "ruleset"], ["ip", "-j", "link"])
        return [subprocess.run(words, capture_output=True, text=True, check=True).stdout for words in asked]

    answers = {}
    for place in places:
        routes, rules, links = namespaces.inside(lab.namespaces[place], look)
        kept = sorted(json.dumps(route, sort_keys=True) for route in json.loads(routes or "[]"))
        answers[place] = (kept, rules, [link["ifname"] for link in json.loads(links)])
    return answers


def with_listeners(lab: Lab) -> None:
    """What the agents bring along: a listener on each of their addresses."""
    hosts = {"firewall", "node1", "node19", "vm"} & set(lab.network.hosts)
    lab.run({host: ["listen 7007"] for host in sorted(hosts)})


def distinct() -> list[str]:
    """The incidents on the two networks above that break in a way of their own: to stop an agent changes none."""
    told = {name: incident.load(name) for name in set(incident.names()) - labelled.names()}
    ours = {name: one for name, one in told.items() if {"node19", "inner"} & set(one.network.hosts)}
    return sorted(name for name, one in ours.items() if not one.stop_agents)


def test_incidents_that_silence_an_agent_break_the_network_as_another_does() -> None:
    others = [incident.load(name).break_steps for name in distinct()]
    for name in (name for name in incident.names() if incident.load(name).stop_agents):
        assert incident.load(name).break_steps in others, name


def test_every_shipped_incident_has_its_effect_written_here() -> None:
    assert set(CHANGES) == set(distinct())


Played = dict[str, tuple[Any, ...]]
"""An incident's name -> how its network fared broken and healed, and what its places held before and after."""


@pytest.fixture(scope="module")
def played(sealed_child: Sealed) -> Played:
    """One after the other, on one lab a network."""
    loaded = [incident.load(name) for name in distinct()]

    def live() -> Played:
        results: Played = {}
        for network in (loaded[0].network, next(one.network for one in loaded if one.network != loaded[0].network)):
            with Lab(network) as lab:
                with_listeners(lab)
                results |= {one.name: play(lab, one) for one in loaded if one.network == network}
        return results

    return sealed_child(live)


def play(lab: Lab, told: Incident) -> tuple[Any, ...]:
    places = {*told.break_steps, *told.heal_steps}
    before = kernel_state(lab, places)
    lab.run(told.break_steps)
    broken = outcomes(lab)
    lab.run(told.heal_steps)
    return broken, outcomes(lab), before, kernel_state(lab, places)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", distinct())
def test_the_kernels_own_connect_fares_as_the_story_says_and_the_heal_undoes_it(name: str, played: Played) -> None:
    broken, healed, before, after = played[name]
    expected = dict.fromkeys(broken, "connects") | CHANGES[name]
    assert set(CHANGES[name]) <= set(broken)
    assert {call: how for call, how in broken.items() if how not in expected[call].split(" or ")} == {}
    assert healed == dict.fromkeys(broken, "connects")
    assert after == before


def test_node19_gets_the_reply_and_says_so_after_three_seconds_unless_it_blackholes(sealed_child: Sealed) -> None:
    told, silent = incident.load("incident"), incident.load("incident-blackhole")

    def live() -> tuple[Any, ...]:
        with Lab(told.network) as lab, Lab(silent.network) as other:
            lab.run(told.break_steps)
            other.run(silent.break_steps)
            witnesses = tap(lab, "node19"), tap(other, "node19")
            errors, none = icmp_errors(lab, "ingress"), icmp_errors(other, "ingress")
            began = time.monotonic()
            dial(lab, [("firewall", *INGRESS)])
            dial(other, [("firewall", *INGRESS)])
            packet, sender = errors.recvfrom(2048)
            seconds = time.monotonic() - began
            none.settimeout(0.7)  # the other lab began at most half a second later
            with pytest.raises(TimeoutError):
                none.recvfrom(2048)
            return [frames(one, 0.05) for one in witnesses], packet[20:22], sender[0], seconds

    seen, kind, sender, seconds = sealed_child(live)
    for one in seen:
        assert ("10.4.76.34", "10.19.0.4", 63, 0) in one  # PACKET_HOST: sent to it, not flooded
    assert (kind, sender) == (b"\x03\x01", "10.224.0.23")  # host unreachable
    assert 2.5 < seconds < 3.9


def test_a_detour_costs_the_reply_one_hop(sealed_child: Sealed) -> None:
    told = incident.load("detour")

    def live() -> list[set[int]]:
        with Lab(told.network) as lab:
            ttls = []
            for steps in ({}, told.break_steps, told.heal_steps):
                lab.run(steps)
                arriving = tap(lab, "firewall")
                dial(lab, [("firewall", *INGRESS)])
                ttls.append({ttl for source, _, ttl, _ in frames(arriving, 0.1) if source == "10.4.76.34"})
            return ttls

    assert sealed_child(live) == [{62}, {61}, {62}]


def test_a_rejected_reply_is_told_to_the_pod_as_administratively_prohibited(sealed_child: Sealed) -> None:
    told = incident.load("return-reject")

    def live() -> tuple[bytes, str]:
        with Lab(told.network) as lab:
            lab.run(told.break_steps)
            errors = icmp_errors(lab, "ingress")
            dial(lab, [("firewall", *INGRESS)])
            packet, sender = errors.recvfrom(2048)
            return packet[20:22], sender[0]

    assert sealed_child(live) == (b"\x03\x0d", "10.224.0.1")


def test_a_bystander_in_the_node_subnet_sees_nothing_that_was_not_sent_to_it(sealed_child: Sealed) -> None:
    told = incident.load("healthy")

    def live() -> list[Any]:
        with Lab(told.network) as lab:
            bystander = tap(lab, "vm")
            dial(lab, [("firewall", *INGRESS), ("remote", *POD2), ("node2", *INGRESS)])
            return frames(bystander, 0.2)

    assert sealed_child(live) == []


def test_the_labs_own_targets_are_the_repositorys_and_every_expectation_is_about_a_cell_that_is_probed() -> None:
    for name in incident.names():
        told = incident.load(name)
        known = targets.parse(told.targets_text(), name)
        cells = {(source, target) for probe in known.probes for source in probe.sources for target in probe.targets}
        asked = {(source, target) for one in told.expect for source in one.source for target in one.target}
        assert asked <= cells, name
        assert {agent.name for agent in known.agents} == set(told.network.agents)
