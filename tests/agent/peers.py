"""Peers and controllers as small servers on loopback, honest or not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prober import relay
from prober.agent import exchange
from prober.agent.credential import Credential, Kept
from prober.relay import Bundle, Receipt
from prober.report import Orders, encode

KEY = relay.key_of(b"s" * 32, "firewall")
NOBODY = Credential(Kept("firewall"))
"""Signs nothing: these controllers do not ask who posts."""


def honest(bundle: Bundle) -> Receipt:
    """The controller's word on a bundle that it has taken."""
    return relay.acknowledge(bundle, KEY, 0.25, "v1")


class Peer:
    """Takes bundles and answers as `answer` says; None: not at all, and keeps the connection."""

    def __init__(self, answer: Callable[[Bundle], bytes | None], name: str = "node1") -> None:
        self.answer, self.came = answer, list[Bundle]()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.way = (name, "127.0.0.1", int(self.server.getsockname()[1]))
        self.kept: list[socket.socket] = []
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        with suppress(OSError):  # it is closed
            while True:
                connection, _ = self.server.accept()
                bundle = relay.decode_bundle(exchange.hear(connection, relay.MOST, 2.0))
                self.came.append(bundle)
                if (answer := self.answer(bundle)) is None:
                    self.kept.append(connection)
                    continue
                with connection:
                    exchange.tell(connection, answer, 2.0)

    def close(self) -> None:
        self.server.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        for one in (self.server, *self.kept):
            one.close()


class Controller:
    """Takes reports and bundles; `posts` are the paths and bodies that came."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, bytes]] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.posts.append((self.path, body))
                told = encode(Orders(1, 0.25))
                if self.path.endswith("relayed"):
                    told = relay.encode(honest(relay.decode_bundle(body)))
                self.send_response(outer.status)
                self.send_header("Content-Length", str(len(told)))
                self.end_headers()
                self.wfile.write(told)

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
