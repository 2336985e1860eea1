"""The agent's own last word on what may be probed: the plan's policy, and a few ranges that no plan can open."""

from __future__ import annotations

import ipaddress

from prober.probe import PORTS
from prober.report import Plan, Task

MOST_FLOWS = 64
MOST_ATTEMPTS = 10
LONGEST = 86_400.0
KEY_BYTES = 16
MOST_HANDED = 4
"""SYNs of one task that are handed to a neighbour, past this host's routes."""


def refusal(plan: Plan, address: str, port: int) -> str | None:
    """Why this address and port may not be probed, or None where they may.

    Loopback, link-local, multicast, unspecified and broadcast addresses are never probed, whatever the plan allows.
    """
    try:
        target = ipaddress.ip_address(address)
    except ValueError:
        return f"{address[:80]!r} is no address"
    mapped = isinstance(target, ipaddress.IPv6Address) and target.ipv4_mapped is not None
    if target.is_loopback or target.is_link_local or target.is_multicast or target.is_unspecified or mapped:
        return f"{address} is an address that is never probed"
    if target == ipaddress.ip_address("255.255.255.255"):
        return f"{address} is the broadcast address"
    if not 1 <= port <= 65535:
        return f"{port} is not a TCP port"
    for network, first, last in plan.allow:
        if first <= port <= last and target in ipaddress.ip_network(network):
            return None
    return f"{address} port {port} is outside the policy"


def permitted(plan: Plan, address: str, port: int) -> bool:
    """True where this address and port may be probed."""
    return refusal(plan, address, port) is None


def task_refusal(plan: Plan | None, task: Task) -> str | None:
    """Why this task is not done, or None: there is a plan, its policy allows the target, and the numbers make sense."""
    if plan is None:
        return "there is no plan, so nothing says what is allowed"
    if not 1 <= task.flows <= MOST_FLOWS:
        return f"{task.flows} flows; 1 to {MOST_FLOWS} make sense"
    if not (0 <= task.every <= LONGEST and 0 < task.timeout <= 60):
        return f"every {task.every} s with a timeout of {task.timeout} s makes no sense"
    if not (1 <= task.attempts <= MOST_ATTEMPTS and 0 <= task.spread <= 60):
        return f"{task.attempts} attempts spread over {task.spread} s make no sense"
    if not task.phase <= LONGEST:
        return f"a moment {task.phase} s into its period makes no sense"
    if not 1 <= task.ttl <= 64:
        return f"a TTL of {task.ttl}; 1 to 64 make sense"
    if not set(task.ports) <= set(PORTS):
        return "its source ports are not the fleet's"
    if task.via and (why := _handing_refusal(plan, task)):
        return why
    return refusal(plan, task.address, task.port)


def _handing_refusal(plan: Plan, task: Task) -> str | None:
    """Why nothing may be handed to this neighbour: only what policy lets be probed on some port is one, and only once,
    few at a time."""
    if task.every or task.flows * task.attempts > MOST_HANDED:
        return f"more than {MOST_HANDED} SYNs by way of a neighbour make no sense"
    ports = [first for _, first, _ in plan.allow]
    refused = [why for port in ports if (why := refusal(plan, task.via, port)) is not None]
    return None if len(refused) < len(ports) else f"by way of {task.via}: {refused[0] if refused else 'no policy'}"


def unsound(plan: Plan) -> str | None:
    """Why this plan can't be followed at all, or None."""
    if not plan.keys or any(len(key) != KEY_BYTES for key in plan.keys):
        return f"it has no key of {KEY_BYTES} bytes"
    if not (0 < plan.syns_per_second <= 1000 and 0 < plan.expires_after <= LONGEST):
        return f"{plan.syns_per_second} SYNs a second for {plan.expires_after} s make no sense"
    if not (0 <= plan.listen <= 65535 and 0 <= plan.number < 4096):
        return f"port {plan.listen} or number {plan.number} does not fit"
    if not 0 <= plan.relay <= 65535 or any(not 1 <= port <= 65535 for _, _, port in plan.relays):
        return "a port of its relays does not fit"
    try:
        for address in (*plan.addresses, *(one[1] for one in plan.relays)):
            ipaddress.ip_address(address)
        for network in (*plan.pods, *(one[0] for one in plan.allow)):
            ipaddress.ip_network(network)
    except ValueError as error:
        return str(error)
    return None
