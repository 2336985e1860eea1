"""Build a Network on the real kernel: one anonymous namespace a host and a pod, one more for all the switches.

The switch namespace holds a bridge for each subnet and no address. Every MAC address is known when the lab is
built, so each bridge has static forwarding entries and floods no unicast: a tap sees only what was sent to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from types import TracebackType
from typing import Self

from prober.errors import ProberError
from prober.lab import closed, commands, namespaces
from prober.lab.network import SWITCH, Address, Host, Network, Pod
from prober.lab.processes import Children, full_listener, listener

_POD_GATEWAY = {4: "169.254.1.1", 6: "fe80::1"}  # Calico's: the same for every pod, answered by the node's veth

_QUIET = {
    **{f"net.ipv4.conf.{which}.rp_filter": "0" for which in ("all", "default")},
    # A cloud's routers send no redirects, and a host that learnt one would heal a detour by itself.
    **{f"net.ipv4.conf.{which}.{way}_redirects": "0" for which in ("all", "default") for way in ("send", "accept")},
    **{f"net.ipv6.conf.{which}.accept_ra": "0" for which in ("all", "default")},
    "net.ipv6.conf.default.addr_gen_mode": "1",
    "net.ipv6.conf.default.router_solicitations": "0",
}
_ROUTER = {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"}


class Lab:
    """A running network; a context manager. ``close()`` ends every child, and with the last one all is gone.

    Children are killed by the kernel when the thread that forked them ends: fork from one that lives as long
    as the lab does, such as the main thread.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.namespaces: dict[str, int] = {}
        self.children = Children()
        self._listeners: dict[tuple[str, int], list[int]] = {}

    def __enter__(self) -> Self:
        try:
            self._build()
            closed.assert_closed(self.namespaces)
            self._listen_everywhere()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every child and let go of the namespaces; harmless when done twice."""
        self.children.end_all()
        self._listeners.clear()
        while self.namespaces:
            os.close(self.namespaces.popitem()[1])

    def enter(self, place: str) -> None:
        """Move the calling thread (in a forked child: the process) into a host's or pod's namespace."""
        namespaces.join(self._namespace(place))

    def fork(self, place: str, function: Callable[[], int | None]) -> int:
        """Run `function` in a child inside `place`; answers its pid. Its exit code is what `function` returns (0)."""
        namespace = self._namespace(place)

        def run() -> int | None:
            namespaces.join(namespace)
            return function()

        return self.children.fork(run)

    def end(self, pid: int) -> None:
        """Kill one child and wait for it."""
        self.children.end(pid)

    def run(self, steps: Mapping[str, Sequence[str]]) -> None:
        """Run ``break`` or ``heal`` steps, place by place, in order; CommandFailed at the first that fails."""
        for place, several in steps.items():
            for command in several:
                self._run(place, command)
        closed.assert_closed(self.namespaces)

    def listen(self, place: str, address: Address | str, port: int, full: bool = False) -> None:
        """A real kernel listener at `place`, in a child that accepts and closes, or, `full`, never accepts."""
        opened = full_listener if full else listener
        pid = self.children.fork(opened(self._namespace(place), str(address), port))
        self._listeners.setdefault((place, port), []).append(pid)

    def unlisten(self, place: str, port: int) -> None:
        """Close what `listen` opened: the port then answers RST."""
        pids = self._listeners.pop((place, port), [])
        if not pids:
            raise ProberError(f"Nothing listens on port {port} of {place}, so it cannot be closed.")
        for pid in pids:
            self.children.end(pid)

    def _namespace(self, place: str) -> int:
        if place not in self.namespaces:
            raise ProberError(f"{place!r} is no host or pod of this lab; there are: {', '.join(self.network.places())}")
        return self.namespaces[place]

    def _run(self, place: str, command: str) -> None:
        program, _, rest = command.partition(" ")
        if program == "listen":
            port, _, full = rest.partition(" ")
            for address in self._addresses(place):
                self.listen(place, address, int(port), bool(full))
        elif program == "close":
            self.unlisten(place, int(rest))
        else:
            commands.run(place, self._namespace(place), command)

    def _addresses(self, place: str) -> tuple[Address, ...]:
        host = self.network.hosts.get(place)
        if host is not None:
            return tuple(address for several in host.addresses.values() for address in several)
        return next(one.pods[place].address for one in self.network.hosts.values() if place in one.pods)

    def _build(self) -> None:
        for name in (SWITCH, *self.network.places()):
            self.namespaces[name] = namespaces.anonymous()
            commands.sysctl(name, self.namespaces[name], _QUIET)
        self._switches()
        for index, (name, host) in enumerate(self.network.hosts.items()):
            self._host(name, host)
            for number, (pod_name, pod) in enumerate(host.pods.items()):
                self._pod(name, pod_name, pod, index * 16 + number)
        for name, host in self.network.hosts.items():  # commands last: they may speak of any device
            for place, several in ((name, host.setup), *((pod, one.setup) for pod, one in host.pods.items())):
                for command in several:
                    self._run(place, command)

    def _switches(self) -> None:
        """A bridge for each subnet, and a veth from it to each host in it."""
        commands.sysctl(SWITCH, self.namespaces[SWITCH], {"net.ipv6.conf.default.disable_ipv6": "1"})
        bridges = {subnet: f"sw{index}" for index, subnet in enumerate(self.network.subnets)}
        links = [
            line for name in bridges.values() for line in (f"link add name {name} type bridge", f"link set {name} up")
        ]
        forwarding = []
        for index, (name, host) in enumerate(self.network.hosts.items()):
            for number, (subnet, addresses) in enumerate(host.addresses.items()):
                port, mac = f"p{index}.{number}", _mac(0x02, index, addresses[0])
                peer = f"peer name eth{number} address {mac} netns /proc/self/fd/{self.namespaces[name]}"
                links += [
                    f"link add name {port} type veth {peer}",
                    f"link set {port} master {bridges[subnet]}",
                    f"link set {port} type bridge_slave flood off",
                    f"link set {port} up",
                ]
                forwarding.append(f"fdb replace {mac} dev {port} master static")
        commands.batch(SWITCH, self.namespaces[SWITCH], "ip", links, self.namespaces.values())
        commands.batch(SWITCH, self.namespaces[SWITCH], "bridge", forwarding)

    def _host(self, name: str, host: Host) -> None:
        """Addresses, the default route, the veths to its pods; it forwards if it is a router or has pods."""
        if host.router or host.pods:
            commands.sysctl(name, self.namespaces[name], _ROUTER)
        lines = ["link set lo up"]
        for number, (subnet, addresses) in enumerate(host.addresses.items()):
            lines += [f"link set eth{number} up"]
            for address in addresses:
                prefix = next(one.prefixlen for one in self.network.subnets[subnet] if address in one)
                lines += [f"addr add {one} dev eth{number}" for one in _assigned(address, prefix)]
        lines += [f"route add default via {gateway}" for gateway in host.gateway]
        commands.batch(name, self.namespaces[name], "ip", lines)

    def _pod(self, node: str, name: str, pod: Pod, index: int) -> None:
        """A veth pair between node and pod; the node routes the pod's address to it, the pod everything back."""
        device = f"lxc{name}"[:15]
        near, far = _mac(0x06, index, pod.address[0]), _mac(0x02, index, pod.address[0])
        peer = f"peer name eth0 address {far} netns /proc/self/fd/{self.namespaces[name]}"
        on_node = [f"link add name {device} address {near} type veth {peer}", f"link set {device} up"]
        if any(address.version == 6 for address in pod.address):
            on_node.append(f"addr add {_POD_GATEWAY[6]}/64 dev {device} nodad")
        on_node += [f"route add {address}/{address.max_prefixlen} dev {device}" for address in pod.address]
        commands.batch(node, self.namespaces[node], "ip", on_node, self.namespaces.values())
        on_pod = ["link set lo up", "link set eth0 up"]
        for address in pod.address:
            gateway = _POD_GATEWAY[address.version]
            on_pod += [
                f"addr add {_assigned(address, address.max_prefixlen)[0]} dev eth0",
                f"neigh replace {gateway} lladdr {near} dev eth0 nud permanent",
                f"route add {gateway} dev eth0 scope link",
                f"route add default via {gateway} dev eth0",
            ]
        commands.batch(name, self.namespaces[name], "ip", on_pod)

    def _listen_everywhere(self) -> None:
        for name, host in self.network.hosts.items():
            for place, ports in ((name, host.listen), *((pod, one.listen) for pod, one in host.pods.items())):
                for address in self._addresses(place) if ports else ():
                    for port in ports:
                        self.listen(place, address, port)


def _mac(first: int, index: int, address: Address) -> str:
    """A locally administered MAC that reads as the address it belongs to (last four bytes), unique by `index`."""
    return ":".join(f"{byte:02x}" for byte in (first, index & 0xFF, *address.packed[-4:]))


def _assigned(address: Address, prefix: int) -> tuple[str, ...]:
    """What ``ip addr add`` takes. IPv6 without the second of duplicate detection, and with a link-local address:
    a router asks for its neighbours from that one alone (net/ipv6/ndisc.c, ndisc_solicit)."""
    if isinstance(address, IPv4Address):
        return (f"{address}/{prefix}",)
    link_local = IPv6Address(0xFE80 << 112 | int(address) & 0xFFFF_FFFF_FFFF_FFFF)
    return f"{address}/{prefix} nodad", f"{link_local}/64 nodad"
