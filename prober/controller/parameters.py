"""A query parameter that a route does not have is refused: a misspelt filter would let all through unsaid."""

from __future__ import annotations

from fastapi import HTTPException, Request

from prober.document import shown


def declared(request: Request) -> None:
    """A dependency: 422 names every parameter that the route does not declare, and those that it does."""
    names = [one.alias for one in request.scope["route"].dependant.query_params]
    strange = [shown(given) for given in request.query_params if given not in names]
    if strange:
        right = f"there are: {', '.join(names)}" if names else "it has none"
        raise HTTPException(422, f"no parameter of {request.url.path[:200]}: {', '.join(strange[:20])}; {right}")
