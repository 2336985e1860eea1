"""One message there and one back over TCP, each behind its length (4 bytes, big-endian), each within a bounded time.

A message has `patience` seconds and one more for every `A_SECOND` bytes of it. Whatever goes wrong is an OSError: the
other end says less than it announced, announces more than it may, or takes longer.
"""

from __future__ import annotations

import socket
import struct
import time

HEAD = struct.Struct("!I")
CHUNK = 65_536
A_SECOND = 1024 * 1024


def tell(connection: socket.socket, message: bytes, patience: float) -> None:
    """Sends one message whole."""
    connection.settimeout(patience + len(message) / A_SECOND)  # for all of it, not for each part: socket.sendall
    connection.sendall(HEAD.pack(len(message)) + message)


def hear(connection: socket.socket, most: int, patience: float) -> bytes:
    """One message of `most` bytes; a longer one is refused before it is read."""
    until = time.monotonic() + patience
    (size,) = HEAD.unpack(_exactly(connection, HEAD.size, until))
    if size > most:
        raise ConnectionError(f"{size} bytes are announced, {most} are the most")
    return _exactly(connection, size, until + size / A_SECOND)


def _exactly(connection: socket.socket, size: int, until: float) -> bytes:
    heard = bytearray()
    while len(heard) < size:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"{len(heard)} of {size} bytes came in time")
        connection.settimeout(left)
        piece = connection.recv(min(CHUNK, size - len(heard)))
        if not piece:
            raise ConnectionError(f"the connection ended after {len(heard)} of {size} bytes")
        heard += piece
    return bytes(heard)
