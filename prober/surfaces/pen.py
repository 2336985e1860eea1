"""What a console can show: its width, and its signs where the encoding has no more than ASCII."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text

from prober.surfaces.glyphs import Look, shown, to_ascii

_SIGNS = str.maketrans("│┊╭├┤─┄▶◀▷◁●✗◌█░✓·…", "|:,||-.>><<*xo#.+-~")
"""One sign for one: unlike `to_ascii` it keeps columns where they are."""


@dataclass(frozen=True, slots=True)
class Pen:
    """Handed to whatever draws; `width` in terminal cells."""

    width: int
    ascii: bool

    def say(self, text: object) -> str:
        """Words from outside, made harmless and spelt so that the console can show them."""
        return to_ascii(shown(text)) if self.ascii else shown(text)

    def sign(self, signs: str) -> str:
        """Line-drawing signs, as many cells as given."""
        return signs.translate(_SIGNS) if self.ascii else signs

    def glyph(self, look: Look) -> str:
        """The glyph of a label."""
        return look.ascii if self.ascii else look.glyph

    def name(self, name: object, cells: int) -> str:
        """A name in exactly `cells` cells, cut with an ellipsis where it is longer."""
        text = self.say(name)
        if cell_len(text) > cells:
            text = set_cell_size(text, max(cells - 1, 0)) + self.sign("…")
        return set_cell_size(text, cells)


def tile(look: Look) -> str:
    """The rich style of a label's tile. Healthy has no ground: it must stay quiet on any terminal."""
    if look.label == "healthy":
        return "#009e73"
    fill, ink = look.dark
    return f"bold {ink} on {fill}"


class Row:
    """One line of a drawing whose parts are put at a column; what comes later covers what was there."""

    def __init__(self, width: int) -> None:
        self._cells = [(" ", "")] * width

    def put(self, at: int, text: str, style: str = "") -> Row:
        """`text` from column `at` on, cut at the right edge; wide characters take two cells."""
        for char in text:
            wide = cell_len(char)
            if at < 0 or wide == 0 or at + wide > len(self._cells):
                continue
            self._cells[at : at + wide] = [(char, style)] + [("", style)] * (wide - 1)
            at += wide
        return self

    def text(self) -> Text:
        """The line, without the blanks at its end."""
        line = Text(no_wrap=True, overflow="crop")
        for style, run in groupby(self._cells, key=lambda cell: cell[1]):
            line.append("".join(char for char, _ in run), style or None)
        line.rstrip()
        return line


@dataclass(frozen=True, slots=True)
class Drawing:
    """A renderable that is drawn when the console is known."""

    draw: Callable[[dict[str, Any], Pen], Iterator[RenderableType]]
    document: dict[str, Any]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """rich's own protocol: whatever `draw` yields, line by line."""
        yield from self.draw(self.document, Pen(options.max_width, options.ascii_only))
