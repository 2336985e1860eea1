"""A stand-in for Mattermost on loopback: its slash command's form, and ``response_url`` as its server takes it.

A hook takes five posts within thirty minutes, JSON alone is read as such, and a post that is too long is refused.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlencode

from tests.surfaces.mattermost_rules import broken_rules

TOKEN = "nezum4kpu3faiec7r7c5zt6tfy"  # of Mattermost's own example
ADA = "k1x4aqdjy3813c84m771eoc9xo"
HOOK = "/hooks/commands/zozc1xwxybdedeyz8djwjpngny"
MOST, WITHIN = 5, 1800.0


class Mattermost:
    """What came, and what was wrong with it. ``codes`` are answered in turn before posts are taken."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.posts: list[dict[str, Any]] = []
        self.wrong: list[str] = []
        self.codes: list[int] = []
        self.tries, self.first = 0, 0.0
        self.arrived = threading.Condition()

    def take(self, path: str, content_type: str, body: bytes) -> int:
        """The status code Mattermost would answer."""
        with self.arrived:
            self.arrived.notify_all()
            self.tries, self.first = self.tries + 1, self.first or time.monotonic()
            if path != HOOK:
                self.wrong.append(f"path {path}")
                return 404
            if self.codes:
                return self.codes.pop(0)
            if self.tries > MOST or time.monotonic() - self.first > WITHIN:
                self.wrong.append(f"post {self.tries} to one response_url")
                return 400
            if not content_type.startswith("application/json"):
                self.wrong.append(f"content type {content_type}: it would be shown as plain text")
                return 400
            message = json.loads(body)
            self.wrong += (wrong := broken_rules(message))
            self.posts.append(message)
            return 400 if wrong else 200

    def answer(self, seconds: float = 10.0) -> dict[str, Any]:
        """The post for the whole channel; AssertionError when none comes in time."""
        with self.arrived:
            there = self.arrived.wait_for(lambda: any(p["response_type"] == "in_channel" for p in self.posts), seconds)
        assert there, (self.posts, self.wrong)
        return next(post for post in self.posts if post["response_type"] == "in_channel")


@contextmanager
def standin() -> Iterator[Mattermost]:
    """Mattermost on a free loopback port until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            code = there.take(self.path, self.headers["Content-Type"], body)
            self.send_response(code)
            if code in (302, 307):
                self.send_header("Location", there.url + "/api/v4/posts")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    there = Mattermost(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield there
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def command(text: str, url: str, **fields: str) -> bytes:
    """The form of a slash command, as Mattermost posts it; its ``trigger_id`` is another one each time."""
    form = {
        "channel_id": "i3bb9xfyqt8rtbyshmyhgsj16c", "channel_name": "town-square", "command": "/prober",
        "response_url": url + HOOK, "team_domain": "rrrr", "team_id": "tsb8crrn5tgqtedpkt81b4tcya", "text": text,
        "token": TOKEN, "trigger_id": f"{time.time_ns()}", "user_id": ADA, "user_name": "ada",
    }  # fmt: skip
    return urlencode(form | fields).encode()
