"""A picture before it is SVG or pixels: shapes at places, sizes in CSS pixels, y downwards, colours ``#rrggbb``."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from PIL import ImageFont

from prober.surfaces.glyphs import to_ascii

FAMILY = "DejaVu Sans, Verdana, sans-serif"
"""Verdana has DejaVu's widths, so a viewer without the one breaks no line with the other."""

BASIC = ImageFont.Layout.BASIC
"""Each character by itself: shaping by raqm fails on some texts."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with round corners."""

    x: float
    y: float
    width: float
    height: float
    fill: str
    radius: float = 0


@dataclass(frozen=True, slots=True)
class Stroke:
    """A polyline with round ends, or, when `solid`, the area it encloses."""

    points: tuple[tuple[float, float], ...]
    colour: str
    width: float
    solid: bool = False


@dataclass(frozen=True, slots=True)
class Words:
    """A text that begins at (x, y), y its middle; turned by `angle` degrees against the clock, around that point."""

    x: float
    y: float
    text: str
    size: int
    colour: str
    bold: bool = False
    angle: int = 0
    right: bool = False
    """Whether it ends at x instead."""


Shape = Box | Stroke | Words


@dataclass(slots=True)
class Scene:
    """All shapes, in the order they are painted."""

    ground: str
    width: float = 0
    height: float = 0
    shapes: list[Shape] = field(default_factory=list)


@functools.lru_cache(maxsize=64)
def font(size: int, bold: bool) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """DejaVu Sans where the system has it, else the font that comes with pillow, which has ASCII only."""
    try:
        return ImageFont.truetype("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf", size, layout_engine=BASIC)
    except OSError:
        return ImageFont.load_default(size)


def spelt(text: str) -> str:
    """`text` as the font at hand can draw it."""
    known = isinstance(one := font(12, False), ImageFont.FreeTypeFont) and one.getname()[0] == "DejaVu Sans"
    return text if known else to_ascii(text)


def length(text: str, size: int, bold: bool = False) -> float:
    """How wide `text` is, in pixels."""
    return float(font(size, bold).getlength(spelt(text)))


def cut(text: str, room: float, size: int, bold: bool = False) -> str:
    """`text`, with an ellipsis where it is wider than `room`."""
    if length(text, size, bold) <= room:
        return text
    while text and length(text + "…", size, bold) > room:
        text = text[:-1]
    return text + "…"


def wrap(text: str, room: float, size: int, bold: bool = False) -> list[str]:
    """`text` in lines no wider than `room`; a word wider than that is cut."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and length(longer, size, bold) <= room:
            lines[-1] = longer
        else:
            lines.append(cut(word, room, size, bold))
    return lines
