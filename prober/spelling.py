"""How a setting's value is written, and how it is shown again: words, lengths of time, addresses, secrets.

What checks a value gives it back as it is to be used, or raises ValueError with what would be right.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from prober.errors import shown

Words = tuple[str, ...]
"""Several values; in the environment with commas between."""

Span = float
"""Seconds, written as 90s, 15m, 6h or 30d."""
YEARS = 3650 * 86_400.0
"""Seconds for which anything can be kept at most: ten years."""
_SPANS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


class Secret:
    """A value that is shown nowhere."""

    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "********"


def read(value: Any, limited: Any) -> Any:
    """A value as the annotated type `limited`, in its limits. ValueError says what is wrong, and shows no secret."""
    kind = limited.__origin__
    if kind == Words and isinstance(value, str):
        value = tuple(word.strip() for word in value.split(",") if word.strip())
    given = _seconds(value) if kind is Span else value
    try:
        return msgspec.convert(given, limited, strict=False, dec_hook=lambda wanted, text: wanted(text))
    except msgspec.ValidationError as error:
        seen = "the value" if Secret in get_args(kind) else shown(str(value))
        raise ValueError(f"{seen} does not fit; {_wanted(limited, str(error))}") from None


def _seconds(value: Any) -> Any:
    """``15m`` -> 900.0; what has no unit is seconds."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", value.strip()) if isinstance(value, str) else None
    return float(found[1]) * _SPANS[found[2]] if found else value


def _wanted(limited: Any, said: str) -> str:
    kind = limited.__origin__
    if kind is Span:
        least, most = limited.__metadata__[0].ge, limited.__metadata__[0].le
        return f"write {_span(least)} to {_span(most)}, as 15m, 6h or 30d"
    if get_origin(kind) is Literal:
        *most, last = (f"'{one}'" for one in get_args(kind))
        return f"write {', '.join(most)} or {last}"
    return said[:1].lower() + said[1:]


def listener(where: str) -> tuple[str, int] | Path:
    """``HOST:PORT`` -> (host, port), ``[::1]:8080`` too; ``unix:PATH`` -> the path. ValueError says what is wrong."""
    if where.startswith("unix:") and len(where) > len("unix:"):
        return Path(where.removeprefix("unix:"))
    found = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):([0-9]{1,5})", where)
    if not found or int(found[2]) > 65535:
        raise ValueError(f"{shown(where)} is not an address to listen on; write HOST:PORT or unix:PATH")
    return found[1].strip("[]"), int(found[2])


def listeners(value: Words) -> Words:
    """Where the controller listens: one address at least."""
    if not value:
        raise ValueError("is empty; write HOST:PORT or unix:PATH")
    for one in value:
        listener(one)
    return value


def url(value: str) -> str:
    """An address to talk to, or a socket's path."""
    if re.fullmatch(r"https?://[^\s/,]+(/\S*)?|unix:.+", value):
        return value.rstrip("/")
    raise ValueError(f"{shown(value)} is not an address; write http://HOST:PORT")


def places(value: Words) -> Words:
    """Addresses that alerts go to."""
    import httpx  # an agent has no such setting, and none of its time for this import

    for one in value:
        try:
            good = re.fullmatch(r"https?://[^\s/]\S*", one) and httpx.URL(one).host
        except httpx.InvalidURL:
            good = ""
        if not good:
            raise ValueError(f"{shown(bare(one))} is not an address; write http://HOST:PORT or https://HOST/PATH")
    return value


def urls(value: str) -> str:
    """Several of them, commas between."""
    return ",".join(url(word.strip()) for word in value.split(","))


def private(value: str) -> str:
    """An address that secrets are sent to."""
    if re.match(r"https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/]", url(value) + "/"):
        return url(value)
    raise ValueError(f"{shown(value)} would carry secrets in clear; write https://HOST")


def told(value: Any, whole: bool = True) -> str:
    """A value without secrets; unless `whole`, addresses without their paths, which may be secrets as well."""
    if isinstance(value, Secret):
        return repr(value)
    if isinstance(value, tuple):
        parts = [bare(one) for one in value]
        return ", ".join(parts if whole else [re.sub(r"(://[^/?]*)[/?].+", r"\1/********", one) for one in parts])
    if isinstance(value, float):
        return _span(value)
    return "" if value is None else bare(str(value))


def bare(text: str) -> str:
    """An address without the password in it; what stands behind its ``?`` may be one too, where it is no database."""
    masked = re.sub(r"(://[^:/@\s]*):[^/\s]*@", r"\1:********@", text)
    return re.sub(r"^(https?://[^?]*)\?.*", r"\1?********", masked)


def _span(seconds: Span) -> str:
    """900.0 -> ``15m``."""
    unit, length = next((u, n) for u, n in reversed(_SPANS.items()) if seconds >= n or u == "s")
    return f"{seconds / length:g}{unit}"
