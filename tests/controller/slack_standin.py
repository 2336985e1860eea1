"""A stand-in for Slack on loopback: ``response_url``, Web API and uploads. It refuses what Slack would refuse, and
signs commands and events as Slack does.

What it knows of Slack: "Handling user interaction" (five posts in thirty minutes), the reference of the methods, and
"Working with files" (a place is asked for with a form and the exact length, filled once, and completed once).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode

from tests.surfaces.slack_rules import broken_post, broken_rules

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"  # the secret of Slack's own example
BOT_TOKEN = "xoxb-17653672481-19874698323"  # as Slack's documentation makes them up
MOST, WITHIN = 5, 1800.0
HOOK = "/commands/T1/1/x"


@dataclass
class Upload:
    """A place for a file, and what became of it."""

    name: str
    length: int
    alt: str
    content: bytes | None = None
    shown: dict[str, Any] | None = None


@dataclass
class Slack:
    """What came, and what was wrong with it. ``codes`` are answered in turn before posts are taken, ``refusals`` are
    what the Web API says of a method instead of ``ok``; ``upload_url`` is named instead of its own."""

    url: str
    posts: list[dict[str, Any]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    updates: list[dict[str, Any]] = field(default_factory=list)
    uploads: dict[str, Upload] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    upload_url: str | None = None
    tries: int = 0
    first: float = 0.0
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def take(self, path: str, headers: Any, body: bytes) -> tuple[int, dict[str, Any]]:
        """The status and the JSON that Slack would answer."""
        with self.arrived:
            self.arrived.notify_all()
            if path.startswith("/api/"):
                return self._method(path.removeprefix("/api/"), headers, body)
            if path.startswith("/upload/"):
                return self._fill(path.rpartition("/")[2], headers, body)
            return self._response(path, str(headers["Content-Type"]), body), {}

    def _response(self, path: str, content_type: str, body: bytes) -> int:
        self.tries += 1
        self.first = self.first or time.monotonic()
        self.wrong += [] if path == HOOK else [f"path {path}"]
        if self.codes:
            return self.codes.pop(0)
        if self.tries > MOST or time.monotonic() - self.first > WITHIN:
            self.wrong.append(f"post {self.tries} to one response_url")
            return 404
        message = json.loads(body)
        self.wrong += broken_rules(message)
        self.wrong += [] if content_type.startswith("application/json") else [f"content type {content_type}"]
        self.posts.append(message)
        return 200

    def _method(self, method: str, headers: Any, body: bytes) -> tuple[int, dict[str, Any]]:
        if headers["Authorization"] != f"Bearer {BOT_TOKEN}":
            self.wrong.append(f"{method}: token {headers['Authorization']}")
            return 200, {"ok": False, "error": "invalid_auth"}
        if self.codes:
            return self.codes.pop(0), {}
        if method in self.refusals:
            return 200, {"ok": False, "error": self.refusals[method]}
        kind = str(headers["Content-Type"]).partition(";")[0]
        wanted = "application/x-www-form-urlencoded" if method == "files.getUploadURLExternal" else "application/json"
        if kind != wanted:
            self.wrong.append(f"{method}: content type {kind}")
            return 200, {"ok": False, "error": "invalid_arguments"}
        given = {k: v[0] for k, v in parse_qs(body.decode()).items()} if "form" in kind else json.loads(body)
        methods = {
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "files.getUploadURLExternal": self._place,
            "files.completeUploadExternal": self._complete,
        }
        answer = methods[method](given) if method in methods else {"ok": False, "error": "unknown_method"}
        self.wrong += [] if answer["ok"] else [f"{method}: {answer['error']}"]
        return 200, answer

    def _post(self, given: dict[str, Any]) -> dict[str, Any]:
        self.wrong += broken_post(given, {"channel", "thread_ts", "unfurl_links", "unfurl_media"})
        self.messages.append(given | {"ts": f"{1767268900 + len(self.messages)}.000100"})
        return {"ok": True, "channel": given["channel"], "ts": self.messages[-1]["ts"]}

    def _update(self, given: dict[str, Any]) -> dict[str, Any]:
        self.wrong += broken_post(given, {"channel", "ts"})
        known = any((one["channel"], one["ts"]) == (given["channel"], given["ts"]) for one in self.messages)
        self.updates += [given] if known else []
        return {"ok": True, "ts": given["ts"]} if known else {"ok": False, "error": "message_not_found"}

    def _place(self, given: dict[str, Any]) -> dict[str, Any]:
        if not given.get("filename") or not given.get("length", "").isdecimal() or len(given.get("alt_txt", "")) > 1000:
            return {"ok": False, "error": "invalid_arguments"}
        name = f"F{len(self.uploads) + 1}"
        self.uploads[name] = Upload(given["filename"], int(given["length"]), given.get("alt_txt", ""))
        return {"ok": True, "file_id": name, "upload_url": self.upload_url or f"{self.url}/upload/v1/{name}"}

    def _fill(self, name: str, headers: Any, body: bytes) -> tuple[int, dict[str, Any]]:
        place = self.uploads.get(name)
        self.wrong += ["the bot's token went to the upload"] if headers["Authorization"] else []
        if place is None or place.content is not None or len(body) != place.length:
            self.wrong.append(f"upload of {len(body)} bytes to {name}: {place}")
            return 400, {}
        place.content = body
        return 200, {}

    def _complete(self, given: dict[str, Any]) -> dict[str, Any]:
        (file,) = given["files"]
        place = self.uploads.get(file["id"])
        if place is None or place.content is None or place.shown is not None or given.keys() - {
            "files", "channel_id", "thread_ts", "initial_comment"
        }:  # fmt: skip
            return {"ok": False, "error": "invalid_arguments"}
        place.shown = given
        return {"ok": True, "files": [file]}

    def until(self, what: Any, seconds: float = 10.0) -> None:
        """Waits for something to be so; AssertionError when it is not in time."""
        with self.arrived:
            assert self.arrived.wait_for(what, seconds), (self.posts, self.messages, self.uploads, self.wrong)

    def answer(self, seconds: float = 10.0) -> dict[str, Any]:
        """The post for the whole channel; AssertionError when none comes in time."""
        self.until(lambda: any(p["response_type"] == "in_channel" for p in self.posts), seconds)
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
            code, answer = slack.take(self.path, self.headers, body)
            said = json.dumps(answer).encode() if answer else b"ok"
            self.send_response(code)
            if code in (302, 307):
                self.send_header("Location", slack.url + "/elsewhere")
            if code == 429:
                self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

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


def mention(words: str, event_id: str = "", **fields: Any) -> bytes:
    """An ``app_mention`` as the Events API posts it; `fields` are the event's."""
    event = {"type": "app_mention", "user": "U1", "text": f"<@UBOT> {words}", "ts": "1767268800.000012",
             "channel": "C1", "event_ts": "1767268800.000012", "blocks": [{"type": "rich_text"}]}  # fmt: skip
    envelope = {
        "token": "gone", "team_id": "T1", "api_app_id": "A1", "event": event | fields, "type": "event_callback",
        "event_id": event_id or f"Ev{time.time_ns()}", "event_time": int(time.time()),
        "authorizations": [{"enterprise_id": None, "team_id": "T1", "user_id": "UBOT", "is_bot": True}],
    }  # fmt: skip
    return json.dumps(envelope).encode()


def signed(
    body: bytes, stamp: str | None = None, secret: str = SECRET, media_type: str = "application/x-www-form-urlencoded"
) -> dict[str, str]:
    """Slack's headers for a body."""
    stamp = str(int(time.time())) if stamp is None else stamp
    made = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"X-Slack-Signature": "v0=" + made, "X-Slack-Request-Timestamp": stamp, "Content-Type": media_type}
