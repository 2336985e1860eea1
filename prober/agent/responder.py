"""A real kernel listener on the agent's own addresses, so that other agents can probe this host.

The kernel answers the SYN; a connection that somebody finishes is accepted and closed at once.
"""

from __future__ import annotations

import ipaddress
import socket
from contextlib import ExitStack

BACKLOG = 1024


class Responder:
    """One listening socket an address. Non-blocking: `serve` is called by the agent's loop.

    Raises OSError, with nothing left open, where one of the addresses can't be listened on.
    """

    def __init__(self, addresses: list[str], port: int) -> None:
        self.key = (tuple(addresses), port)
        self.sockets = listening(addresses, port)

    def serve(self) -> None:
        """Accept and close whatever has connected; what the kernel can't hand over now waits for the next turn."""
        for listener in self.sockets:
            for _ in range(BACKLOG):
                try:
                    connection, _ = listener.accept()
                except ConnectionAbortedError:
                    continue  # it was reset meanwhile (accept(2))
                except OSError:
                    break  # nothing waits, or no descriptor or memory is left for now
                connection.close()

    def close(self) -> None:
        for listener in self.sockets:
            listener.close()


def listening(addresses: list[str], port: int) -> list[socket.socket]:
    """One listening socket an address, non-blocking. Raises OSError, with nothing left open."""
    with ExitStack() as opened:
        sockets = [opened.enter_context(_listen(address, port)) for address in addresses]
        opened.pop_all()
    return sockets


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener
