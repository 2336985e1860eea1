"""The words and numbers that a field of ``targets.yaml`` may hold: names, ports, addresses, lengths of time.

Each is a `Kind`: what it reads to, the JSON schema that says the same, and what would be right in its place.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import Any

from prober.address import Address, Network
from prober.errors import shown
from prober.fields import Kind, Wrong, nearest, scalar

_NAME = r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?"


def _name(text: str) -> str:
    strange = next((char for char in text if not char.isascii()), None)
    if strange:
        which = f"U+{ord(strange):04X} {unicodedata.name(strange, '')}".rstrip()
        raise Wrong(f"{shown(text)} holds {which}", "write a name in ASCII letters, so that no two look alike")
    if not re.fullmatch(_NAME, text):
        raise Wrong(
            f"{shown(text) or 'an empty text'} is not a name",
            "write 1 to 63 ASCII letters, digits, '-', '_' or '.', with a letter or digit at both ends",
        )
    return text


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise Wrong(f"{shown(text)} is not a TCP port", "write a number from 1 to 65535")
    return int(text)


def _ports(text: str) -> range:
    first, dash, last = text.partition("-")
    try:
        low, high = _port(first), _port(last if dash else first)
    except Wrong:
        raise Wrong(f"{shown(text)} is not a TCP port or a range of them", "write 8080, or 8000-8099") from None
    if low > high:
        raise Wrong(f"the range {text} runs backwards", f"write {high}-{low}")
    return range(low, high + 1)


def _address(text: str) -> Address:
    if "%" in text:
        raise Wrong(f"{shown(text)} has a zone index", "write the address without %…")
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        hint = "write the address without /…" if "/" in text else "write one such as 10.4.76.34 or 2001:db8::7"
        raise Wrong(f"{shown(text)} is not an IP address", hint) from None


def _network(text: str) -> Network:
    try:
        network = ipaddress.ip_network(text, strict=False)
        exact = "/" not in text or ipaddress.ip_interface(text).ip == network.network_address
    except ValueError:
        right = "write one such as 10.19.0.0/24 or 2001:db8::/64"
        raise Wrong(f"{shown(text)} is not a network", right) from None
    if "%" in text or not exact:
        raise Wrong(f"{shown(text)} has host bits set", f"write {str(network).partition('%')[0]}")
    if network.prefixlen == 0:
        raise Wrong(f"{shown(text)} is every address there is", "write the networks that are meant")
    return network


def _hostname(text: str) -> str:
    label = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
    if len(text) > 253 or not re.fullmatch(rf"{label}(\.{label})*\.?", text) or re.fullmatch(r"[0-9.]+", text):
        raise Wrong(
            f"{shown(text)} is not a host name", "write one such as ingress.example.org; addresses: use address"
        )
    return text.rstrip(".").lower()


_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d|w)?"


def span(seconds: float) -> str:
    """A length of time as people write it in the document: ``500ms``, ``30d``."""
    if seconds < 1:
        return _plain(seconds * 1000) + "ms"
    unit = next(name for name in ("w", "d", "h", "m", "s") if seconds % _UNITS[name] == 0 or name == "s")
    return _plain(seconds / _UNITS[unit]) + unit


def _plain(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def duration(low: float, high: float) -> Kind:
    """A length of time, read to seconds: ``500ms``, ``1s``, ``30d``; a plain number is seconds."""

    def read(text: str) -> float:
        found = re.fullmatch(_DURATION, text)
        if not found:
            raise Wrong(f"{shown(text)} is not a length of time", "write one such as 500ms, 1s, 5m, 12h, 30d")
        seconds = round(float(found[1]) * _UNITS[found[2] or "s"], 9)
        if not low <= seconds <= high:
            raise Wrong(f"{text} is out of bounds", f"write {span(low)} to {span(high)}")
        return seconds

    schema = {"type": ["string", "number"], "pattern": f"^{_DURATION}$"}
    return scalar(read, schema, "write a length of time such as 500ms, 1s or 30d", ("text", "number"))


def whole_number(low: int, high: int) -> Kind:
    """An integer from `low` to `high`, in decimal."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise Wrong(f"{shown(text)} is not a whole number in bounds", f"write {low} to {high}")
        return int(text)

    schema = {"type": "integer", "minimum": low, "maximum": high}
    return scalar(read, schema, f"write a whole number, {low} to {high}", ("number",))


def number(low: float, high: float) -> Kind:
    """A number from `low` to `high`."""

    def read(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or not low <= float(text) <= high:
            raise Wrong(f"{shown(text)} is not a number in bounds", f"write {low:g} to {high:g}")
        return float(text)

    return scalar(
        read, {"type": "number", "minimum": low, "maximum": high}, f"write a number, {low:g} to {high:g}", ("number",)
    )


def one_of(*words: str) -> Kind:
    """One of these words."""

    def read(text: str) -> str:
        if text not in words:
            raise Wrong(f"{shown(text)} is not one of them", nearest(text, words))
        return text

    return scalar(read, {"enum": list(words)}, f"write one of {', '.join(words)}", ("text",))


def _yes_or_no(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise Wrong(f"{shown(text)} is neither yes nor no", "write true or false")
    return text.lower() == "true"


YES_OR_NO = scalar(_yes_or_no, {"type": "boolean"}, "write true or false", ("boolean",))


def _availability(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,3}(?:\.[0-9]{1,9})?|\.[0-9]{1,9})\s*(%?)", text)
    if not found:
        raise Wrong(f"{shown(text)} is not an availability", "write one such as 99.9% or 0.999")
    share = round(float(found[1]) / 100, 12) if found[2] else float(found[1])
    if share == 1:
        raise Wrong(f"{text} leaves no error budget", "write less, such as 99.99%")
    if not 0 < share < 1:
        raise Wrong(f"{text} is not between 0 and 1", "write one such as 99.9% or 0.999")
    return share


_MEMBER = r"slack:([UW][A-Z0-9]{1,20}|\*)|mattermost:([a-z0-9]{26}|\*)"


def _member(text: str) -> str:
    if not re.fullmatch(_MEMBER, text):
        raise Wrong(
            f"{shown(text) or 'an empty text'} is not somebody in chat",
            "write slack:U024BE7LH (the member's id, no name), mattermost: and the 26 signs of an id, or slack:*",
        )
    return text


def pattern(regex: str) -> dict[str, Any]:
    """The schema of text that matches `regex`."""
    return {"type": "string", "pattern": f"^{regex}$"}


NAME = scalar(_name, pattern(_NAME), "write a name", ("text",))
MEMBER = scalar(_member, pattern(f"({_MEMBER})"), "write slack:U024BE7LH, or mattermost: and an id", ("text",))
PORT = scalar(_port, {"type": "integer", "minimum": 1, "maximum": 65535}, "write a number from 1 to 65535", ("number",))
PORTS = scalar(_ports, {"type": ["integer", "string"]}, "write 8080, or 8000-8099", ("number", "text"))
ADDRESS = scalar(_address, {"type": "string"}, "write one such as 10.4.76.34 or 2001:db8::7", ("text",))
NETWORK = scalar(_network, {"type": "string"}, "write one such as 10.19.0.0/24 or 2001:db8::/64", ("text",))
HOSTNAME = scalar(_hostname, {"type": "string"}, "write one such as ingress.example.org", ("text",))
AVAILABILITY = scalar(
    _availability, {"type": ["string", "number"]}, "write one such as 99.9% or 0.999", ("text", "number")
)
