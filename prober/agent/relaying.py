"""For other agents: what they have for the controller is handed in here, unread, and its answer handed back.

Threads of its own, a client of its own and bounds of its own: nothing here keeps this agent's probing or its own
reports waiting, and while nobody asks one thread sleeps. Whose report it is, and whether it is whole, the controller
finds out (`prober.relay`). Where this agent's own way to the controller is broken nobody is kept waiting: whoever asks
goes on to the next peer.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable

from prober import logs, relay
from prober.agent import exchange
from prober.agent.line import UNREACHED, Line
from prober.agent.responder import listening

AT_ONCE = 4
"""Connections at a time; the next one is closed at once."""
PATIENCE = 2.0
"""Seconds for a bundle to come, and for an answer to go (`exchange`)."""
REST = 0.1
"""Seconds of rest where a connection could not be taken: no descriptor is left."""
ANSWER = 2.0
"""Seconds that a controller has for its answer (for each step of it)."""
RATE, BURST, LEAST = 4 * 1024 * 1024, 2 * relay.MOST, 64 * 1024
"""Bytes a second, and at once, that are handed in for others; a small bundle counts as `LEAST` bytes."""

_log = logs.get_logger("prober.relay")


class Relaying:
    """Listens on a port of these addresses until `close`. `https` makes the clients of the controllers; `reaches` says
    whether this agent's own reports arrive. Raises OSError, with nothing left open, where it can't listen."""

    def __init__(
        self, addresses: list[str], port: int, https: Callable[[], list[Line]], reaches: Callable[[], bool]
    ) -> None:
        self.key = (tuple(addresses), port)
        self.sockets = listening(addresses, port)
        self.make, self.reaches = https, reaches
        self._https: list[Line] = []
        self._lock, self._room = threading.Lock(), threading.BoundedSemaphore(AT_ONCE)
        self._purse, self._filled = float(BURST), time.monotonic()
        self._wake, self._woken = socket.socketpair()
        self.thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for one in (*self.sockets, self._woken):
                selector.register(one, selectors.EVENT_READ)
            while True:
                for found, _ in selector.select():
                    if found.fileobj is self._woken:
                        return
                    self._admit(found.fileobj)  # type: ignore[arg-type]  # these are sockets

    def _admit(self, listener: socket.socket) -> None:
        """A connection in a thread of its own, where there is room and this agent is of any use."""
        try:
            connection, _ = listener.accept()
        except OSError:  # it is gone again, or waits until there are descriptors
            time.sleep(REST)
            return
        if not self._room.acquire(blocking=False):
            connection.close()
        elif not (self.reaches() and self._pays(LEAST) and self._begin(connection)):
            self._room.release()
            connection.close()

    def _begin(self, connection: socket.socket) -> bool:
        try:
            threading.Thread(target=self._serve, args=(connection,), name="relayed", daemon=True).start()
        except RuntimeError as error:  # the host allows no more threads
            _log.warning("a connection could not be kept", why=str(error))
            return False
        return True

    def _serve(self, connection: socket.socket) -> None:
        """One bundle in, the controller's answer out."""
        try:
            with connection:
                bundle = exchange.hear(connection, relay.MOST, PATIENCE)
                if self._pays(max(0, len(bundle) - LEAST)):
                    exchange.tell(connection, self._hand_in(bundle), PATIENCE)
        except OSError as error:  # whoever asked was too slow, or is gone, and asks again
            _log.debug("a bundle was let go", why=str(error))
        except Exception:  # noqa: BLE001  # whatever it was, the next one is served
            _log.exception("a bundle could not be handed in")
        finally:
            self._room.release()

    def _hand_in(self, bundle: bytes) -> bytes:
        """What the controller answers; nothing where none can be reached."""
        for http in self._lines():
            try:
                answer = http.post(bundle, {}, ANSWER)
            except UNREACHED as error:
                self._lines(behind=http)
                _log.debug("a controller can't be reached", why=f"{type(error).__name__}: {error}")
                continue
            return answer.content[: relay.MOST_BACK]
        return b""

    def _lines(self, behind: Line | None = None) -> list[Line]:
        """To the controllers, made when they are needed first; one that did not answer goes `behind` the others."""
        with self._lock:
            self._https = self._https or self.make()
            if behind in self._https:
                self._https = [*(one for one in self._https if one is not behind), behind]
            return self._https

    def _pays(self, size: int) -> bool:
        """Whether so many bytes are within the rate; they are spent where they are."""
        with self._lock:
            now = time.monotonic()
            self._purse, self._filled = min(BURST, self._purse + (now - self._filled) * RATE), now
            if self._purse < size:
                return False
            self._purse -= size
            return True

    def close(self) -> None:
        self._wake.close()
        self.thread.join(timeout=1.0)
        for one in (*self.sockets, self._woken):
            one.close()
        if all(self._room.acquire(blocking=False) for _ in range(AT_ONCE)):  # else who is at it ends by itself
            for http in self._https:
                http.close()
