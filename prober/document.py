"""YAML 1.2 text -> a tree of nodes that know where they were written, and the mistakes of the writing itself.

Nothing is constructed: every scalar stays text, so ``NO`` is a word and no tag can make an object. A JSON
document is YAML 1.2 (section 1.2 of its specification) and is read the same way. Work and memory are bounded:
size, depth, aliases.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from prober.errors import shown

MAX_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 12
MAX_ALIASES = 32

NUMBER = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+|[-+]?\.inf|\.nan", re.IGNORECASE
)
_NULLS = ("", "~", "null", "Null", "NULL")
_BOOLS = ("true", "True", "TRUE", "false", "False", "FALSE")


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing wrong in a document: where (1-based line and column), what, and what would be right."""

    file: str
    line: int
    column: int
    path: str
    what: str
    right: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}  {self.path}  {self.what}; {self.right}"


@dataclass(slots=True)
class Node:
    """Anything written in the document; ``line`` and ``column`` are 1-based."""

    line: int
    column: int
    path: str


@dataclass(slots=True)
class Scalar(Node):
    """One value, as text; ``plain`` when it is written without quotes."""

    text: str
    plain: bool

    @property
    def sort(self) -> str:
        """``text``, ``number``, ``null`` or ``boolean``, by YAML 1.2's core schema."""
        if not self.plain:
            return "text"
        if self.text in _NULLS:
            return "null"
        if self.text in _BOOLS:
            return "boolean"
        return "number" if NUMBER.fullmatch(self.text) else "text"


@dataclass(slots=True)
class Sequence(Node):
    """A list."""

    items: list[Node] = field(default_factory=list)


@dataclass(slots=True)
class Mapping(Node):
    """Keys and values; ``keys`` says where each key stands."""

    entries: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Scalar] = field(default_factory=dict)


class Broken(Exception):
    """The text can't be read further; holds the mistake that says why."""

    def __init__(self, line: int, column: int, path: str, what: str, right: str) -> None:
        super().__init__(what)
        self.line, self.column, self.path, self.what, self.right = line, column, path, what, right


def load(text: str, filename: str) -> tuple[Node | None, list[Mistake]]:
    """The document's root (None when it can't be read) and the mistakes of its writing."""
    mistakes: list[Mistake] = []
    try:
        _check_characters(text)
        flow = text.lstrip().startswith(("{", "["))
        reader = YAML(typ="safe", pure=True)
        # YAML forbids tabs as indentation only outside {}; ruamel forbids them everywhere, JSON uses them.
        composer = _Composer(reader.parse(text.replace("\t", " ") if flow else text), filename, mistakes)
        return composer.document(), mistakes
    except Broken as broken:
        wrong = broken
    except MarkedYAMLError as error:
        wrong = _syntax(error)
    except (YAMLError, ValueError, AssertionError) as error:  # ruamel: too big for int(), a bad %YAML version
        wrong = Broken(1, 1, "(document)", f"is not YAML: {shown(str(error).splitlines()[0])}", "write plain YAML 1.2")
    mistakes.append(Mistake(filename, wrong.line, wrong.column, wrong.path, wrong.what, wrong.right))
    return None, mistakes


_UNREADABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def _check_characters(text: str) -> None:
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise Broken(1, 1, "(document)", "is larger than 4 MiB", "split the network over several controllers")
    if text.startswith("\ufeff"):
        raise Broken(1, 1, "(document)", "starts with a byte order mark", "save the file as UTF-8 without BOM")
    found = _UNREADABLE.search(text) or re.search("\ufeff", text)
    if found:
        name = {"\x00": "a NUL byte"}.get(found[0], f"the control character U+{ord(found[0]):04X}")
        line, column = _place(text, found.start())
        raise Broken(line, column, "(document)", f"holds {name}", "remove it; the file is UTF-8 text")
    tab = re.search(r"^ *\t+[ \t]*[^\s#]", text, re.MULTILINE)
    if tab and not text.lstrip().startswith(("{", "[")):
        line, column = _place(text, text.index("\t", tab.start()))
        raise Broken(line, column, "(document)", "a tab indents this line", "indent with spaces")


def _place(text: str, index: int) -> tuple[int, int]:
    return text.count("\n", 0, index) + 1, index - text.rfind("\n", 0, index)


# What ruamel.yaml says at the start of its problem -> what a person reads, and whether the opening is the place.
_PLAINER = (
    (
        "mapping values are not allowed",
        "a second ': ' on this line",
        "start a new line, or put the text in quotes",
        False,
    ),
    ("found unexpected end of stream", "a quote is opened and never closed", "close it", True),
    ("expected ',' or", "this bracket is not closed, or a comma is missing", "close it after its last value", True),
    ("expected <block end>", "the indentation fits no line above", "line it up with its neighbours", False),
    ("could not find expected ':'", "a key without ': '", "write key: value", False),
)


def _syntax(error: MarkedYAMLError) -> Broken:
    problem = str(error.problem or error.context or "syntax error")
    what, right, opening = f"is not YAML: {shown(problem, 120)}", "check indentation, commas and quotes", False
    for start, plainer, cure, at_opening in _PLAINER:
        if problem.startswith(start):
            what, right, opening = plainer, cure, at_opening
    mark = (error.context_mark if opening else None) or error.problem_mark or error.context_mark
    return Broken(mark.line + 1, mark.column + 1, "(document)", what, right)


class _Composer:
    """Parser events -> nodes, with the limits that a parser does not have."""

    def __init__(self, events: Iterator[Any], filename: str, mistakes: list[Mistake]) -> None:
        self.events, self.filename, self.mistakes = iter(events), filename, mistakes
        self.anchors: dict[str, Node | None] = {}
        self.aliases = 0

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self.events:
            name, mark = type(event).__name__, event.start_mark
            if name == "DocumentStartEvent":
                if root is not None:
                    what = "a second document starts here"
                    raise Broken(mark.line + 1, mark.column + 1, "(document)", what, "write one document")
                if event.version and tuple(event.version) != (1, 2):
                    raise Broken(1, 1, "(document)", "%YAML names another version", "write %YAML 1.2, or leave it out")
            elif name not in ("StreamStartEvent", "StreamEndEvent", "DocumentEndEvent"):
                root = self.node(event, "", 0)
        return root

    def node(self, event: Any, path: str, depth: int) -> Node:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        here = path or "(document)"
        if depth > MAX_DEPTH:
            raise Broken(line, column, here, f"is nested deeper than {MAX_DEPTH} levels", "nothing here goes so deep")
        if isinstance(event, AliasEvent):
            return self._alias(event.anchor, line, column, here)
        if event.tag and event.tag != "!":
            raise Broken(
                line,
                column,
                here,
                f"the tag {shown(event.tag.replace('tag:yaml.org,2002:', '!!'))} is not read",
                "write the plain value",
            )
        if event.anchor:
            self.anchors[event.anchor] = None  # open: an alias to it from within would be endless
        node = self._filled(event, line, column, path, depth)
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _alias(self, anchor: str, line: int, column: int, path: str) -> Node:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            raise Broken(line, column, path, f"more than {MAX_ALIASES} aliases", "write the values out, or use groups")
        node = self.anchors.get(anchor)
        if node is None:
            why = "contains itself" if anchor in self.anchors else "is not defined above"
            raise Broken(line, column, path, f"the alias *{shown(anchor)} {why}", "write the value out")
        return node

    def _filled(self, event: Any, line: int, column: int, path: str, depth: int) -> Node:
        if isinstance(event, ScalarEvent):
            return Scalar(line, column, path or "(document)", event.value, event.style is None)
        if isinstance(event, SequenceStartEvent):
            items = Sequence(line, column, path or "(document)")
            for inner in iter(lambda: next(self.events), None):
                if isinstance(inner, SequenceEndEvent):
                    break
                items.items.append(self.node(inner, f"{path}[{len(items.items)}]", depth + 1))
            return items
        assert isinstance(event, MappingStartEvent)
        return self._mapping(Mapping(line, column, path or "(document)"), path, depth)

    def _mapping(self, mapping: Mapping, path: str, depth: int) -> Mapping:
        for event in iter(lambda: next(self.events), None):
            if isinstance(event, MappingEndEvent):
                break
            key = self.node(event, path, depth + 1)
            if not isinstance(key, Scalar):
                raise Broken(key.line, key.column, path or "(document)", "a list or mapping as a key", "write a word")
            inside = f"{path}.{shown(key.text)}" if path else shown(key.text)
            value = self.node(next(self.events), inside, depth + 1)
            if isinstance(value, Scalar) and value.plain and not value.text:
                value.line, value.column = key.line, key.column  # an empty value has no place of its own
            if key.text in mapping.entries:
                what = f"the key is written twice, first at line {mapping.keys[key.text].line}"
                self.mistakes.append(Mistake(self.filename, key.line, key.column, inside, what, "keep one of them"))
                continue
            mapping.entries[key.text], mapping.keys[key.text] = value, key
        return mapping
