"""A file -> a value, each mistake with its file, line, column and path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from prober import document
from prober.errors import ConfigInvalid

Model = TypeVar("Model", bound=BaseModel)


def read(path: Path) -> document.Mapping:
    """The mapping written at `path` (YAML 1.2 or JSON); ConfigInvalid when there is none."""
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as failure:
        reason = failure.strerror if isinstance(failure, OSError) else "it is not UTF-8 text"
        raise ConfigInvalid(f"{path}: cannot be read: {reason}") from failure
    root, mistakes = document.load(text, str(path))
    if mistakes:
        raise ConfigInvalid("\n".join(str(mistake) for mistake in mistakes))
    if not isinstance(root, document.Mapping):
        raise ConfigInvalid(f"{path}:1:1  (document)  holds no mapping; write keys such as network, break, heal")
    return root


def value(model: type[Model], plain_values: Any, root: document.Node, path: Path) -> Model:
    """A `model` of what `plain` made of `root`; ConfigInvalid lists every mistake, one a line."""
    try:
        return model.model_validate(plain_values)
    except ValidationError as failure:
        lines = [mistake(root, path, error["loc"], _sentence(error)) for error in failure.errors()]
        raise ConfigInvalid("\n".join(dict.fromkeys(lines))) from failure


def mistake(root: document.Node, path: Path, location: Sequence[str | int], sentence: str) -> str:
    """``file:line:column  path  sentence``, at the deepest node on the way to `location` that was written."""
    node: document.Node = root
    key: document.Node = root
    for step in location:  # a step may be pydantic's own, such as the member of a union: it is not in the document
        if isinstance(node, document.Mapping) and step in node.entries:
            key, node = node.keys[str(step)], node.entries[str(step)]
        elif isinstance(node, document.Sequence) and isinstance(step, int) and step < len(node.items):
            node = key = node.items[step]
    where = node.path if node.path != "(document)" else ".".join(map(str, location)) or node.path
    return f"{path}:{key.line}:{key.column}  {where}  {sentence}"


def plain(node: document.Node | None) -> Any:
    """Nodes as dicts, lists, numbers and text; a scalar means what YAML 1.2's core schema says."""
    if isinstance(node, document.Mapping):
        return {key: plain(one) for key, one in node.entries.items()}
    if isinstance(node, document.Sequence):
        return [plain(one) for one in node.items]
    if not isinstance(node, document.Scalar) or node.sort == "null":
        return None
    if node.sort == "boolean":
        return node.text.lower() == "true"
    return _number(node.text) if node.sort == "number" else node.text


def _number(text: str) -> int | float | str:
    """Decimal whole numbers and fractions; other notations stay text, so that they are refused by name."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _sentence(error: Any) -> str:
    """Pydantic's message, with the value it is about."""
    if error["type"] == "extra_forbidden":
        return "is not a key that is known here; see docs/incidents.md for those that are"
    message: str = error["msg"].removeprefix("Value error, ")
    given = error["input"]
    shown = isinstance(given, str | int | float | bool) and repr(given) not in message
    return f"{message} (not {given!r})" if shown else message
