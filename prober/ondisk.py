"""Files that an operator names: the document, and secrets. What can't be read is one sentence.

A process that needs no document imports nothing that reads one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prober.errors import ConfigInvalid, shown

if TYPE_CHECKING:
    from prober.declared import Targets

SECRET = 4096
"""Bytes of a file that holds a secret, at most."""


def read_targets(path: Path | str) -> Targets:
    """The document at `path`; ConfigInvalid says why it can't be read, or lists its mistakes."""
    from prober.targets import parse  # with its YAML reader, which an agent never needs

    return parse(read_document(path), str(path))


def read_document(path: Path | str) -> str:
    """The document's text, for `prober.targets.mistakes`; ConfigInvalid when there is no text to read."""
    from prober.document import MAX_BYTES

    return contents(Path(path), MAX_BYTES, "document")


def contents(path: Path, limit: int, what: str) -> str:
    """The text of a file; ConfigInvalid where it can't be read, is longer than `limit` bytes, or is no text."""
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigInvalid(f"{shown(str(path), 200)}: {why}; name a {what} that can be read") from error
    if len(raw) > limit:
        raise ConfigInvalid(f"{path}: is larger than {limit} bytes; this is no {what}")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        where = f"{path}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
        raise ConfigInvalid(f"{where}: byte {error.start} is not UTF-8 text; save the {what} as UTF-8") from error


def word(path: Path, what: str) -> str:
    """The one word in a file, a secret mostly; ConfigInvalid for a file that holds none, or more, and shows none."""
    words = contents(path, SECRET, what).split()
    if len(words) != 1:
        raise ConfigInvalid(f"{path} holds {len(words)} words; a {what} holds one word alone")
    return words[0]
