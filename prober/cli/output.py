"""Where things are printed: data to stdout, messages to stderr, colour only on a terminal."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console

out = Console(soft_wrap=False, highlight=False)
err = Console(stderr=True, highlight=False)


def data(document: Any) -> None:
    """JSON on stdout."""
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def say(sentence: str) -> None:
    """A message on stderr."""
    err.print(sentence, style="dim", markup=False, soft_wrap=True)
