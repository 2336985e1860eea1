"""The parts of ``targets.yaml`` held against each other: names that exist, addresses in their zone and in policy.

Each check takes the `Sheet` of what was read and notes mistakes in its log. A field that already has a mistake
is missing from its item, and every check then keeps quiet about it: one fault is told once.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Collection
from typing import Any

from prober import rotation
from prober.address import Address
from prober.declared import ALL, Probe, forbidden
from prober.document import Node
from prober.fields import Item, nearest
from prober.scalars import span
from prober.sheet import Sheet


def check(sheet: Sheet) -> None:
    """Note every mistake that shows only when the parts are held together."""
    for sections in (("zones",), ("agents", "targets"), ("objectives",), ("pools",)):
        _unique(sheet, sections)
    if not {"zones", "agents"} <= sheet.root.values.keys():
        return  # every name would be unknown; that they are missing is told already
    _groups(sheet)
    _agents(sheet)
    _targets(sheet)
    _doors(sheet)
    _relays(sheet)
    _probes(sheet)
    _objectives(sheet)
    _pools(sheet)
    _turns(sheet)


def _unique(sheet: Sheet, sections: tuple[str, ...]) -> None:
    first: dict[str, Node] = {}
    for item in [item for section in sections for item in sheet.section(section)]:
        name, here = item.values.get("name"), item.at("name")
        if name == ALL:
            sheet.log.add(here, "all stands for every agent or target", "give it another name")
        elif name in first:
            there = first[name]
            what = f"{name} is named twice, first at line {there.line} ({there.path})"
            sheet.log.add(here, what, "give one of them another name")
        elif name is not None:
            first[name] = here


def _refer(sheet: Sheet, node: Node, name: str, known: Collection[str], what: str) -> bool:
    """Note `name` when it is not among `known`; the message lists what exists."""
    if name in known:
        return True
    right = nearest(name, known)
    listed = f" {what}s: {', '.join(list(known)[:20])}" if known and right.startswith("did") else ""
    sheet.log.add(node, f"there is no {what} {name}", right + listed)
    return False


def _groups(sheet: Sheet) -> None:
    names, told = sheet.names, set[frozenset[str]]()
    for name, item in sheet.groups.items():
        if name == ALL or name in {*names.zones, *names.agents, *names.targets}:
            sheet.log.add(
                item.node, f"{name} is already a name", "give the group another name", item.at("members").path
            )
        members: tuple[str, ...] = item.values.get("members", ())
        for node, member in zip(item.each("members"), members, strict=False):
            _refer(sheet, node, member, list(names.known()), "name")
        circle = _circle(name, names.groups)
        if circle and frozenset(circle) not in told:
            told.add(frozenset(circle))
            what = f"the group holds itself: {' > '.join(circle)}"
            sheet.log.add(item.node, what, "remove one of them", item.at("members").path)


def _circle(start: str, groups: Any) -> list[str] | None:
    """The way from a group back to itself, if there is one."""
    ways, seen = [[start]], set[str]()
    while ways:
        way = ways.pop()
        for member in groups.get(way[-1], ()):
            if member == start:
                return [*way, start]
            if member in groups and member not in seen:
                seen.add(member)
                ways.append([*way, member])
    return None


def _agents(sheet: Sheet) -> None:
    first: dict[Address, Node] = {}
    for item in sheet.section("agents"):
        _in_zone(sheet, item, item.each("addresses"), item.values.get("addresses", ()))
        for node, address in zip(item.each("addresses"), item.values.get("addresses", ()), strict=False):
            if address in first:
                what = f"{address} is an address of two agents, first at line {first[address].line}"
                sheet.log.add(node, what, "an address stands on one host")
            first.setdefault(address, node)
        if item.values.get("listen") and item.values.get("addresses"):
            _allowed(sheet, item.each("addresses")[0], item.values["addresses"][0], item.values["listen"])


def _targets(sheet: Sheet) -> None:
    known = sheet.names.targets
    for item in sheet.section("targets"):
        values = item.values
        if "address" in values and "hostname" in values and (values["address"] is None) == (values["hostname"] is None):
            both = "address and hostname are both written" if values["address"] else "address or hostname is missing"
            sheet.log.add(item.node, both, "write one of them")
        address = values.get("address")
        _in_zone(sheet, item, [item.at("address")], (address,) if address else ())
        if address is not None:
            _allowed(sheet, item.at("address"), address, values.get("port"))
        elif values.get("hostname") and values.get("port") and sheet.policy_reads:
            _port_allowed(sheet, item.at("port"), values["port"])
        for node, name in zip(item.each("backends"), values.get("backends", ()), strict=False):
            if _refer(sheet, node, name, known, "target") and name == values.get("name"):
                sheet.log.add(node, f"{name} stands behind itself", "name the targets it forwards to")


def _doors(sheet: Sheet) -> None:
    """An address and port are one target: of two names for it nobody could say which one a probe was for."""
    first: dict[tuple[Address, int], tuple[str, Node]] = {}
    listening = [
        (item.each("addresses")[0], item.values["addresses"][0], item.values["listen"], item)
        for item in sheet.section("agents")
        if item.values.get("listen") and item.values.get("addresses")
    ]
    dialled = [
        (item.at("address"), item.values["address"], item.values["port"], item)
        for item in sheet.section("targets")
        if item.values.get("address") and item.values.get("port")
    ]
    for node, address, port, item in listening + dialled:
        name, there = first.setdefault((address, port), (item.values.get("name", ""), node))
        if there is not node:
            what = f"{address} port {port} is already the target {name}, at line {there.line}"
            sheet.log.add(node, what, "keep one of the two names; a group gives a second one")


def _relays(sheet: Sheet) -> None:
    """A relay needs a port of its own: two programs can't listen on one, and the probes' own ports answer nothing."""
    dialled = {
        (item.values["address"], item.values["port"]): item.values.get("name", "")
        for item in sheet.section("targets")
        if item.values.get("address") and item.values.get("port")
    }
    for item in sheet.section("agents"):
        port, here = item.values.get("relay"), item.at("relay")
        if not port:
            continue
        from prober.probe import PORTS  # with numpy, which takes as long as all the rest that reads a document

        taken = (dialled[one, port] for one in item.values.get("addresses", ()) if (one, port) in dialled)
        if port == item.values.get("listen"):
            sheet.log.add(here, f"port {port} is its listen too", "give the relay a port of its own")
        elif port in PORTS:
            sheet.log.add(here, f"port {port} is a source port of probes", f"write one below {min(PORTS)}")
        elif (target := next(taken, None)) is not None:
            sheet.log.add(here, f"port {port} is that of target {target}", "give the relay a port of its own")


def _in_zone(sheet: Sheet, item: Item, places: list[Node], addresses: tuple[Address, ...]) -> None:
    zone = item.values.get("zone")
    if zone is None or not _refer(sheet, item.at("zone"), zone, sheet.names.zones, "zone"):
        return
    networks = sheet.networks.get(zone)
    if addresses and networks and not any(one in net for one in addresses for net in networks):
        what = f"{addresses[0]} is not in zone {zone} ({', '.join(map(str, networks[:6]))})"
        sheet.log.add(places[0], what, "write an address of that zone, or name another zone")


def _allowed(sheet: Sheet, node: Node, address: Address, port: int | None) -> None:
    why = forbidden(address) or _broadcast(sheet, address)
    if why:
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        right = f"write {mapped}" if mapped else "write the address of a host; such addresses are never probed"
        sheet.log.add(node, f"{address} {why}", right)
    elif port and sheet.policy_reads and not sheet.policy.permits(address, port):
        entry = f"{{network: {ipaddress.ip_network(address)}, ports: [{port}]}}"
        sheet.log.add(
            node, f"{address} port {port} is outside policy", f"add {entry} to policy.allow if it may be probed"
        )


def _port_allowed(sheet: Sheet, node: Node, port: int) -> None:
    if not any(port in ports for one in sheet.policy.allow for ports in one.ports):
        sheet.log.add(node, f"port {port} is outside policy", "allow it in policy.allow if it may be probed")


def _broadcast(sheet: Sheet, address: Address) -> str | None:
    """Pods and services are routed, their networks have no broadcast address; a subnet of hosts has (RFC 919)."""
    for item in sheet.section("zones"):
        for net in item.values.get("cidrs", ()) if item.values.get("kind") not in ("pods", "services") else ():
            if net.version == 4 and net.prefixlen < 31 and net.broadcast_address == address:
                return f"is the broadcast address of {net}"
    return None


def _sides(sheet: Sheet, item: Item) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The agents and targets that an item's from and to mean; notes the names that mean none."""
    _meant(sheet, item, "from", sheet.sources, "agent")
    _meant(sheet, item, "to", sheet.destinations, "target")
    names, values = sheet.names, item.values
    return names.expand(values.get("from", ()), names.agents), names.expand(values.get("to", ()), names.targets)


def _meant(sheet: Sheet, item: Item, key: str, usable: set[str], what: str) -> None:
    for node, name in zip(item.each(key), item.values.get(key, ()), strict=False):
        if name in usable:
            continue
        known = [one for one in sheet.names.known() if one in usable]
        if name in sheet.names.known():
            if usable:  # else the section is empty, and every probe would say so
                sheet.log.add(node, f"{name} means no {what}", f"write one of {', '.join(known[:20])}")
        else:
            _refer(sheet, node, name, known, "name")


def _probes(sheet: Sheet) -> None:
    cap = sheet.policy.syns_per_second
    for item in sheet.section("probes"):
        _sides(sheet, item)
        values = item.values
        if not {"every", "timeout", "attempts", "flows"} <= values.keys():
            continue
        needed = values["timeout"] * values["attempts"]
        if needed > values["every"]:
            what = f"{values['attempts']} × {span(values['timeout'])} does not fit into every {span(values['every'])}"
            sheet.log.add(item.at("every"), what, f"write every: {span(needed)} or more")
        rate = values["flows"] / values["every"]
        if rate > cap:
            what = f"{rate:g} SYNs a second from an agent to a target, policy.syns_per_second is {cap:g}"
            sheet.log.add(item.at("every"), what, "probe less often, or raise the cap")


def _turns(sheet: Sheet) -> None:
    """Whether the probes can be asked in turns, where the policy wants that."""
    limit, names, probes = sheet.policy.max_packets_per_second, sheet.names, list[Probe]()
    if math.isinf(limit) or sheet.log.mistakes:
        return
    for item in sheet.section("probes"):
        told = item.values
        sides = names.expand(told["from"], names.agents), names.expand(told["to"], names.targets)
        probes.append(Probe(*sides, told["every"], told["flows"], told["timeout"], told["attempts"]))
    if why := rotation.impossible(rotation.blocks(names.agents, probes), limit):
        sheet.log.add(sheet.root.values["policy"].at("max_packets_per_second"), why, "allow more, or probe less often")


def _objectives(sheet: Sheet) -> None:
    probed = set[tuple[str, str]]()
    sections = ("zones", "agents", "targets", "groups", "probes")
    doubtful = any(mistake.path.startswith(sections) for mistake in sheet.log.mistakes)
    names = sheet.names
    for item in sheet.section("probes"):
        sources, targets = (item.values.get(key, (ALL,)) for key in ("from", "to"))
        probed |= {(s, t) for s in names.expand(sources, names.agents) for t in names.expand(targets, names.targets)}
    for item in sheet.section("objectives"):
        sources, targets = _sides(sheet, item)
        silent = not any((one, other) in probed for one in sources for other in targets if one != other)
        if silent and sources and targets and not doubtful:
            sheet.log.add(item.node, "no probe asks any of its pairs", "add a probe from and to them, or remove it")


def _pools(sheet: Sheet) -> None:
    for item in sheet.section("pools"):
        mask, kind = item.values.get("mask", 0), item.values.get("kind")
        if mask is None and kind == "cilium-cluster-pool":
            what = "mask is missing"
            sheet.log.add(item.node, what, "write mask: the prefix length of a node's block, such as 24")
        for node, net in zip(item.each("cidrs"), item.values.get("cidrs", ()), strict=False):
            if mask and not net.prefixlen <= mask <= net.max_prefixlen:
                what = f"mask {mask} cuts no block out of {net}"
                sheet.log.add(node, what, f"write a mask from {net.prefixlen} to {net.max_prefixlen}")
