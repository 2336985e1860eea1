"""Keep this host's kernel silent about the probes' source ports.

The kernel answers a SYN-ACK that no socket of its own asked for with an RST, which would close the probe's
handshake before the prober has read it. A *listening* socket with ``IP_MINTTL`` (IPv6: ``IPV6_MINHOPCOUNT``) 255
swallows whatever travelled at least one hop (tcp_v4_rcv, net/ipv4/tcp_ipv4.c; ip(7)); it needs no capability and
reserves the port. `TcpExtTCPMinTTLDrop` then counts the answers that passed this host's INPUT chain.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from prober.address import Address
from prober.errors import CannotMeasure
from prober.probe import PORTS

_IP_MINTTL, _IPV6_MINHOPCOUNT = 21, 73  # linux/in.h, linux/in6.h
_WILDCARDS = ("0.0.0.0", "::")
_ABSENT = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)
"""The host lacks this family or this address, which is no port's fault."""


class Mute:
    """Holds the probes' source ports on each address (both wildcards if none is given) until `close`.

    ``ports`` are those held on every address; ``taken`` says why each of the others could not be had, ``absent``
    which addresses this host does not have. Raises CannotMeasure where no port is left.
    """

    def __init__(self, addresses: Iterable[Address | str] = (), ports: Iterable[int] = PORTS) -> None:
        self.taken: dict[int, str] = {}
        self.absent: dict[str, str] = {}
        self._sockets: list[socket.socket] = []
        wanted = tuple(str(one) for one in addresses) or _WILDCARDS
        held = [port for port in ports if self._hold(wanted, port)]
        self.ports: tuple[int, ...] = tuple(held)
        if not held:
            reason = next(iter([*self.taken.values(), *self.absent.values()]), "no ports were given")
            raise CannotMeasure(
                f"No source port for probes could be reserved on {', '.join(wanted)} ({reason}); is another agent "
                "running on this host? One is enough for it: `addresses` in targets.yaml may list several"
            )

    def _hold(self, addresses: tuple[str, ...], port: int) -> bool:
        """Reserve one port on every address this host has, or on none."""
        sockets: list[socket.socket] = []
        for address in addresses:
            try:
                sockets.append(_silent(address, port))
            except OSError as failure:
                if failure.errno in _ABSENT:
                    self.absent[address] = f"{address}: {os.strerror(failure.errno)}"
                    continue
                self.taken[port] = f"port {port} on {address}: {os.strerror(failure.errno or 0)}"
                for sock in sockets:
                    sock.close()
                return False
        self._sockets += sockets
        return bool(sockets)

    def close(self) -> None:
        """Let the ports go. Answers are retransmitted for a minute: do it no sooner after the last probe."""
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _silent(address: str, port: int) -> socket.socket:
    """A listener nobody from afar can reach. The hop limit is set first, so that there is no open moment."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MINHOPCOUNT, 255)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, 255)
        sock.bind((address, port))
        sock.listen(1)
    except OSError:
        sock.close()
        raise
    return sock
