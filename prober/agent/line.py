"""To a controller and back: httpx as far as it is needed, over TCP or a Unix socket."""

from __future__ import annotations

import sys

from prober import __version__
from prober.errors import CannotMeasure

# httpx takes its command line along where click and rich are installed, a sixth of a second that no agent needs: None
# is how an import is ruled out (importlib), and httpx does without.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None is allowed there
import httpx  # noqa: E402  # after the line above

PATH, RELAYED = "/agent/v1/reports", "/agent/v1/relayed"
HEADERS = {
    "Content-Type": "application/msgpack",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"prober/{__version__}",
}
Answer = httpx.Response
UNREACHED = (httpx.HTTPError, httpx.InvalidURL, OSError)
"""What a post raises where no answer came."""


def client(url: str, token: str, timeout: float = 5.0) -> httpx.Client:
    """A client for ``http(s)://host:port`` or ``unix:PATH``."""
    transport, base = _opened(url)
    return httpx.Client(
        transport=transport, base_url=base, headers=_authorized(token), timeout=timeout, trust_env=False
    )


def _opened(url: str) -> tuple[httpx.HTTPTransport, str]:
    """The connections to a controller, and how its URLs begin."""
    if url.startswith("unix:"):
        # No TLS on a Unix socket: reading the CA bundle for it would only take time.
        return httpx.HTTPTransport(verify=False, uds=url.removeprefix("unix:")), "http://prober"
    if not url.startswith(("http://", "https://")):
        raise CannotMeasure(f"--controller {url!r} is no address of a controller: write http://HOST:PORT or unix:PATH")
    return httpx.HTTPTransport(trust_env=False), url


def _authorized(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


class Line:
    """Where the reports of an agent go. It is httpx without its client, which would make anew for each of them what is
    always the same, and look for redirects and cookies: half of what a post costs."""

    def __init__(self, url: str, token: str, timeout: float = 5.0, path: str = PATH) -> None:
        self._transport, base = _opened(url)
        self._url = httpx.URL(base.rstrip("/") + path)
        self._headers = {"Host": self._url.netloc.decode("ascii")} | HEADERS | _authorized(token)
        self._extensions = {"timeout": httpx.Timeout(timeout).as_dict()}

    def post(self, body: bytes, headers: dict[str, str], timeout: float | None = None) -> Answer:
        """The answer, read to its end; `timeout` in the place of the line's own. Raises `UNREACHED`."""
        given = self._headers | {"Content-Length": str(len(body))} | headers
        stream = httpx.ByteStream(body)  # as `content` it would be looked at for headers once more
        bounds = {"timeout": httpx.Timeout(timeout).as_dict()} if timeout else self._extensions
        request = httpx.Request("POST", self._url, headers=given, stream=stream, extensions=bounds)
        answer = self._transport.handle_request(request)
        try:
            answer.read()
        finally:
            answer.close()
        return answer

    def close(self) -> None:
        self._transport.close()


def clients(urls: str, token: str, timeout: float = 5.0, path: str = PATH) -> list[Line]:
    """One for each address, with commas between them."""
    return [Line(url.strip(), token, timeout, path) for url in urls.split(",")]
