"""A matrix of a million cells, asked over HTTP as pages and monitors ask; Prometheus with as many series beside it.

A real controller on SQLite takes a report of each agent, so every cell has been judged; then it is asked for the whole
matrix, for its zones, and for one status two thousand times a second. Prometheus scrapes a series for each cell once
and is asked for the same by instant queries.
"""

from __future__ import annotations

import http.server
import json
import select
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlencode

import httpx
import numpy as np

from bench.figures import Figure, against, compare
from bench.fleet import processes, simulated, world
from bench.fleet.world import World
from prober import probe, segment
from prober.handshake import State
from prober.plan import whole
from prober.report import LANE, OUTCOME, Report, encode, lane

SIDE, ZONES, FAILING = 1000, 10, 10
ASKED = 2000
"""Status answers a second."""
PATIENCE = 10.0
"""Seconds for which an answer is waited."""
STATUS = "/status/all-to-all"
WHOLE, BY_ZONE = "prober_cell_state", "count by (source_zone, target_zone, label) (prober_cell_state)"


def document(side: int) -> str:
    """targets.yaml, as JSON: so many agents and as many targets, in ten zones each, every agent asking every target."""
    sides = [
        (f"{side_name}{n}", f"10.{first + n}.0.0/16")
        for side_name, first in (("a", 10), ("t", 30))
        for n in range(ZONES)
    ]
    each = side // ZONES
    return json.dumps({
        "zones": [{"name": name, "kind": "other", "cidrs": [cidr]} for name, cidr in sides],
        "agents": [{"name": f"agent{n}", "zone": f"a{n // each}", "addresses": [_address(10, n, each)]}
                   for n in range(side)],
        "targets": [{"name": f"target{n}", "zone": f"t{n // each}", "address": _address(30, n, each), "port": 80}
                    for n in range(side)],
        "probes": [{"from": [f"a{n}" for n in range(ZONES)], "to": [f"t{n}" for n in range(ZONES)], "every": "10m",
                    "timeout": "1s", "flows": 1}],
        "objectives": [{"name": "all-to-all", "from": [f"a{n}" for n in range(ZONES)], "availability": "99.9%",
                        "to": [f"t{n}" for n in range(ZONES)], "window": "30d"}],
        "policy": {"allow": [{"network": cidr, "ports": [80]} for _, cidr in sides[ZONES:]], "max_pairs": 1_000_000},
    })  # fmt: skip


def _address(first: int, number: int, each: int) -> str:
    return f"10.{first + number // each}.{number % each // 250}.{number % each % 250 + 1}"


def told(number: int, side: int, briefly: int, failing: bool) -> Report:
    """What one agent saw of all targets in the last seconds; none of it is a handshake that is told whole."""
    rows, now = np.zeros(side, OUTCOME), time.time_ns()
    ids = np.array([probe.identity(number, serial) for serial in range(3 * side)])
    rows["probe"] = ids[~probe.is_whole(ids, briefly)][:side]
    rows["target"], rows["state"] = np.arange(side), int(State.ANSWERED)
    rows["src_hi"], rows["src_lo"] = segment.pair(_address(10, number, side // ZONES))
    for column, n in enumerate(range(side)):
        rows["dst_hi"][column], rows["dst_lo"][column] = segment.pair(_address(30, n, side // ZONES))
    rows["sport"], rows["dport"], rows["rtt_ns"] = 61440, 80, 400_000 + 1000 * np.arange(side)
    rows["sent_ns"], rows["done_ns"] = now - 2_000_000_000, now - 1_000_000_000
    if failing:
        rows["state"][number % side], rows["rtt_ns"][number % side] = int(State.TIMED_OUT), 0
    return Report(
        f"agent{number}", 1, 1, now, now - 3_000_000_000, now - 500_000_000, runs=[""], outcomes=rows.tobytes(),
        targets=[f"target{n}" for n in range(side)],
    )  # fmt: skip


def fill(http: httpx.Client, made: World, side: int) -> None:
    """A report of each agent; of some one probe has failed."""
    briefly = max(2, whole(made.targets()))
    for number, credential in enumerate(made.credentials.values()):
        one = told(number, side, briefly, number % (side // FAILING) == 0)
        body = encode(one)
        headers = credential.signed(simulated.PATH, body, int(time.time())) | {LANE: lane(one)}
        http.post(simulated.PATH, content=body, headers=headers).raise_for_status()


def latencies(ask: Callable[[], None], times: int) -> list[float]:
    """Milliseconds of each."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - began) * 1e3)
    return taken


def p99(taken: list[float]) -> float:
    return statistics.quantiles(taken, n=100)[98] if len(taken) > 1 else taken[0]


def paced(path_of_socket: str, path: str, rate: int, seconds: float, connections: int = 16) -> list[float]:
    """Milliseconds of each answer, so many asked a second over kept connections, late ones not forgiven: an answer's
    time runs from when it was to be asked for, also where it waits for a connection.

    By select(), whose timeout counts microseconds: an event loop's counts milliseconds, and asks that much late.
    """
    request = f"GET {path} HTTP/1.1\r\nHost: prober\r\n\r\n".encode()
    with ExitStack() as stack:
        idle = [_connected(path_of_socket, stack) for _ in range(connections)]
        asked: dict[socket.socket, tuple[float, bytes]] = {}
        taken, number, total, begin = list[float](), 0, int(rate * seconds), time.perf_counter() + 0.2
        while len(taken) < total:
            while number < total and idle and begin + number / rate <= time.perf_counter():
                one = idle.pop()
                asked[one] = begin + number / rate, b""
                one.sendall(request)
                number += 1
            rest = begin + number / rate - time.perf_counter() if number < total and idle else PATIENCE
            for one in select.select(list(asked), [], [], max(0.0, rest))[0]:
                due, heard = asked[one]
                asked[one] = due, heard + one.recv(65536)
                if _is_whole(asked[one][1]):
                    taken.append((time.perf_counter() - due) * 1e3)
                    del asked[one]
                    idle.append(one)
    return taken


def _connected(path: str, stack: ExitStack) -> socket.socket:
    one = stack.enter_context(socket.socket(socket.AF_UNIX))
    one.settimeout(PATIENCE)
    one.connect(path)
    return one


def _is_whole(answer: bytes) -> bool:
    """Whether an answer is there to its end; raises where it is no status, or the connection was closed."""
    head, ended, body = answer.partition(b"\r\n\r\n")
    if not answer.startswith(b"HTTP/1.1 "[: len(answer)]) or not answer:
        raise RuntimeError(f"no status was answered: {answer[:200]!r}")
    if not ended:
        return False
    if head.split()[1] not in (b"200", b"503"):
        raise RuntimeError(f"no status was answered: {answer[:200]!r}")
    return len(body) >= int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])


def exposition(side: int) -> bytes:
    """A series for each cell."""
    each = side // ZONES
    lines = ["# TYPE prober_cell_state gauge"]
    lines += [
        f'prober_cell_state{{source="agent{s}",target="target{t}",source_zone="a{s // each}",'
        f'target_zone="t{t // each}",label="healthy"}} 1'
        for s in range(side)
        for t in range(side)
    ]
    return "\n".join([*lines, ""]).encode()


@contextmanager
def prometheus(folder: Path, side: int) -> Iterator[Callable[[str], None]]:
    """A Prometheus that has scraped a series for each cell; a call is an instant query, read to its end."""
    body, scraped = exposition(side), threading.Event()

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            scraped.set()

        def log_message(self, *_: object) -> None:
            return

    page = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=page.serve_forever, daemon=True).start()
    port = page.server_address[1]
    listen, every = _free(), "30s"
    config = folder / "prometheus.yml"
    config.write_text(json.dumps({
        "global": {"scrape_interval": every, "scrape_timeout": every},
        "scrape_configs": [{"job_name": "prober", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}],
    }))  # fmt: skip
    words = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", "--log.level=error",
             f"--web.listen-address=127.0.0.1:{listen}"]  # fmt: skip
    running = subprocess.Popen(words, stderr=(folder / "prometheus.log").open("wb"))
    with httpx.Client(base_url=f"http://127.0.0.1:{listen}", timeout=120, trust_env=False) as client:

        def query(text: str) -> None:
            answer = client.post("/api/v1/query", content=urlencode({"query": text}),
                                 headers={"Content-Type": "application/x-www-form-urlencoded"})  # fmt: skip
            answer.raise_for_status()

        try:
            if not scraped.wait(150):
                raise RuntimeError("Prometheus has scraped nothing")
            _until_counted(client, side * side)
            yield query
        finally:
            running.terminate()
            running.wait(30)
            page.shutdown()


def _free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


def _until_counted(client: httpx.Client, series: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        told = client.post("/api/v1/query", data={"query": "count(prober_cell_state)"}).json()["data"]["result"]
        if told and int(told[0]["value"][1]) == series:
            return
        time.sleep(1.0)
    raise RuntimeError(f"Prometheus does not hold {series} series")


def cells(rounds: int, quick: bool) -> list[Figure]:
    """The whole matrix, its zones and one status against their limits and against Prometheus."""
    side, times = (100, 20) if quick else (SIDE, 100)
    with tempfile.TemporaryDirectory(prefix="prober-cells-") as named, ExitStack() as stack:
        folder = Path(named)
        made = world.make(folder, f"sqlite:///{folder / 'prober.sqlite'}", side, document(side))
        pid = processes.controller(made)
        stack.callback(processes.end, pid)
        path = made.socket.removeprefix("unix:")
        transport = httpx.HTTPTransport(uds=path)
        client = stack.enter_context(httpx.Client(transport=transport, base_url="http://prober", timeout=60))
        fill(client, made, side)
        _check(client, side)
        status = [p99(paced(path, STATUS, ASKED, 5.0)) for _ in range(rounds)]
        query = stack.enter_context(prometheus(folder, side))
        return list(_measured(client, status, query, rounds, times, f"{side * side:,}" if quick else "10⁶"))


def _check(client: httpx.Client, side: int) -> None:
    """Every cell has been judged, and the failing ones are seen, or nothing is measured."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        labels = client.get("/api/v1/matrix/compact").json()["labels"]
        if labels.get("healthy") == side * side - FAILING:
            return
        time.sleep(0.5)
    raise RuntimeError(f"the matrix holds {labels}, not {side * side - FAILING} healthy cells and {FAILING} that fail")


def _measured(
    client: httpx.Client, status: list[float], query: Callable[[str], None], rounds: int, times: int, many: str
) -> Iterator[Figure]:
    """Of `many` cells. `status`: p99 of each round, measured before a Prometheus that takes in a million series had the
    processors."""

    def get(what: str) -> Callable[[], None]:
        return lambda: client.get(what).raise_for_status() and None

    samples: dict[str, list[float]] = {"status": status}
    for _ in range(rounds):
        for name, ask, count in (
            ("whole", get("/api/v1/matrix/compact"), times), ("zones", get("/api/v1/matrix/zones"), times),
            ("whole query", lambda: query(WHOLE), 2), ("zones query", lambda: query(BY_ZONE), 3),
        ):  # fmt: skip
            taken = latencies(ask, count)
            samples.setdefault(name, []).append(p99(taken))
            samples.setdefault(f"{name} median", []).append(statistics.median(taken))
    for work, side, limit in (
        (f"a matrix of {many} cells, whole, compact", "whole", 100.0),
        (f"a matrix of {many} cells, zone x zone", "zones", 20.0),
        (f"one status over {many} cells, at {ASKED:,} a second", "status", 3.0),
    ):  # fmt: skip
        yield against(work, "ms, p99", samples[side], limit, more_is_better=False)
    for work, side, what in (("whole, compact", "whole", WHOLE), ("zone x zone", "zones", BY_ZONE)):
        yield compare(
            f"a matrix of {many} cells, {work}", "ms, median", samples[f"{side} median"],
            samples[f"{side} query median"], f"Prometheus, {what}", more_is_better=False, must=10.0,
        )  # fmt: skip
