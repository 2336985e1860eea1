"""The FastAPI application of a controller, put together from its routes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

from prober import __version__
from prober.controller import agents_api, api, chat, examples, matrix_api, monitor, problems, runs_api
from prober.controller.centre import Centre
from prober.controller.doors import Admin, centre_of
from prober.controller.guard import Guard
from prober.controller.heads import Heads
from prober.controller.quick import Quick
from prober.surfaces import manual, page

PAGE_HEADERS = {"Content-Security-Policy": page.CSP, "Cache-Control": "no-cache"}
MANUAL_HEADERS = {"Content-Security-Policy": manual.CSP, "Cache-Control": "no-cache"}
API = (matrix_api.router, runs_api.router, api.router)
"""`/api/v1`."""


def make_app(centre: Centre) -> FastAPI:
    """The application; `centre` starts and stops with it."""

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await centre.start()
        yield
        await centre.stop()

    app = FastAPI(
        title="prober", version=__version__, lifespan=life, docs_url=None, redoc_url=None,
        openapi_url="/api/v1/openapi.json", redirect_slashes=False,
        description="Which way did the handshake die, who is the culprit, and the packets that prove it.",
    )  # fmt: skip
    app.state.centre = centre
    problems.install(app)
    app.add_middleware(Quick)
    app.add_middleware(Heads)
    app.add_middleware(Guard)  # the last one added stands before the others
    app.include_router(agents_api.router)
    for one in API:
        app.include_router(one)
    app.include_router(monitor.routes(centre))
    app.include_router(chat.routes(centre))
    _own_routes(app)
    examples.describe(app, [route for one in API for route in one.routes])
    return app


def _own_routes(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return FileResponse(page.FOLDER / "index.html", headers=PAGE_HEADERS)

    @app.get("/assets/{name}", include_in_schema=False)
    async def asset(name: str) -> Response:
        if name not in page.ASSETS:
            raise HTTPException(404, "the page has no such file")
        return FileResponse(page.FOLDER / name, headers=PAGE_HEADERS)

    @app.get("/api/v1/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(manual.render(app.openapi()), headers=MANUAL_HEADERS)

    @app.post("/-/reload", include_in_schema=False)
    async def reload(request: Request, _: Admin) -> Response:
        """Read targets.yaml again; a bad one keeps the last good one and says what is wrong."""
        centre_of(request).reload()
        return JSONResponse({"status": "targets.yaml is taken"})
