"""Errors as RFC 9457 problem documents: one sentence, never a traceback."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from prober.controller.access import Unknown
from prober.controller.intake import Busy
from prober.controller.stranger import NoReport
from prober.errors import CannotMeasure, ConfigInvalid, ProberError, Refused, StoreFull

TITLES = {
    400: "Bad request", 401: "No valid token", 403: "Not allowed", 404: "Not found", 405: "Method not allowed",
    408: "Too slow", 409: "Conflict", 413: "Too large", 415: "Wrong media type", 421: "Wrong host", 422: "Invalid",
    429: "Too many requests", 500: "Internal error", 503: "Not available", 507: "Storage full",
}  # fmt: skip
STATUS: dict[type[ProberError], int] = {
    Unknown: 401, NoReport: 400, Refused: 422, ConfigInvalid: 422, Busy: 429, StoreFull: 507, CannotMeasure: 503,
}  # fmt: skip
"""The first that fits counts: what is more particular stands before what it is a kind of."""
RETRY = {429: "1", 503: "2", 507: "10"}
"""Seconds after which it makes sense to ask again."""

SAID_AGAIN = 10.0
"""Seconds after which the log says once more why the store refuses: a whole fleet may be asking."""
UNREAD = "There was an error parsing the body"
"""FastAPI's words for a body that json.loads fails on in any other way than a mistake of syntax."""

_log = structlog.get_logger("prober.controller")


def problem(status: int, detail: str, **more: Any) -> JSONResponse:
    """``application/problem+json`` with a title, the status and one sentence."""
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    headers |= {"Retry-After": RETRY[status]} if status in RETRY else {}
    body = {"type": "about:blank", "title": TITLES.get(status, "Error"), "status": status, "detail": detail, **more}
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def told_of(error: ProberError) -> str:
    """What the caller may read of an error; where that is not all of it, the log has the rest."""
    if (said := error.outward) != str(error):
        _say(str(error), int(time.monotonic() / SAID_AGAIN))
    return said


@lru_cache(16)
def _say(why: str, _moment: int) -> None:
    """Once in each moment."""
    _log.error("the store refuses", why=why)


def _detail(request: Request, error: HTTPException) -> str:
    """The router's own two words made a sentence; every other detail is one already."""
    if error.status_code == 404 and error.detail == "Not Found":
        return f"there is nothing at {request.url.path[:200]}; /api/v1/docs lists what there is"
    if error.status_code == 405:
        allowed = _allowed(error).get("Allow", "another method")
        return f"{request.method[:20]} is not what {request.url.path[:200]} answers to: {allowed}"
    if error.status_code == 400 and error.detail == UNREAD:
        return "the body can't be read as JSON: write it in UTF-8 and uncompressed, with numbers and nesting in bounds"
    return str(error.detail)


def _allowed(error: HTTPException) -> dict[str, str]:
    """The error's headers; what answers to GET answers to HEAD, of which no route knows (`prober.controller.heads`)."""
    headers = dict(error.headers or {})
    if headers.get("Allow") == "GET":
        headers["Allow"] = "GET, HEAD"
    return headers


def _mistake(one: dict[str, Any]) -> str:
    """One of pydantic's mistakes: where, and what is wrong with it."""
    if one["type"] == "json_invalid":
        return f"the body is no JSON: {one.get('ctx', {}).get('error', one['msg'])}, at character {one['loc'][-1]}"
    return f"{'.'.join(str(p) for p in one['loc'])[:200]}: {one['msg']}"


def install(app: FastAPI) -> None:
    """Every way a request can fail answers with a problem document."""

    async def expected(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ProberError)
        status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), 400)
        return problem(status, told_of(error))

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        answer = problem(error.status_code, _detail(request, error))
        answer.headers.update(_allowed(error))
        return answer

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        mistakes = [_mistake(one) for one in error.errors()[:20]]
        broken = any(one["type"] == "json_invalid" for one in error.errors())
        return problem(400 if broken else 422, "; ".join(mistakes)[:2000])

    async def unexpected(request: Request, error: Exception) -> JSONResponse:
        _log.error("a request failed", path=request.url.path, exc_info=error)
        return problem(500, "something went wrong here; the controller's log says what")

    app.add_exception_handler(ProberError, expected)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(Exception, unexpected)
