"""A PostgreSQL that can hang: a socket before the server's own, connected and through which nothing comes.

What a stopped server, a frozen disk and a network that drops all look like from here.
"""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = ".s.PGSQL.5432"


class Hanging:
    """``url`` leads through it. While ``flows`` is not set it hangs."""

    def __init__(self, url: str, folder: str) -> None:
        before, _, server = url.partition("?host=")
        self.url, self.server = f"{before}?host={folder}", f"{server}/{NAME}"
        self.flows = threading.Event()
        self.flows.set()
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(f"{folder}/{NAME}")
        self.listening.listen()
        self.ends: list[socket.socket] = [self.listening]
        self._thread(self._accept)

    def _thread(self, *work: object) -> None:
        threading.Thread(target=work[0], args=work[1:], daemon=True).start()  # type: ignore[arg-type]

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, server = self.listening.accept()[0], socket.socket(socket.AF_UNIX)
                server.connect(self.server)
                self.ends += client, server
                self._thread(self._pump, client, server)
                self._thread(self._pump, server, client)

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                self.flows.wait()
                other.sendall(data)
        _end(one, other)


def _end(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextmanager
def hanging(url: str) -> Iterator[Hanging]:
    """Before the server of this URL, which names its socket's folder."""
    with tempfile.TemporaryDirectory(prefix="prober-pg-") as folder:
        between = Hanging(url, folder)
        try:
            yield between
        finally:
            between.flows.set()
            _end(*between.ends)
            Path(folder, NAME).unlink(missing_ok=True)
