"""An incident told in IPv4, said again in IPv6: addresses, prefixes and commands, and nothing else.

``10.19.0.4`` becomes ``fd00:a:13::4``: each octet is a group of its own in hexadecimal, so that every prefix keeps
its meaning (a /16 is a /48, a /24 is a /64, the half of a /24 is still the half of its hosts).
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

_ADDRESS = re.compile(r"(?<![\w.:])(\d{1,3}(?:\.\d{1,3}){3})(?:/(\d{1,2}))?(?::(\d{1,5}))?(?![\w.])")
_LENGTHS = {"mask"}
"""Keys of a targets document that hold the length of a prefix."""


def in_ipv6(value: Any, key: str = "") -> Any:
    """A plain document (dicts, lists, text, numbers) with every address and every command of the other family."""
    if isinstance(value, dict):
        return {name: in_ipv6(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [in_ipv6(one, key) for one in value]
    if isinstance(value, str):
        return _ADDRESS.sub(_translated, _command(value))
    return length(value) if key in _LENGTHS else value


def length(bits: int) -> int:
    """The IPv6 prefix length of an IPv4 one; the last octet is the last group."""
    if bits == 0:
        return 0
    octet, rest = divmod(bits, 8)
    return 128 if bits == 32 else 16 + 16 * octet + (48 if octet == 3 and rest else 0) + (8 + rest if rest else 0)


def _translated(match: re.Match[str]) -> str:
    a, b, c, d = (int(octet) for octet in match[1].split("."))
    address = str(ipaddress.IPv6Address(f"fd00:{a:x}:{b:x}:{c:x}::{d:x}") if a else ipaddress.IPv6Address("::"))
    if match[3]:
        return f"[{address}]:{match[3]}"
    return f"{address}/{length(int(match[2]))}" if match[2] else address


def _command(text: str) -> str:
    """``ip`` and ``nft`` name the family in words as well."""
    if re.match(r"ip (route|rule|neigh) ", text):
        return "ip -6" + text[2:]
    if re.match(r"ip addr add ", text):
        return f"{text} nodad"
    if text.startswith("nft "):
        return re.sub(r"\bicmp\b", "icmpv6", re.sub(r"\bip\b", "ip6", text))
    return text
