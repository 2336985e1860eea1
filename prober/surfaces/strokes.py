"""The labels' glyphs as strokes on a unit square, so that a picture needs no font that has them.

Each glyph is a list of polylines in 0..1 (y downwards); one of a single point is a dot, one that ends where it began
and is listed in `SOLID` is filled.
"""

from __future__ import annotations

Point = tuple[float, float]
Stroke = tuple[Point, ...]

STROKES: dict[str, tuple[Stroke, ...]] = {
    "return-path-misroute": (((0.78, 0.80), (0.78, 0.34), (0.22, 0.34)), ((0.42, 0.14), (0.22, 0.34), (0.42, 0.54))),
    "return-path-loss": (((0.84, 0.5), (0.16, 0.5)), ((0.40, 0.26), (0.16, 0.5), (0.40, 0.74))),
    "ingress-drop": (((0.16, 0.5), (0.84, 0.5)), ((0.60, 0.26), (0.84, 0.5), (0.60, 0.74))),
    "target": (((0.5, 0.16), (0.84, 0.5), (0.5, 0.84), (0.16, 0.5), (0.5, 0.16)),),
    "local": (((0.12, 0.5), (0.5, 0.16), (0.88, 0.5)), ((0.26, 0.5), (0.26, 0.84), (0.74, 0.84), (0.74, 0.5))),
    "intermittent": (
        ((0.14, 0.42), (0.28, 0.30), (0.42, 0.34), (0.58, 0.42), (0.72, 0.42), (0.86, 0.30)),
        ((0.14, 0.70), (0.28, 0.58), (0.42, 0.62), (0.58, 0.70), (0.72, 0.70), (0.86, 0.58)),
    ),
    "unknown": (
        ((0.32, 0.30), (0.40, 0.19), (0.56, 0.16), (0.68, 0.26), (0.68, 0.38), (0.52, 0.50), (0.50, 0.64)),
        ((0.50, 0.84),),
    ),
    "detour": (
        ((0.14, 0.74), (0.16, 0.54), (0.27, 0.38), (0.44, 0.30), (0.61, 0.34), (0.74, 0.46), (0.80, 0.66)),
        ((0.60, 0.58), (0.80, 0.68), (0.92, 0.48)),
    ),
    "healthy": (((0.5, 0.5),),),
}
SOLID = frozenset({"target"})


def strokes(label: str) -> tuple[Stroke, ...]:
    """The strokes of `label`; what the table does not have is drawn as unknown."""
    return STROKES.get(label, STROKES["unknown"])
