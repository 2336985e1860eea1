"""Rows of cells, wide characters, and signs that keep their columns."""

from __future__ import annotations

import pytest

from prober.surfaces.glyphs import LOOKS
from prober.surfaces.pen import _SIGNS, Pen, Row


def test_later_words_cover_earlier_ones_and_the_edge_cuts() -> None:
    assert Row(10).put(0, "│         ").put(3, "abc").put(4, "X").put(8, "long").text().plain == "│  aXc  lo"


def test_a_wide_character_takes_two_cells_and_never_half_a_one() -> None:
    assert Row(5).put(0, "名前名").text().cell_len == 4


def test_styles_are_runs_not_characters() -> None:
    assert len(Row(20).put(0, "firewall", "bold").put(9, "lb", "dim").text().spans) == 2


@pytest.mark.parametrize(("name", "expected"), [("lb", "lb   "), ("firewall", "fire…"), ("名前名前", "名前…")])
def test_a_name_fills_exactly_its_cells(name: str, expected: str) -> None:
    assert Pen(80, False).name(name, 5) == expected


def test_signs_become_one_ascii_sign_each() -> None:
    signs = "".join(map(chr, _SIGNS))
    spelt = Pen(80, True).sign(signs)
    assert spelt.isascii()
    assert len(spelt) == len(signs)
    assert Pen(80, False).sign(signs) == signs
    assert all(Pen(80, True).glyph(look).isascii() for look in LOOKS)
