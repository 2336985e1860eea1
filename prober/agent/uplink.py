"""The agent's other thread: reports out, orders in. The wire never waits for it."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

import httpx
import msgspec
import structlog

from prober.errors import CannotMeasure
from prober.report import Orders, Report, decode_orders, encode

PATH = "/agent/v1/reports"
_log = structlog.get_logger("prober.uplink")


def client(url: str, token: str, timeout: float = 5.0) -> httpx.Client:
    """A client for ``http(s)://host:port`` or ``unix:PATH``."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if url.startswith("unix:"):
        # No TLS on a Unix socket: reading the CA bundle for it would only take time.
        transport = httpx.HTTPTransport(verify=False, uds=url.removeprefix("unix:"))
        return httpx.Client(transport=transport, base_url="http://prober", headers=headers, timeout=timeout)
    if not url.startswith(("http://", "https://")):
        raise CannotMeasure(f"--controller {url!r} is no address of a controller: write http://HOST:PORT or unix:PATH")
    return httpx.Client(base_url=url, headers=headers, timeout=timeout, trust_env=False)


class Uplink:
    """Posts one report after the other; what can't be posted is tried again, later and later up to 5 s."""

    def __init__(self, http: httpx.Client, waiting: deque[Report], heard: Callable[[Orders], None]) -> None:
        self.http, self.waiting, self.heard = http, waiting, heard
        self.filled = threading.Event()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, name="uplink", daemon=True)
        self.idle = threading.Event()
        self._told = self._refused = ""

    def start(self) -> None:
        self.thread.start()

    def close(self, patience: float = 1.0) -> None:
        """Stops when all is delivered, and after `patience` seconds at the latest; at once where nobody takes it."""
        deadline = time.monotonic() + patience
        self.idle.clear()
        self.filled.set()
        while not self._told and time.monotonic() < deadline and not self.idle.wait(0.02):
            continue
        self.stop.set()
        self.filled.set()
        self.thread.join(timeout=2.0)
        self.http.close()

    def _run(self) -> None:
        while not self.stop.is_set():
            self.filled.wait(timeout=0.5)
            self.filled.clear()
            while self.waiting and not self.stop.is_set():
                report = self.waiting.popleft()
                try:
                    self._deliver(report)
                except Exception:  # noqa: BLE001  # one report that can't be sent must not keep back the others
                    _log.exception("a report could not be sent and is left out", sequence=report.sequence)
            self.idle.set()

    def _deliver(self, report: Report) -> None:
        """Until the controller has it. A report that it refuses for good (400, 413) is left out and logged.

        The report says what the clock shows *now*: what it tells of is as old as it is, however long it waited.
        """
        wait = 0.2
        while not self.stop.is_set():
            report.clock_ns = time.time_ns()
            trouble = self._post(report)
            if trouble is None:
                self._tell("")
                return
            self._tell(trouble)
            self.stop.wait(wait)
            wait = min(5.0, wait * 2)

    def _post(self, report: Report) -> str | None:
        try:
            answer = self.http.post(PATH, content=encode(report), headers={"Content-Type": "application/msgpack"})
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return f"the controller can't be reached: {type(error).__name__}: {error}"
        if answer.status_code in (400, 413):
            self._refuse(report, answer)
            return None
        if answer.status_code != 200:
            return f"the controller answers {answer.status_code}: {_detail(answer)}"
        try:
            self.heard(decode_orders(answer.content))
        except msgspec.MsgspecError as error:
            return f"the controller's orders can't be read: {error}"
        return None

    def _refuse(self, report: Report, answer: httpx.Response) -> None:
        """Said once for each reason: the next report is a quarter of a second away."""
        why = _detail(answer)
        if why != self._refused:
            self._refused = why
            _log.error("report refused", status=answer.status_code, sequence=report.sequence, why=why)

    def _tell(self, trouble: str) -> None:
        """Say it once, not at every try."""
        if trouble != self._told:
            self._told = trouble
            if trouble:
                _log.warning("uplink", trouble=trouble)
            else:
                _log.info("uplink", state="the controller takes reports")


def _detail(answer: httpx.Response) -> str:
    """The sentence of a problem document, or the beginning of whatever else came."""
    try:
        return str(answer.json()["detail"])[:500]
    except (ValueError, KeyError, TypeError):
        return answer.text[:200]
