"""Where things are printed: data to stdout, messages to stderr, colour only on a terminal.

``out`` and ``err`` are rich's consoles, made when they are first named: an agent prints nothing.
"""

from __future__ import annotations

import json
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    out: Console
    err: Console


def __getattr__(name: str) -> Console:
    if name not in ("out", "err"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _console(name == "err")


@cache
def _console(stderr: bool) -> Console:
    from rich.console import Console

    return Console(stderr=stderr, soft_wrap=False, highlight=False)


def setting(name: str, what: str, *flags: str) -> Any:
    """The option for a setting: its help names the variable too. `settings.load` reads that, so that it says whence."""
    return typer.Option(*flags, help=f"{what} [PROBER_{name.upper()}]", show_default=False)


def data(document: Any) -> None:
    """JSON on stdout."""
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def line(sentence: str, style: str = "") -> None:
    """A line on stdout. A terminal breaks a long one between words; a pipe gets it whole, for who greps it."""
    out = _console(False)
    out.print(sentence, style=style, markup=False, soft_wrap=not out.is_terminal)


def say(sentence: str) -> None:
    """A message on stderr."""
    _console(True).print(sentence, style="dim", markup=False, soft_wrap=True)
