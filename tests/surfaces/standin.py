"""A stand-in for the controller: serves the page's own files and canned answers over loopback, on a free port."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from prober.surfaces import page
from prober.surfaces.findings import told
from tests.surfaces import documents

Document = dict[str, Any]


class Standin:
    """What the canned controller says; tests change its fields while the page is open."""

    def __init__(self) -> None:
        self.matrix: Callable[[], Document] = documents.healthy
        self.broken = False
        self.incidents: Callable[[], list[Document]] = lambda: documents.incidents(self.broken)
        self.token: str | None = None
        self.away = False
        self.stopping = False
        self.streams = True
        self.run_polls = 0
        self.seen: list[tuple[str, str]] = []

    def break_it(self) -> None:
        """The incident."""
        self.matrix, self.broken = documents.incident, True

    def app(self) -> Starlette:
        """Every route the page uses."""
        routes = [
            ("/", self._index, "GET"), ("/assets/{name}", self._asset, "GET"),
            ("/api/v1/matrix", self._matrix, "GET"), ("/api/v1/events", self._events, "GET"),
            ("/api/v1/paths/{source}/{target}.pcapng", self._pcapng, "GET"),
            ("/api/v1/paths/{source}/{target}", self._path, "GET"),
            ("/api/v1/slos", self._slos, "GET"), ("/api/v1/flips", self._flips, "GET"),
            ("/api/v1/incidents", self._incidents, "GET"), ("/api/v1/incidents/{id}", self._incident, "GET"),
            ("/api/v1/agents", self._agents, "GET"),
            ("/api/v1/runs", self._start, "POST"), ("/api/v1/runs/{id}", self._run, "GET"),
        ]  # fmt: skip
        return Starlette(routes=[Route(path, self._guarded(answer), methods=[way]) for path, answer, way in routes])

    def _guarded(self, answer: Callable[[Request], Response]) -> Callable[[Request], Any]:
        async def guarded(request: Request) -> Response:
            path = request.url.path
            self.seen.append((request.method, path))
            if self.away:
                return JSONResponse({"title": "Away", "detail": "The controller is away"}, 503)
            held = request.headers.get("authorization")
            if self.token and path.startswith("/api/") and held != f"Bearer {self.token}":
                return JSONResponse({"title": "Unauthorized"}, 401)
            response = answer(request)
            response.headers["Content-Security-Policy"] = page.CSP
            return response

        return guarded

    def _index(self, request: Request) -> Response:
        return FileResponse(page.FOLDER / "index.html")

    def _asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        return FileResponse(page.FOLDER / name) if name in page.ASSETS else Response(status_code=404)

    def _matrix(self, request: Request) -> Response:
        return JSONResponse(told(self.matrix()))

    def _events(self, request: Request) -> Response:
        if not self.streams:
            return JSONResponse({"detail": "No stream here"}, 503)
        return StreamingResponse(self._stream(), media_type="text/event-stream")

    async def _stream(self) -> AsyncIterator[str]:
        while not (self.away or self.stopping):
            yield f"event: matrix\ndata: {json.dumps(told(self.matrix()))}\n\n"
            await asyncio.sleep(0.2)

    def _path(self, request: Request) -> Response:
        try:
            found = documents.path(self.matrix(), request.path_params["source"], request.path_params["target"])
        except StopIteration:
            return JSONResponse({"title": "Not Found", "detail": "There is no such path"}, 404)
        found["cell"] = found["cell"] | {"sent": len(self.seen)}
        return JSONResponse(found)

    def _pcapng(self, request: Request) -> Response:
        return Response(b"\x0a\x0d\x0d\x0a", media_type="application/x-pcapng")

    def _slos(self, request: Request) -> Response:
        return JSONResponse(documents.slos(self.broken))

    def _flips(self, request: Request) -> Response:
        return JSONResponse(documents.flips(self.broken))

    def _incidents(self, request: Request) -> Response:
        listed = self.incidents()
        if request.query_params.get("open") == "true":
            listed = [one for one in listed if not one["closed_at"]]
        return JSONResponse({"incidents": listed, "cursor": None})

    def _incident(self, request: Request) -> Response:
        found = [one for one in self.incidents() if one["id"] == request.path_params["id"]]
        return JSONResponse(found[0]) if found else JSONResponse({"detail": "There is no such incident"}, 404)

    def _agents(self, request: Request) -> Response:
        return JSONResponse(documents.agents(self.broken))

    def _start(self, request: Request) -> Response:
        self.run_polls = 0
        return JSONResponse(told(documents.run(self.matrix(), "running", 0)), 202, {"Location": "/api/v1/runs/run-7"})

    def _run(self, request: Request) -> Response:
        self.run_polls += 1
        total = len(self.matrix()["cells"])
        state, done = ("finished", total) if self.run_polls > 2 else ("running", 20 * self.run_polls)
        return JSONResponse(told(documents.run(self.matrix(), state, done)))


@contextlib.contextmanager
def serving(standin: Standin) -> Iterator[str]:
    """The address of a server that runs as long as the block."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(standin.app(), log_level="warning", timeout_graceful_shutdown=1, lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + 10
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        standin.stopping = server.should_exit = True
        thread.join(10)
        assert not thread.is_alive(), "the stand-in did not stop"
