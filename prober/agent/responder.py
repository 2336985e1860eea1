"""A real kernel listener on the agent's own addresses, so that other agents can probe this host.

The kernel answers the SYN; a connection that somebody finishes is accepted and closed at once.
"""

from __future__ import annotations

import ipaddress
import socket

BACKLOG = 1024


class Responder:
    """One listening socket an address. Non-blocking: `serve` is called by the agent's loop.

    Raises OSError, with nothing left open, where one of the addresses can't be listened on.
    """

    def __init__(self, addresses: list[str], port: int) -> None:
        self.key = (tuple(addresses), port)
        self.sockets: list[socket.socket] = []
        try:
            for address in addresses:
                self.sockets.append(_listen(address, port))
        except OSError:
            self.close()
            raise

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
