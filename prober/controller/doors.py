"""Who may come in by which route: the caller of a request, and the roles that a route asks for."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, HTTPException
from starlette.requests import HTTPConnection as Request

from prober.controller import access

if TYPE_CHECKING:
    from prober.controller.centre import Centre


def centre_of(request: Request) -> Centre:
    """The controller that this application belongs to."""
    centre: Centre = request.app.state.centre
    return centre


def bearer(request: Request) -> str | None:
    """The token of ``Authorization: Bearer``; 401 for anything else that stands there."""
    header = request.headers.get("authorization", "")
    scheme, _, token = header.partition(" ")
    if header and (scheme.lower() != "bearer" or not token.strip()):
        raise HTTPException(401, "write the token as `Authorization: Bearer TOKEN`")
    return token.strip() or None


def caller(request: Request) -> access.Identity:
    """Who asks, by `bearer`; 401 for a token that is not valid."""
    try:
        return centre_of(request).identity(bearer(request), is_local(request))
    except access.Unknown as error:
        raise HTTPException(401, str(error)) from None


FORWARDED = frozenset((b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"))
"""What proxies add (RFC 7239; RFC 9110, 7.6.3, and the older names)."""


def is_local(request: Request) -> bool:
    """True for a caller on loopback or on a Unix socket, where the connection itself says so.

    What a reverse proxy hands on comes from elsewhere, whatever its own address is.
    """
    if not FORWARDED.isdisjoint(name for name, _ in request.headers.raw):
        return False
    host = request.client.host if request.client else ""
    return not host or _is_loopback(host)


def is_local_name(host: str) -> bool:
    """Whether a Host header names this machine itself."""
    name = host.rsplit(":", 1)[0].strip("[]") if not host.endswith("]") else host.strip("[]")
    return name.lower() in ("localhost", "prober", "") or _is_loopback(name)


@lru_cache(1024)
def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def needs(role: str) -> Callable[[Request], access.Identity]:
    """A dependency: the caller, who has at least this role."""

    def checked(request: Request) -> access.Identity:
        identity = caller(request)
        if access.allows(identity.role, role):
            return identity
        if identity.token_id is None:
            made = f"`prober token create --role {role}` on the controller's host makes one"
            raise HTTPException(401, f"this needs a token: {made}, and commands take it from PROBER_TOKEN_FILE")
        raise HTTPException(403, f"this needs the role {role}; the token's is {identity.role}")

    return checked


Monitor = Annotated[access.Identity, Depends(needs("monitor"))]
Admin = Annotated[access.Identity, Depends(needs("admin"))]
"""A route's caller, who has at least that role; those of the API are in `parameters`."""
