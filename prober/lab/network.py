"""A lab's network as a value: subnets, hosts, pods, and the commands that shape them. Read from YAML or built in code.

Addresses and subnets may be one or several, so IPv4, IPv6 and both at once are the same document.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Address = Annotated[ipaddress.IPv4Address | ipaddress.IPv6Address, BeforeValidator(ipaddress.ip_address)]
Subnet = Annotated[ipaddress.IPv4Network | ipaddress.IPv6Network, BeforeValidator(ipaddress.ip_network)]

_PROGRAMS = ("ip", "bridge", "nft", "sysctl", "listen", "close")
_ESCAPE = re.compile(r"-\D.*|--.*|netns|exec|include")
"""Words that would lead a command out of its namespace or to a file: options (``-6`` is none) and these verbs."""

_MAX_PORT = 65535

FULL = "full"
"""``listen PORT full``: a listener whose accept queue is full, for nobody accepts from it."""

SWITCH = "switch"
"""The name of the namespace that holds the bridge of each subnet."""


def _many(value: object) -> object:
    """One value is a list of one."""
    return value if isinstance(value, list | tuple) else (value,)


def _command(text: str) -> str:
    """A command the lab may run: a known program, and nothing that leaves its namespace or reads a file."""
    try:
        words = shlex.split(text)
    except ValueError as mistake:
        raise ValueError(f"{text!r} cannot be split into words: {mistake}") from mistake
    if not words or words[0] not in _PROGRAMS:
        raise ValueError(f"{text!r} does not start with one of {', '.join(_PROGRAMS)}")
    escape = next((word for word in words[1:] if _ESCAPE.fullmatch(word)), None)
    if escape is not None:
        raise ValueError(f"{text!r} may not use {escape!r}: a command stays inside its own host")
    if words[0] == "sysctl" and not all(re.fullmatch(r"net[./][\w./-]+=.+", word) for word in words[1:] or [""]):
        raise ValueError(f"{text!r} is not of the form 'sysctl net.KEY=VALUE'")
    ports = words[1:-1] if words[0] == "listen" and words[-1] == FULL else words[1:]
    if words[0] in ("listen", "close") and not _is_port(ports):
        raise ValueError(f"{text!r} is not of the form '{words[0]} PORT' with a port from 1 to {_MAX_PORT}")
    return text


def _is_port(words: list[str]) -> bool:
    return len(words) == 1 and words[0].isdecimal() and 1 <= int(words[0]) <= _MAX_PORT


Item = TypeVar("Item")
Many = Annotated[tuple[Item, ...], BeforeValidator(_many)]
Command = Annotated[str, AfterValidator(_command)]
Commands = Many[Command]
Port = Annotated[int, Field(ge=1, le=_MAX_PORT, strict=True)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
Steps = dict[Name, Commands]
"""What to run where: host or pod -> commands, in the order written."""


class Value(BaseModel):
    """Frozen, and an unknown key is a mistake."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Pod(Value):
    """A namespace behind a node, joined to it by a veth (``lxc…`` on the node), its address a /32 or /128."""

    address: Many[Address]
    listen: Many[Port] = ()
    setup: Commands = ()


class Host(Value):
    """A machine: an interface ``eth0``, ``eth1`` … for each entry of ``addresses`` (subnet -> addresses), in order."""

    addresses: dict[Name, Many[Address]]
    gateway: Many[Address] = ()
    router: bool = False
    listen: Many[Port] = ()
    pods: dict[Name, Pod] = Field(default_factory=dict)
    setup: Commands = ()


class Network(Value):
    """Everything a lab is built from; ``targets`` is the whole ``targets.yaml`` document for it, as plain values."""

    subnets: dict[Name, Many[Subnet]]
    hosts: dict[Name, Host]
    agents: Many[Name] = ()
    targets: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Network:
        mistake = next(self._mistakes(), None)
        if mistake is not None:
            raise ValueError(mistake)
        return self

    def places(self) -> tuple[str, ...]:
        """Every namespace's name: hosts, each followed by its pods."""
        return tuple(name for host, one in self.hosts.items() for name in (host, *one.pods))

    def _mistakes(self) -> Iterator[str]:
        """What no single field can know."""
        twice = [name for name, count in Counter(self.places()).items() if count > 1]
        if twice:
            yield f"{twice[0]!r} names two hosts or pods; each needs a name of its own"
        if SWITCH in self.places():
            yield f"{SWITCH!r} is the lab's own name for what joins a subnet's hosts; choose another"
        for agent in self.agents:
            if agent not in self.places():
                yield f"agent {agent!r} is not a host; there are: {', '.join(self.places())}"
        for name, host in self.hosts.items():
            yield from self._host_mistakes(name, host)

    def _host_mistakes(self, name: str, host: Host) -> Iterator[str]:
        for subnet, addresses in host.addresses.items():
            if subnet not in self.subnets:
                yield f"host {name!r} is in subnet {subnet!r}, which is not declared under subnets"
                continue
            for address in addresses:
                if not any(address in one for one in self.subnets[subnet]):
                    yield f"host {name!r}: {address} is not in subnet {subnet!r} ({_joined(self.subnets[subnet])})"
        reachable = [one for subnet in host.addresses for one in self.subnets.get(subnet, ())]
        for gateway in host.gateway:
            if not any(gateway in one for one in reachable):
                yield f"host {name!r}: its gateway {gateway} is in none of its subnets ({_joined(reachable)})"


def _joined(values: Any) -> str:
    return ", ".join(str(value) for value in values)
