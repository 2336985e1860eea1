"""A controller that only gives a plan and counts what comes back: ``python -m bench.desk SOCKET TARGETS``.

It writes its tally to stdout as JSON lines, one a second; the agent under test is the ordinary process.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

from bench.field import HERE, PORT
from prober.agent.line import ENROL
from prober.handshake import State
from prober.report import PLAN, Orders, Plan, Task, decode_report, encode

TALLY: Counter[str] = Counter()
FIRST: list[float] = []


def plan(targets: int, rate: float) -> Plan:
    """`targets` addresses, together `rate` SYNs a second."""
    tasks = [
        Task(f"t{n}", f"198.19.{n >> 8}.{n & 255}", PORT, every=targets / rate, flows=1, timeout=1.0)
        for n in range(targets)
    ]
    return Plan("v1", 3, [os.urandom(16)], [("198.19.0.0/16", PORT, PORT)], tasks, [HERE], [])


class Desk(BaseHTTPRequestHandler):
    """Takes whatever key and reports, answers orders."""

    protocol_version = "HTTP/1.1"
    orders: Plan

    def do_POST(self) -> None:
        came = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == ENROL:
            self.send_response(204)
            self.end_headers()
            return
        report = decode_report(came)
        for state in report.outcome_rows()["state"].tolist():
            TALLY[State(state).name] += 1
        TALLY["dropped"] += report.dropped
        TALLY["sightings"] += len(report.sighting_rows())
        for note in report.notes:
            print(json.dumps({"note": note}), flush=True)
        holds = self.headers[PLAN] == self.orders.version
        body = encode(Orders(report.sequence, 0.25, plan=None if holds else self.orders))  # as the controller does
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
        """Nothing: a line a report would be in the way."""


class Server(ThreadingMixIn, UnixStreamServer):
    """One thread a connection."""

    daemon_threads = True

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, _ = super().get_request()
        return connection, ("unix", 0)


def tell() -> None:
    """The tally, once a second."""
    while True:
        time.sleep(1.0)
        print(json.dumps({**TALLY, "at": time.monotonic()}), flush=True)


if __name__ == "__main__":
    Desk.orders = plan(int(sys.argv[2]), float(sys.argv[3]))
    threading.Thread(target=tell, daemon=True).start()
    Server(sys.argv[1], Desk).serve_forever()
