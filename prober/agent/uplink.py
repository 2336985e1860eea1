"""The agent's other thread: reports out, orders in. The wire never waits for it."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable

import msgspec

from prober import __version__, logs
from prober.agent.backlog import Backlog
from prober.agent.recovery import Entry
from prober.errors import CannotMeasure
from prober.report import LANE, PLAN, Orders, decode_orders, lane_of

# httpx takes its command line along where click and rich are installed, a sixth of a second that no agent needs: None
# is how an import is ruled out (importlib), and httpx does without.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None is allowed there
import httpx  # noqa: E402  # after the line above

PATH = "/agent/v1/reports"
HEADERS = {
    "Content-Type": "application/msgpack",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": f"prober/{__version__}",
}
FOR_GOOD = (400, 413, 415, 422)
"""The report itself is refused: sending it again is of no use."""
FIRST_WAIT, LONGEST_WAIT = 0.1, 5.0
"""Seconds: the span of the random wait doubles from the one to the other."""
LONGEST_ASKED = 60.0
"""Seconds for which a controller may put an agent off."""
STUMBLED = 30.0
"""Seconds for which a report over which the controller stumbles (500) lets others go first."""
_log = logs.get_logger("prober.uplink")


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

    def __init__(self, url: str, token: str, timeout: float = 5.0) -> None:
        self._transport, base = _opened(url)
        self._url = httpx.URL(base.rstrip("/") + PATH)
        self._headers = {"Host": self._url.netloc.decode("ascii")} | HEADERS | _authorized(token)
        self._extensions = {"timeout": httpx.Timeout(timeout).as_dict()}

    def post(self, body: bytes, headers: dict[str, str]) -> httpx.Response:
        """The answer, read to its end. Raises httpx.HTTPError, httpx.InvalidURL, OSError."""
        given = self._headers | {"Content-Length": str(len(body))} | headers
        stream = httpx.ByteStream(body)  # as `content` it would be looked at for headers once more
        request = httpx.Request("POST", self._url, headers=given, stream=stream, extensions=self._extensions)
        answer = self._transport.handle_request(request)
        try:
            answer.read()
        finally:
            answer.close()
        return answer

    def close(self) -> None:
        self._transport.close()


def clients(urls: str, token: str) -> list[Line]:
    """One for each address, with commas between them."""
    return [Line(url.strip(), token) for url in urls.split(",")]


class Uplink:
    """Posts one report after the other: what tells of now first, the rest behind it.

    What can't be posted is tried again after a random wait, longer and longer up to `LONGEST_WAIT`: a fleet that lost
    its controller does not come back in one moment. A wait that the controller asks for is kept to. Of several
    controllers (`https`) it keeps to one for as long as that one answers.
    """

    def __init__(
        self, https: Iterable[Line], waiting: Backlog, heard: Callable[[Orders], None],
        chance: random.Random | None = None,
    ) -> None:  # fmt: skip
        self.https, self.waiting, self.heard = deque(https), waiting, heard
        self.chance = chance or random.Random()  # noqa: S311  # it spreads waits, it hides nothing
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, name="uplink", daemon=True)
        self.idle = threading.Event()
        self.holds = ""
        """The version of the plan that the agent goes by."""
        self._told = self._refused = ""
        self._failures = 0
        self._behind_from = 0.0

    def start(self) -> None:
        self.thread.start()

    def close(self, patience: float = 1.0) -> None:
        """Stops when all is delivered, and after `patience` seconds at the latest; at once where nobody takes it."""
        deadline = time.monotonic() + patience
        self.idle.clear()
        self.waiting.ready.set()
        while not self._told and time.monotonic() < deadline and not self.idle.wait(0.02):
            continue
        self.stop.set()
        self.waiting.ready.set()
        self.thread.join(timeout=2.0)
        for http in self.https:
            http.close()

    def _run(self) -> None:
        while not self.stop.is_set():
            self.waiting.ready.clear()
            now = time.monotonic()
            found = self.waiting.next(now, behind=now >= self._behind_from)
            if found is None:
                self.idle.set()
                self.waiting.ready.wait(timeout=0.5)
                continue
            try:
                self._send(*found)
            except Exception as error:  # noqa: BLE001  # one report that can't be sent must not keep back the others
                _log.exception("a report could not be sent", sequence=found[0].summary.sequence)
                self.waiting.refused(found[0], f"{type(error).__name__}: {error}")

    def _send(self, entry: Entry, body: bytes) -> None:
        """One try. The controller has it, or will never take it, or is asked again later."""
        headers = {LANE: lane_of(entry.live)} | ({PLAN: self.holds} if self.holds else {})
        try:
            answer = self.https[0].post(body, headers)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            self.https.rotate(-1)
            self._wait(f"the controller can't be reached: {type(error).__name__}: {error}")
            return
        if answer.status_code == 200:
            self._taken(entry, answer.content)
        elif answer.status_code in FOR_GOOD:
            self._refuse(entry, answer)
            self.waiting.refused(entry, f"{answer.status_code}: {_detail(answer)}")
        else:
            self._put_off(entry, answer)

    def _taken(self, entry: Entry, content: bytes) -> None:
        try:
            orders = decode_orders(content)
        except msgspec.MsgspecError as error:
            self._wait(f"the controller's orders can't be read: {error}")
            return
        self.waiting.done(entry)
        self._failures = 0
        self._tell("")
        if entry.live:
            self.heard(orders)

    def _put_off(self, entry: Entry, answer: httpx.Response) -> None:
        """Not now: this report alone, everything that does not tell of now, or everything."""
        status, now = answer.status_code, time.monotonic()
        if status >= 500:
            self.https.rotate(-1)
        if status == 500:
            self.waiting.later(entry, now + STUMBLED)
        if status == 429 and not entry.live:
            self._behind_from = now + _asked(answer) + self._jitter(1)
            return
        self._wait(f"the controller answers {status}: {_detail(answer)}", _asked(answer))

    def _wait(self, trouble: str, asked: float = 0.0) -> None:
        """At least what was asked for, and a random part of a span that doubles with each failure (full jitter)."""
        self._failures += 1
        self._tell(trouble)
        self.stop.wait(asked + self._jitter(self._failures))

    def _jitter(self, failures: int) -> float:
        return self.chance.uniform(0.0, min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures, 16)))

    def _refuse(self, entry: Entry, answer: httpx.Response) -> None:
        """Said once for each reason: the next report is a quarter of a second away."""
        why = _detail(answer)
        if why != self._refused:
            self._refused = why
            _log.error("report refused", status=answer.status_code, sequence=entry.summary.sequence, why=why)

    def _tell(self, trouble: str) -> None:
        """Say it once, not at every try."""
        if trouble != self._told:
            self._told = trouble
            if trouble:
                _log.warning("uplink", trouble=trouble)
            else:
                _log.info("uplink", state="the controller takes reports")


def _asked(answer: httpx.Response) -> float:
    """The seconds of Retry-After, bounded; a date in it is left out: the agent's own clock may be wrong."""
    told = answer.headers.get("retry-after", "")
    return min(LONGEST_ASKED, float(told)) if told.isascii() and told.isdigit() else 0.0


def _detail(answer: httpx.Response) -> str:
    """The sentence of a problem document, or the beginning of whatever else came."""
    try:
        return str(answer.json()["detail"])[:500]
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
