"""Query parameters of the API.

One that a route does not have is refused: a misspelt filter would let all through unsaid.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from pydantic import Field

from prober.controller import examples
from prober.errors import shown

Name = Annotated[str, Field(max_length=100)]
Cursor = Annotated[int | None, Query(ge=1, le=2**62, description="of the page before")]
Limit = Annotated[int, Query(ge=1, le=1000)]


def declared(request: Request) -> None:
    """A dependency: 422 names every parameter that the route does not declare, and those that it does."""
    names = [one.alias for one in request.scope["route"].dependant.query_params]
    strange = [shown(given) for given in request.query_params if given not in names]
    if strange:
        right = f"there are: {', '.join(names)}" if names else "it has none"
        raise HTTPException(422, f"no parameter of {request.url.path[:200]}: {', '.join(strange[:20])}; {right}")


def strict_router() -> APIRouter:
    """For routes of `/api/v1`: none of them takes a parameter that it does not declare."""
    return APIRouter(prefix="/api/v1", tags=["api"], responses=examples.PROBLEMS, dependencies=[Depends(declared)])
