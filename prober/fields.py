"""What one field of ``targets.yaml`` may hold: how it is read, and the JSON schema that says the same.

A ``Kind`` is both, so the parser and ``targets.schema.json`` can't drift apart. A reader raises ``Wrong`` with
what is wrong and what would be right; ``Log`` gathers them with their places.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from prober.address import Address, Network
from prober.document import Mapping, Mistake, Node, Scalar, Sequence, shown


class Wrong(Exception):
    """A value that can't stand: ``what`` is wrong with it and what would be ``right``."""

    def __init__(self, what: str, right: str) -> None:
        super().__init__(f"{what}; {right}")
        self.what, self.right = what, right


@dataclass(slots=True)
class Log:
    """The mistakes found so far in one file."""

    file: str
    mistakes: list[Mistake] = field(default_factory=list)

    def add(self, node: Node, what: str, right: str, path: str | None = None) -> None:
        """Note a mistake where `node` stands."""
        self.mistakes.append(Mistake(self.file, node.line, node.column, path or node.path, what, right))


BAD: Any = object()
"""What a reader gives for a value whose mistake is already in the log."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of value: ``read(node, log)`` -> the value or ``BAD``; ``schema`` is its JSON schema."""

    read: Callable[[Node, Log], Any]
    schema: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Field:
    """A key of a mapping."""

    kind: Kind
    help: str
    required: bool = False
    default: Any = None


@dataclass(slots=True)
class Item:
    """A mapping that was read: its good ``values`` (defaults filled in; a bad one is missing), and where they stand."""

    node: Node
    values: dict[str, Any]
    written: dict[str, Node]

    def at(self, key: str) -> Node:
        """Where `key`'s value stands, or the mapping itself when it is left out."""
        return self.written.get(key, self.node)

    def each(self, key: str) -> list[Node]:
        """Where the elements of the list `key` stand; a lone value stands for itself."""
        node = self.written.get(key)
        return node.items if isinstance(node, Sequence) else [node] if node else []


def described(node: Node) -> str:
    """What a person sees at `node`, for the start of a message."""
    if isinstance(node, Scalar):
        return "nothing" if node.sort == "null" else shown(node.text) or "an empty text"
    return "a mapping" if isinstance(node, Mapping) else "a list"


def _close(word: str, names: list[str]) -> list[str]:
    return difflib.get_close_matches(word[:60], names[:500], 1, 0.6)  # more would take seconds a mistake


def nearest(word: str, known: Iterable[str]) -> str:
    """``write one of a, b`` with the likeliest first when there is one."""
    names = list(known)
    close = _close(word, names)
    if close:
        return f"did you mean {close[0]}?"
    if not names:
        return "none is declared"
    return "write one of " + ", ".join(names[:20]) + (" …" if len(names) > 20 else "")


_SORTS = {"text": "text", "number": "a number", "boolean": "yes or no"}


def scalar(read: Callable[[str], Any], schema: dict[str, Any], right: str, sorts: tuple[str, ...]) -> Kind:
    """A kind written as one word or number; `right` says what is expected; `sorts` are the YAML sorts allowed."""

    def reader(node: Node, log: Log) -> Any:
        if not isinstance(node, Scalar) or node.sort == "null":
            log.add(node, f"{described(node)} stands here", right)
        elif node.sort not in sorts and not (node.plain and node.sort == "text"):
            quotes = "without quotes" if node.sort == "text" else "in quotes, if it is meant so"
            log.add(node, f"{described(node)} is read as {_SORTS[node.sort]} here", f"{right} ({quotes})")
        else:
            try:
                return read(node.text)
            except Wrong as wrong:
                log.add(node, wrong.what, wrong.right)
        return BAD

    return Kind(reader, schema)


def list_of(kind: Kind, what: str, at_least: int = 0, lone: bool = False, keep: bool = False) -> Kind:
    """A list of `kind`; with `lone` a single value may stand without the brackets; `keep` a bad list's good ones."""

    def reader(node: Node, log: Log) -> Any:
        if not isinstance(node, Sequence):
            if lone and isinstance(node, Scalar) and node.sort != "null":
                one = kind.read(node, log)
                return BAD if one is BAD else (one,)
            log.add(node, f"{described(node)} stands here", f"write a list of {what}")
            return BAD
        if len(node.items) < at_least:
            log.add(node, "the list is empty", f"write at least one of {what}")
            return BAD
        values = [kind.read(item, log) for item in node.items]
        good = tuple(value for value in values if value is not BAD)
        return good if keep or len(good) == len(values) else BAD

    schema: dict[str, Any] = {"type": "array", "items": kind.schema}
    if at_least:
        schema["minItems"] = at_least
    return Kind(reader, {"anyOf": [kind.schema, schema]} if lone else schema)


def mapping_of(fields: dict[str, Field], what: str) -> Kind:
    """A mapping with these fields and no others; reads to an ``Item``."""

    def reader(node: Node, log: Log) -> Any:
        if not isinstance(node, Mapping):
            log.add(node, f"{described(node)} stands here", f"write a mapping with {', '.join(fields)}")
            return BAD
        return _item(node, fields, what, log)

    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name, one in fields.items() if one.required],
        "properties": {name: {"description": one.help} | one.kind.schema for name, one in fields.items()},
    }
    return Kind(reader, schema)


def _item(node: Mapping, fields: dict[str, Field], what: str, log: Log) -> Item:
    meant = set[str]()  # by a misspelt key: told there, so not missing
    for key, place in node.keys.items():
        if key not in fields:
            left = [name for name in fields if name not in node.entries] or list(fields)
            log.add(place, f"{shown(key) or 'an empty text'} is not a key of {what}", nearest(key, left), node.path)
            meant.update(_close(key, left))
    values: dict[str, Any] = {}
    for name, one in fields.items():
        if name in node.entries:
            value = one.kind.read(node.entries[name], log)
            if value is not BAD:
                values[name] = value
        elif one.required and name in meant:
            continue
        elif one.required:
            log.add(node, f"{name} is missing", f"write {name}: {one.help}")
        else:
            values[name] = one.default
    return Item(node, values, node.entries)


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
