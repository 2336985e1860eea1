"""The glyphs as strokes: one for each label, inside its tile, no two alike."""

from __future__ import annotations

from prober.surfaces.glyphs import LOOKS
from prober.surfaces.strokes import SOLID, STROKES, strokes


def test_every_label_has_its_own_strokes() -> None:
    assert set(STROKES) == {look.label for look in LOOKS}
    assert len(set(STROKES.values())) == len(STROKES)
    assert set(STROKES) >= SOLID


def test_no_stroke_leaves_its_tile() -> None:
    points = [point for drawing in STROKES.values() for stroke in drawing for point in stroke]
    assert all(0.1 <= value <= 0.95 for point in points for value in point)


def test_what_is_filled_is_closed() -> None:
    assert all(stroke[0] == stroke[-1] for label in SOLID for stroke in STROKES[label])


def test_a_label_without_strokes_is_drawn_as_unknown() -> None:
    assert strokes("brand-new") == STROKES["unknown"]
