"""A controller as a process: several listeners, one loop, a clean end on SIGTERM and SIGINT, a reload on SIGHUP."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import structlog
import uvicorn
import uvloop

from prober.controller import receivers
from prober.controller.app import make_app
from prober.controller.centre import Centre
from prober.errors import CannotMeasure, ProberError
from prober.ondisk import read_targets
from prober.settings import Settings
from prober.spelling import listener
from prober.store.engine import open_store

SELDOM = (20_000, 20, 20)
"""After how many more objects cycles among them are looked for, and so on (Python's library reference, gc): while that
goes on nobody is answered. With Python's own 700 it was an eighth of all that the reports of a large fleet cost."""
SWITCH = 0.001
"""Seconds after which a thread that computes lets another go on (Python's own: 0.005). A write to PostgreSQL waits for
its server ten times, and each time for the interpreter as well while the judge is at work."""

_log = structlog.get_logger("prober.controller")


class _Server(uvicorn.Server):
    """Signals are handled by `serve`, once for all listeners."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(settings: Settings) -> None:
    """Until a signal ends it. Raises `ConfigInvalid` or `CannotMeasure` before anything listens."""
    targets = read_targets(settings.targets)
    receivers.named(settings)  # a bad one is a sentence before a port is taken
    store = open_store(settings.database_url)
    try:
        with ExitStack() as listening:
            sockets = [_listen(where, listening) for where in settings.listen]
            centre = Centre(settings, store, targets, lambda: read_targets(settings.targets))
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(_run(centre, sockets))
    finally:
        store.close()


async def _run(centre: Centre, sockets: list[socket.socket]) -> None:
    config = uvicorn.Config(
        make_app(centre), log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=1,
        server_header=False, timeout_keep_alive=30,
    )  # fmt: skip
    server = _Server(config)
    sys.setswitchinterval(SWITCH)
    gc.set_threshold(*SELDOM)
    gc.collect()
    gc.freeze()  # what stays for the process' life is not looked through again and again while reports wait
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, _end, centre, server)
    loop.add_signal_handler(signal.SIGHUP, _reload, centre)
    _log.info("listening", where=list(centre.settings.listen))
    await server.serve(sockets=sockets)


def _end(centre: Centre, server: uvicorn.Server) -> None:
    centre.end()
    server.should_exit = True


def _reload(centre: Centre) -> None:
    try:
        centre.reload()
    except ProberError:
        return  # reload has said so, in the log and in a metric


def _listen(where: str, listening: ExitStack) -> socket.socket:
    """Binds now, so that a taken port is one sentence; closed, and its file removed, with `listening`."""
    place = listener(where)
    try:
        if isinstance(place, Path):
            bound = listening.enter_context(_listen_unix(place))
            listening.callback(place.unlink, missing_ok=True)
            return bound
        family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        bound = listening.enter_context(socket.socket(family, socket.SOCK_STREAM))
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(place)
    except OSError as error:
        raise CannotMeasure(f"can't listen on {where}: {error.strerror}; {_cure(error)}") from error
    bound.listen(2048)
    return bound


def _cure(error: OSError) -> str:
    """What to look at where an address can't be had."""
    if error.errno == errno.EADDRINUSE:
        return "is another controller running?"
    if error.errno == errno.EACCES:
        return "take a port above 1023, or a folder that this user may write to"
    return "name an address of this host, as 127.0.0.1:8080 or 0.0.0.0:8080"


def _listen_unix(path: Path) -> socket.socket:
    """A socket that its owner alone may use. A file left by a controller that was killed is taken over."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_socket():
        with socket.socket(socket.AF_UNIX) as trial:
            if trial.connect_ex(str(path)) == 0:
                raise OSError(errno.EADDRINUSE, "another controller answers there")
        path.unlink()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o077)
    try:
        bound.bind(str(path))
    finally:
        os.umask(before)
    bound.listen(2048)
    return bound
