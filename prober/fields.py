"""How a field of ``targets.yaml`` is read, and the JSON schema that says the same: words, lists and mappings of them.

A ``Kind`` is both, so the parser and ``targets.schema.json`` can't drift apart. A reader raises ``Wrong`` with
what is wrong and what would be right; ``Log`` gathers them with their places.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from prober.document import Mapping, Mistake, Node, Scalar, Sequence
from prober.errors import shown


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
