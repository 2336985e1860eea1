"""Callers and query parameters of the API: who may ask comes in first, by `Viewer`, `Operator` or `Admin`.

A parameter that the route does not have is refused then, for a misspelt filter would let all through unsaid.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import Field

from prober.controller import examples
from prober.controller.access import Identity
from prober.controller.doors import needs
from prober.errors import shown

Name = Annotated[str, Field(max_length=100)]
Cursor = Annotated[int | None, Query(ge=1, le=2**62, description="of the page before")]
Limit = Annotated[int, Query(ge=1, le=1000)]


def declared(asks: Callable[[Request], Identity]) -> Callable[[Request], Identity]:
    """A dependency: the caller as `asks` lets it in, then 422 for what the route does not declare."""

    def checked(request: Request) -> Identity:
        identity = asks(request)
        _check(request)
        return identity

    return checked


def _check(request: Request) -> None:
    """422 names every parameter that the route does not declare, and those that it does."""
    names = [one.alias for one in request.scope["route"].dependant.query_params]
    strange = [shown(given) for given in request.query_params if given not in names]
    if strange:
        right = f"there are: {', '.join(names)}" if names else "it has none"
        raise HTTPException(422, f"no parameter of {request.url.path[:200]}: {', '.join(strange[:20])}; {right}")


Viewer = Annotated[Identity, Depends(declared(needs("viewer")))]
Operator = Annotated[Identity, Depends(declared(needs("operator")))]
Admin = Annotated[Identity, Depends(declared(needs("admin")))]


def api_router() -> APIRouter:
    """For routes of `/api/v1`."""
    return APIRouter(prefix="/api/v1", tags=["api"], responses=examples.PROBLEMS)
