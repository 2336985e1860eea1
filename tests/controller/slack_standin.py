"""A stand-in for Slack: takes posts on loopback, refuses what Slack would refuse, and signs commands as Slack does."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode

from tests.surfaces.slack_rules import broken_rules

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"  # the secret of Slack's own example
MOST = 5


class Slack:
    """What came, and what was wrong with it. ``codes`` are answered in turn before posts are taken."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.posts: list[dict[str, Any]] = []
        self.wrong: list[str] = []
        self.tries = 0
        self.codes: list[int] = []
        self.arrived = threading.Condition()

    def take(self, path: str, content_type: str, body: bytes) -> int:
        """The status code Slack would answer."""
        with self.arrived:
            self.tries += 1
            self.arrived.notify_all()
            self.wrong += [] if path == "/commands/T1/1/x" else [f"path {path}"]
            if self.codes:
                return self.codes.pop(0)
            if self.tries > MOST:
                self.wrong.append(f"post {self.tries} to one response_url")
                return 404
            message = json.loads(body)
            self.wrong += broken_rules(message)
            self.wrong += [] if content_type.startswith("application/json") else [f"content type {content_type}"]
            self.posts.append(message)
            return 200

    def answer(self, seconds: float = 10.0) -> dict[str, Any]:
        """The post for the whole channel; AssertionError when none comes in time."""
        with self.arrived:
            there = self.arrived.wait_for(lambda: any(p["response_type"] == "in_channel" for p in self.posts), seconds)
        assert there, self.posts
        return next(post for post in self.posts if post["response_type"] == "in_channel")

    def tried(self, times: int, seconds: float = 10.0) -> bool:
        """Whether so many posts were tried in time."""
        with self.arrived:
            return self.arrived.wait_for(lambda: self.tries >= times, seconds)


@contextmanager
def standin() -> Iterator[Slack]:
    """Slack on a free loopback port until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            code = slack.take(self.path, self.headers["Content-Type"], body)
            self.send_response(code)
            if code in (302, 307):
                self.send_header("Location", slack.url + "/elsewhere")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def do_GET(self) -> None:
            slack.wrong.append(f"GET {self.path}")
            self.send_error(405)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    slack = Slack(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield slack
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def command(text: str, response_url: str, channel: str = "C1", **fields: str) -> bytes:
    """The form of a slash command, as Slack posts it."""
    form = {
        "token": "gone", "team_id": "T1", "team_domain": "example", "channel_id": channel, "channel_name": "network",
        "user_id": "U1", "user_name": "ada", "command": "/prober", "text": text, "response_url": response_url,
        "trigger_id": f"{time.time_ns()}.1",
    }  # fmt: skip
    return urlencode(form | fields).encode()


def signed(body: bytes, stamp: str | None = None, secret: str = SECRET) -> dict[str, str]:
    """Slack's headers for a body."""
    stamp = str(int(time.time())) if stamp is None else stamp
    made = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {
        "X-Slack-Signature": "v0=" + made, "X-Slack-Request-Timestamp": stamp,
        "Content-Type": "application/x-www-form-urlencoded",
    }  # fmt: skip
