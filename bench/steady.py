"""A thousand targets a second, steadily: the ordinary agent process, and blackbox_exporter at the same rate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.field import PORT, Field

TICKS = os.sysconf("SC_CLK_TCK")
RATE = 1000.0


def cpu(pid: int) -> float:
    """Seconds of processor time that a process and its threads have used (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss(pid: int) -> float:
    """MiB of memory held now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LookupError("no VmRSS")


@contextmanager
def running(field: Field, words: list[str], **given: Any) -> Iterator[subprocess.Popen[str]]:
    """A program on the near side, ended when the block is."""
    process = field.do(lambda: subprocess.Popen(words, text=True, **given))
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=10)


def agent_words(folder: str, door: str) -> list[str]:
    """The ordinary agent, with a state of its own in this folder: it makes a key, enrols and signs."""
    token = Path(folder) / "token"
    token.write_text("prb_0123456789ab.bench")
    words = ["--name", "near", "--controller", f"unix:{door}", "--state", folder, "--token-file", str(token)]
    return [sys.executable, "-m", "prober", "agent", *words]


def agent(field: Field, seconds: float, targets: int = 1000, settle: float = 3.0) -> dict[str, float]:
    """CPU of a core, µs of CPU a probe, MiB, and what was lost, over `seconds` after `settle`."""
    with tempfile.TemporaryDirectory() as folder:
        door = f"{folder}/desk.sock"
        desk = [sys.executable, "-m", "bench.desk", door, str(targets), str(RATE)]
        with running(field, desk, stdout=subprocess.PIPE) as taking:
            told: list[dict[str, Any]] = []
            threading.Thread(target=_read, args=(taking, told), daemon=True).start()
            while not Path(door).exists():
                time.sleep(0.01)
            words = agent_words(folder, door)
            with running(field, words, cwd=folder, stderr=subprocess.DEVNULL) as under_test:
                time.sleep(settle)
                used, before = cpu(under_test.pid), _tally(told)
                time.sleep(seconds)
                used, after = cpu(under_test.pid) - used, _tally(told)
                lasted = after["at"] - before["at"]
                memory = rss(under_test.pid)
    probes = after.get("ANSWERED", 0) - before.get("ANSWERED", 0)
    lost = sum(v for k, v in after.items() if k in ("TIMED_OUT", "NOT_SENT", "REFUSED", "REWRITTEN"))
    return {
        "core": used / lasted, "cpu_us": used / max(1, probes) * 1e6, "mib": memory, "lost": lost,
        "rate": probes / lasted, "dropped": after.get("dropped", 0),
    }  # fmt: skip


def witness(field: Field, seconds: float, rate: float) -> tuple[float, float, float]:
    """A flow of foreign packets alone and beside an idle witness: packets a second of each, and the witness's CPU."""
    alone = _flow(field, seconds, rate)
    with tempfile.TemporaryDirectory() as folder:
        door = f"{folder}/desk.sock"
        with running(field, [sys.executable, "-m", "bench.desk", door, "0", str(RATE)], stdout=subprocess.DEVNULL):
            while not Path(door).exists():
                time.sleep(0.01)
            words = agent_words(folder, door)
            with running(field, words, cwd=folder, stderr=subprocess.DEVNULL) as under_test:
                time.sleep(3.0)
                used, began = cpu(under_test.pid), time.monotonic()
                beside = _flow(field, seconds, rate)
                return alone, beside, (cpu(under_test.pid) - used) / (time.monotonic() - began)


def _flow(field: Field, seconds: float, rate: float) -> float:
    words = [sys.executable, "-m", "bench.ours", "foreign", str(seconds), str(rate)]
    done = field.do_far(lambda: subprocess.run(words, check=True, capture_output=True, text=True))
    return float(json.loads(done.stdout)["rate"])


def start(field: Field) -> float:
    """Seconds from starting the agent to its first probe being answered by the far side."""
    with tempfile.TemporaryDirectory() as folder:
        door = f"{folder}/desk.sock"
        with running(field, [sys.executable, "-m", "bench.desk", door, "1000", str(RATE)], stdout=subprocess.DEVNULL):
            while not Path(door).exists():
                time.sleep(0.01)
            time.sleep(2.0)  # what an agent before this one closed has been heard
            before = field.heard()
            words = agent_words(folder, door)
            began = time.perf_counter()
            with running(field, words, cwd=folder, stderr=subprocess.DEVNULL):
                return field.await_answer(before) - began


def _read(process: subprocess.Popen[str], told: list[dict[str, Any]]) -> None:
    assert process.stdout is not None
    told.extend(map(json.loads, process.stdout))


def _tally(told: list[dict[str, Any]]) -> dict[str, Any]:
    return next((one for one in reversed(told) if "note" not in one), {})


BLACKBOX = """
modules:
  tcp_connect:
    prober: tcp
    timeout: 1s
"""

CLIENT = """
import http.client, sys, threading, time
rate, seconds, workers = float(sys.argv[1]), float(sys.argv[2]), 16
counts, end = [0] * workers, time.monotonic() + seconds
def ask(worker):
    link = http.client.HTTPConnection("127.0.0.1", 9115)
    due, n = time.monotonic(), worker
    while due < end:
        time.sleep(max(0.0, due - time.monotonic()))
        link.request("GET", f"/probe?module=tcp_connect&target=198.19.{n // 256 % 4}.{n % 250}:{sys.argv[3]}")
        counts[worker] += b"probe_success 1" in link.getresponse().read()
        n, due = n + workers, due + workers / rate
threads = [threading.Thread(target=ask, args=(w,)) for w in range(workers)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sum(counts))
"""


def blackbox(field: Field, seconds: float) -> dict[str, float]:
    """The same of blackbox_exporter's ``tcp_connect``, asked as Prometheus asks it; the asking is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "blackbox.yml"
        path.write_text(BLACKBOX)
        words = [
            "prometheus-blackbox-exporter", f"--config.file={path}", "--web.listen-address=127.0.0.1:9115",
            "--log.level=error",
        ]  # fmt: skip
        with running(field, words, stderr=subprocess.DEVNULL) as exporter:
            time.sleep(1.0)
            client = [sys.executable, "-c", CLIENT]
            field.do(lambda: subprocess.run([*client, str(RATE), "1", str(PORT)], check=True, capture_output=True))
            used, began = cpu(exporter.pid), time.monotonic()
            done = field.do(
                lambda: subprocess.run(
                    [*client, str(RATE), str(seconds), str(PORT)], check=True, capture_output=True, text=True
                )
            )
            used, lasted = cpu(exporter.pid) - used, time.monotonic() - began
            return {"cpu_us": used / max(1, int(done.stdout)) * 1e6, "rate": int(done.stdout) / lasted}
