"""A whole controller on a free loopback port: real store, real desk, real uvicorn. Only agents are missing.

Tests say what agents would have brought about: they fold verdicts into the desk's cells.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from prober.agent.credential import Credential
from prober.controller.app import make_app
from prober.controller.centre import Centre
from prober.controller.judged import Day
from prober.flip import Flip
from prober.ondisk import read_targets
from prober.settings import load
from prober.store.engine import open_store
from prober.store.schema import upgrade
from prober.verdict import Cause, Confidence, Culprit, Label, Verdict

TARGETS = Path(__file__).parents[2] / "targets.yaml"
SENTENCE = (
    "firewall → ingress: return-path misroute. The SYN reached pod 10.4.76.34 and its SYN-ACK left node1, but node1 "
    "routes 10.19.0.0/16 via 10.224.0.23 (node19) and node19 caught the reply."
)
NEXT_STEP = "Take node19 out, then give the pool blocks that overlap no subnet."
CULPRIT = Culprit("route", "node19", "node1 routes 10.19.0.0/16 via 10.224.0.23 (node19)")


class Controller:
    """A running controller and a client of it."""

    def __init__(self, centre: Centre, url: str) -> None:
        self.centre, self.url = centre, url
        self.client = httpx.Client(base_url=url, timeout=10, trust_env=False)
        self._probe = 0

    def judge(self, source: str, target: str, label: str = "healthy", age: float = 0.0, **given: Any) -> None:
        """A verdict on a pair, `age` seconds ago."""
        self._probe += 1
        cell = self.centre.desk.matrix.cells[source, target]
        cell.recent.clear()
        self.centre.desk.version += 1
        rtt_ms = 0.31 if label in ("healthy", "detour") else None
        cell.take(self._probe, self.centre.now() - age, verdict(source, target, label, **given), rtt_ms)

    def judge_all(self, label: str = "healthy", age: float = 0.0) -> None:
        """The same verdict on every pair."""
        for source, target in self.centre.desk.matrix.cells:
            self.judge(source, target, label, age)

    def misroute(self, age: float = 0.0) -> None:
        """The incident, as one pair tells it."""
        said = {"sentence": SENTENCE, "cause": Cause.R1B, "culprit": CULPRIT}
        self.judge("firewall", "ingress", "return-path-misroute", age, **said)

    def flip(self, source: str, target: str, label: str) -> None:
        """A flip, as the judge's next turn brings it."""
        desk, at = self.centre.desk, self.centre.wall()
        desk.debounce.told[source, target] = label
        judge, taken = desk.judge, threading.Event()

        def once(now: float, wall: float) -> Day:
            desk.judge = judge  # type: ignore[method-assign]
            day = judge(now, wall)
            day.flips.append(Flip(at, source, target, None, label, f"{source} → {target} is {label}."))
            taken.set()
            return day

        desk.judge = once  # type: ignore[method-assign]
        assert taken.wait(5)


class Signing(httpx.Auth):
    """What an agent posts, signed as it does; `ahead`: seconds by which it reckons the controller's clock wrongly."""

    requires_request_body = True

    def __init__(self, credential: Credential, ahead: float = 0.0) -> None:
        self.credential, self.ahead = credential, ahead

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        created = int(time.time() + self.ahead)
        request.headers.update(self.credential.signed(request.url.path, request.content, created))
        yield request


class Bearer(httpx.Auth):
    """Whoever has this token."""

    def __init__(self, token: str) -> None:
        self.token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = f"Bearer {self.token}"
        yield request


def verdict(source: str, target: str, label: str, **given: Any) -> Verdict:
    """A verdict of this label; `given` replaces its fields."""
    told: dict[str, Any] = {"sentence": f"{source} → {target}: {label}, from 10.9.9.9.", "next_step": NEXT_STEP}
    return Verdict(Label(label), Confidence.PROVEN, **(told | given))


@contextmanager
def controller(
    folder: Path, targets: Path = TARGETS, database: str = "", host: str = "127.0.0.1", **settings: Any
) -> Iterator[Controller]:
    """A controller until the end of the block; its own thread runs the loop."""
    url = database or f"sqlite:///{folder / 'prober.sqlite'}"
    upgrade(url)
    store = open_store(url)
    given = load(database=url, targets=targets, **settings)
    centre = Centre(given, store, read_targets(targets), lambda: read_targets(targets))
    bound = socket.create_server((host, 0))
    server = uvicorn.Server(
        uvicorn.Config(make_app(centre), log_config=None, lifespan="on", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])))
    thread.start()
    try:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        assert server.started
        running = Controller(centre, f"http://127.0.0.1:{bound.getsockname()[1]}")
        yield running
        running.client.close()
    finally:
        server.should_exit = True
        thread.join()
        bound.close()
        store.close()
