"""To a controller and back: httpx as far as it is needed, over TCP or a Unix socket.

What is posted is signed, and a signature says when it was made, by the clock of the controller that it is for. An
agent's own clock may be hours off: that one's is known from its answers (``Date``, RFC 9110, 6.6.1) and kept by the
monotonic clock. The first guess is the agent's own; where it is wrong the answer (401) says so, and all is sent again.
"""

from __future__ import annotations

import sys
import time
from email.utils import parsedate_to_datetime

from prober import __version__
from prober.agent.credential import Credential
from prober.errors import CannotMeasure

# httpx takes its command line along where click and rich are installed, a sixth of a second that no agent needs: None
# is how an import is ruled out (importlib), and httpx does without.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None is allowed there
import httpx  # noqa: E402  # after the line above

PATH, RELAYED, ENROL = "/agent/v1/reports", "/agent/v1/relayed", "/agent/v1/enrol"
HEADERS = {
    "Content-Type": "application/msgpack",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"prober/{__version__}",
}
Answer = httpx.Response
UNREACHED = (httpx.HTTPError, httpx.InvalidURL, OSError)
"""What a post raises where no answer came."""
SAME = 2.0
"""Seconds by which a clock may seem to be another one: ``Date`` counts whole ones, and an answer takes its time."""


def client(url: str, token: str, timeout: float = 5.0) -> httpx.Client:
    """A client for ``http(s)://host:port`` or ``unix:PATH``."""
    transport, base = _opened(url)
    headers = _authorized(token) if token else {}
    return httpx.Client(transport=transport, base_url=base, headers=headers, timeout=timeout, trust_env=False)


def _opened(url: str) -> tuple[httpx.HTTPTransport, str]:
    """The connections to a controller, and how its URLs begin."""
    if url.startswith("unix:"):
        # No TLS on a Unix socket: reading the CA bundle for it would only take time.
        return httpx.HTTPTransport(verify=False, uds=url.removeprefix("unix:")), "http://prober"
    if not url.startswith(("http://", "https://")):
        raise CannotMeasure(f"--controller {url!r} is no address of a controller: write http://HOST:PORT or unix:PATH")
    return httpx.HTTPTransport(trust_env=False), url


def _authorized(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


class Line:
    """Where the reports of an agent go. It is httpx without its client, which would make anew for each of them what is
    always the same, and look for redirects and cookies: half of what a post costs."""

    def __init__(self, url: str, credential: Credential, timeout: float = 5.0, path: str = PATH) -> None:
        self._transport, base = _opened(url)
        self._base, self._path, self.credential = base.rstrip("/"), path, credential
        self._url = httpx.URL(self._base + path)
        self._headers = {"Host": self._url.netloc.decode("ascii")} | HEADERS
        self._extensions = {"timeout": httpx.Timeout(timeout).as_dict()}
        self._ahead = time.time() - time.monotonic()

    def post(self, body: bytes, headers: dict[str, str], timeout: float | None = None) -> Answer:
        """The answer, read to its end; `timeout` in the place of the line's own. Raises `UNREACHED`."""
        answer = self._send(self._url, body, headers | self._signed(body), timeout)
        if answer.status_code == 401 and self._learns(answer):
            answer = self._send(self._url, body, headers | self._signed(body), timeout)
        return answer

    def enrol(self, token: str, body: bytes) -> Answer:
        """What is said to this token. Raises `UNREACHED`."""
        return self._send(httpx.URL(self._base + ENROL), body, _authorized(token), None)

    def _signed(self, body: bytes) -> dict[str, str]:
        return self.credential.signed(self._path, body, int(time.monotonic() + self._ahead))

    def _learns(self, answer: Answer) -> bool:
        """Whether the controller's clock is another one than was reckoned with."""
        try:
            ahead = parsedate_to_datetime(answer.headers.get("date", "")).timestamp() - time.monotonic()
        except ValueError:
            return False
        before, self._ahead = self._ahead, ahead
        return abs(ahead - before) > SAME

    def _send(self, url: httpx.URL, body: bytes, headers: dict[str, str], timeout: float | None) -> Answer:
        given = self._headers | {"Content-Length": str(len(body))} | headers
        stream = httpx.ByteStream(body)  # as `content` it would be looked at for headers once more
        bounds = {"timeout": httpx.Timeout(timeout).as_dict()} if timeout else self._extensions
        request = httpx.Request("POST", url, headers=given, stream=stream, extensions=bounds)
        answer = self._transport.handle_request(request)
        try:
            answer.read()
        finally:
            answer.close()
        return answer

    def close(self) -> None:
        self._transport.close()


def clients(urls: str, credential: Credential, timeout: float = 5.0, path: str = PATH) -> list[Line]:
    """One for each address, with commas between them."""
    return [Line(url.strip(), credential, timeout, path) for url in urls.split(",")]


def detail(answer: Answer) -> str:
    """The sentence of a problem document, or the beginning of whatever else came."""
    try:
        return str(answer.json()["detail"])[:500]
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
