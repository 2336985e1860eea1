"""What a real rich console of a given kind writes."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType


def printed(drawing: RenderableType, width: int = 80, encoding: str = "utf-8", colour: bool = False) -> str:
    """Every byte, decoded again; an encoding that lacks a sign raises."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict", newline="\n")
    console = Console(file=stream, width=width, force_terminal=colour, color_system="truecolor" if colour else None)
    console.print(drawing)
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode(encoding)
